"""`reidtrack doctor`: what is installed, what works, what is missing, and the command that adds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tracker.cli.context import Context
from tracker.cli.diagnosis import Finding, can_run, examine
from tracker.cli.flags import parse_arguments

_MARKS = {"ok": "[green]ok[/]", "note": "[yellow]note[/]", "missing": "[yellow]missing[/]", "broken": "[red]BROKEN[/]"}
_EXAMPLES = "  reidtrack doctor"


@dataclass(frozen=True, slots=True)
class DoctorSettings:
    """Nothing to set."""


def run(argv: Sequence[str], context: Context) -> int:
    """Print the findings; 0 where the main job can run, else 1."""
    summary = "Say what is installed, what works, what is missing and how to add it. Exit 1 where tracking cannot run."
    parse_arguments(DoctorSettings, argv, command="doctor", summary=summary, examples=_EXAMPLES)
    findings = examine()
    if not context.quiet:
        _print(findings)
    return 0 if can_run(findings) else 1


def _print(findings: list[Finding]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        text = escape(finding.text) + (f"\n[bold]{escape(finding.cure)}[/]" if finding.cure else "")
        table.add_row(_MARKS[finding.state], escape(finding.subject), text)
    console = Console()
    console.print(table)
    verdict = "Tracking can run here." if can_run(findings) else "Tracking cannot run here: mend what is BROKEN above."
    console.print(verdict)

"""`reidtrack online`: what is done with a folder in which an embedder learns on site, a sub-command each."""

from __future__ import annotations

from collections.abc import Sequence

from tracker.cli.commands import listing, run_command
from tracker.cli.context import Context

COMMANDS: dict[str, tuple[str, str]] = {
    "worker": ("tracker.cli.online_worker", "learn from what is harvested, whenever there is enough"),
    "status": ("tracker.cli.online_status", "say which embedder is live, what is harvested, and who is at work"),
    "history": ("tracker.cli.online_history", "list what happened, the latest last"),
    "rollback": ("tracker.cli.online_rollback", "go back to the embedder that was live before"),
    "pause": ("tracker.cli.online_pause", "stop learning until it is resumed"),
    "resume": ("tracker.cli.online_resume", "learn again"),
    "forget": ("tracker.cli.online_forget", "delete all that was harvested of somebody"),
}

_EXAMPLES = """\
examples:
  reidtrack track rtsp://camera.example/door --online site
  reidtrack online status site
  reidtrack online worker site --once
  reidtrack online rollback site --reason 'two people were taken for one'

`reidtrack online COMMAND --help` explains each command."""


def run(argv: Sequence[str], context: Context) -> int:
    """Hand over to the sub-command; its exit code.

    Raises:
        UsageError: there is no such sub-command.
    """
    return run_command(COMMANDS, argv, context, overview=_overview(), group="online ")


def _overview() -> str:
    return (
        "usage: reidtrack online [-h] COMMAND ...\n\n"
        "Look after a folder in which an embedder learns on site, the DIR of `reidtrack track SOURCE --online DIR`.\n"
        "Only worker needs the extra [train].\n\n"
        f"commands:\n{listing(COMMANDS)}\n\n{_EXAMPLES}"
    )

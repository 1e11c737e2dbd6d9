"""What was asked for and what was found, as a table in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_SHOWN = 5


@dataclass(frozen=True)
class Check:
    """One bar."""

    asked: str
    """What must hold."""
    found: str
    """What was found: figures, not words, where there are any."""
    faults: tuple[str, ...] = ()
    """What did not hold, in words."""

    @property
    def met(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


def markdown(title: str, checks: Sequence[Check]) -> str:
    """A table, and below it what is wrong."""
    rows = [["asked", "found", ""], ["---"] * 3]
    rows += [[check.asked, check.found, "met" if check.met else "MISSED"] for check in checks]
    lines = [f"## {title}", "", *(f"| {' | '.join(row)} |" for row in rows)]
    for check in checks:
        more = len(check.faults) - _SHOWN
        lines += [f"- {check.asked}: {fault}" for fault in check.faults[:_SHOWN]]
        lines += [f"- {check.asked}: and {more} more"] if more > 0 else []
    return "\n".join(lines) + "\n"

"""`reidtrack online resume`: learning goes on."""

from __future__ import annotations

from collections.abc import Sequence

from tracker.cli.context import Context
from tracker.cli.online_settings import switch

_SUMMARY = "Learn again, where it was paused."


def run(argv: Sequence[str], context: Context) -> int:
    """Resume."""
    return switch(argv, context, command="resume", summary=_SUMMARY, paused=False)

"""`reidtrack online pause`: no more learning until it is resumed."""

from __future__ import annotations

from collections.abc import Sequence

from tracker.cli.context import Context
from tracker.cli.online_settings import switch

_SUMMARY = "Stop learning until it is resumed; tracking, harvesting and the embedder that is live stay as they are."


def run(argv: Sequence[str], context: Context) -> int:
    """Pause."""
    return switch(argv, context, command="pause", summary=_SUMMARY, paused=True)

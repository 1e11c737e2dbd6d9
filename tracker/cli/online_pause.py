"""`reidtrack online pause`: no more learning until it is resumed."""

from __future__ import annotations

from collections.abc import Sequence

from tracker.cli.context import Context
from tracker.cli.flags import parse_arguments
from tracker.cli.online_settings import FolderSettings, open_folder

_SUMMARY = "Stop learning until it is resumed; tracking, harvesting and the embedder that is live stay as they are."
_EXAMPLES = "  reidtrack online pause site"


def run(argv: Sequence[str], context: Context) -> int:
    """Pause."""
    settings = parse_arguments(FolderSettings, argv, command="online pause", summary=_SUMMARY, examples=_EXAMPLES)
    folder = open_folder(settings.folder)
    folder.change_state(lambda state: {**state, "paused": True})
    folder.history.append("paused")
    context.result("paused")
    return 0

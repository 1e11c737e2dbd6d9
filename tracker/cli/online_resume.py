"""`reidtrack online resume`: learning goes on."""

from __future__ import annotations

from collections.abc import Sequence

from tracker.cli.context import Context
from tracker.cli.flags import parse_arguments
from tracker.cli.online_settings import FolderSettings, open_folder

_SUMMARY = "Learn again, where it was paused."
_EXAMPLES = "  reidtrack online resume site"


def run(argv: Sequence[str], context: Context) -> int:
    """Resume."""
    settings = parse_arguments(FolderSettings, argv, command="online resume", summary=_SUMMARY, examples=_EXAMPLES)
    folder = open_folder(settings.folder)
    folder.change_state(lambda state: {**state, "paused": False})
    folder.history.append("resumed")
    context.result("resumed")
    return 0

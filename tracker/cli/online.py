"""`reidtrack online`: what is done with a folder in which an embedder learns on site, a sub-command each."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

from tracker.cli.commands import run_group
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

WORKER: Final = (sys.executable, "-m", "tracker.cli.main", "online", "worker")
"""What starts a worker beside whoever tracks; the folder follows, see `reid.online.OnlineTrainer`."""

_ABOUT = """\
Look after a folder in which an embedder learns on site, the DIR of `reidtrack track SOURCE --online DIR`.
Only worker needs the extra [train]."""
_EXAMPLES = """\
  reidtrack track rtsp://camera.example/door --online site
  reidtrack online status site
  reidtrack online worker site --once
  reidtrack online rollback site --reason 'two people were taken for one'"""


def run(argv: Sequence[str], context: Context) -> int:
    """Hand over to the sub-command; its exit code.

    Raises:
        UsageError: there is no such sub-command.
    """
    return run_group(COMMANDS, argv, context, name="online", about=_ABOUT, examples=_EXAMPLES)

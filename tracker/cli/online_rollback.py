"""`reidtrack online rollback`: back to the embedder that was live before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tracker.cli.context import Context
from tracker.cli.flags import parse_arguments
from tracker.cli.online_settings import crops_in_words, left_out, open_folder
from tracker.cli.schema import argument, flag_only

_SUMMARY = """\
Go back to the embedder that was live before. The one that is left is never made live again; a tracker that runs takes
the change over between two frames.
The hours of the harvest that it was the first to learn from, of all cameras, are left out of learning from then on, and
nothing takes them in again: they may be what made it worse. With --keep-harvest they are learned from all the same."""
_EXAMPLES = """\
  reidtrack online rollback site --reason 'two people were taken for one'
  reidtrack online rollback site --keep-harvest --reason 'only to compare'"""


@dataclass(frozen=True, slots=True)
class RollbackSettings:
    """Settings of `reidtrack online rollback`."""

    folder: Path = field(metadata=argument("DIR"))
    """The online folder."""
    reason: str = field(default="asked for", metadata=flag_only("TEXT"))
    """Why, for the history."""
    keep_harvest: bool = field(default=False, metadata=flag_only())
    """Go on learning from the hours that it was the first to learn from."""


def run(argv: Sequence[str], context: Context) -> int:
    """Roll back."""
    settings = parse_arguments(RollbackSettings, argv, command="online rollback", summary=_SUMMARY, examples=_EXAMPLES)
    folder = open_folder(settings.folder)
    from reid.online import harvest_totals
    from reid.online.registry import ModelRegistry

    registry = ModelRegistry(folder)
    left = registry.current().number
    live = registry.roll_back(settings.reason, number=left, keep_harvest=settings.keep_harvest)
    context.result(f"model {live} is live in the place of {left}")
    lost = left_out(registry.quarantined[-1], harvest_totals(folder))
    if lost["crops"]:
        context.result(f"left out of learning from now on: {crops_in_words(lost)}")
    return 0

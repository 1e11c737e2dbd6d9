"""`reidtrack online rollback`: back to the embedder that was live before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tracker.cli.context import Context
from tracker.cli.flags import parse_arguments
from tracker.cli.online_settings import open_folder
from tracker.cli.schema import argument, flag_only

_SUMMARY = """\
Go back to the embedder that was live before. The one that is left is never made live again; a tracker that runs takes
the change over between two frames."""
_EXAMPLES = "  reidtrack online rollback site --reason 'two people were taken for one'"


@dataclass(frozen=True, slots=True)
class RollbackSettings:
    """Settings of `reidtrack online rollback`."""

    folder: Path = field(metadata=argument("DIR"))
    """The online folder."""
    reason: str = field(default="asked for", metadata=flag_only("TEXT"))
    """Why, for the history."""


def run(argv: Sequence[str], context: Context) -> int:
    """Roll back."""
    settings = parse_arguments(RollbackSettings, argv, command="online rollback", summary=_SUMMARY, examples=_EXAMPLES)
    folder = open_folder(settings.folder)
    from reid.online.registry import ModelRegistry

    registry = ModelRegistry(folder)
    left = registry.current().number
    context.result(f"model {registry.roll_back(settings.reason, number=left)} is live in the place of {left}")
    return 0

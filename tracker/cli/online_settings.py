"""What the sub-commands of `reidtrack online` have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tracker.cli.context import Context
from tracker.cli.errors import UsageError
from tracker.cli.flags import parse_arguments
from tracker.cli.progress import counted
from tracker.cli.schema import argument

if TYPE_CHECKING:
    from reid.online import OnlineFolder
    from reid.online.ledger import HourTotal
    from reid.online.registry_state import Quarantined


@dataclass(frozen=True, slots=True)
class FolderSettings:
    """A command that needs nothing but the folder."""

    folder: Path = field(metadata=argument("DIR"))
    """The online folder."""


def open_folder(path: Path) -> OnlineFolder:
    """The online folder at a path.

    Raises:
        UsageError: there is none, or it is damaged or of a later version.
    """
    from reid.errors import DataError
    from reid.online import OnlineFolder

    try:
        return OnlineFolder.open(path)
    except DataError as error:
        raise UsageError(str(error)) from error


def left_out(bad: Quarantined, totals: Sequence[HourTotal]) -> dict[str, int]:
    """How many crops, of how many hours of a camera, are not learned from since a model was rolled back from."""
    from reid.online.setting_aside import hours_left_out_for

    hours = hours_left_out_for([bad], {total.hour for total in totals})
    found = [total.size.crops for total in totals if total.hour in hours]
    return {"crops": sum(found), "hours": len(found)}


def crops_in_words(left: Mapping[str, int]) -> str:
    """What `left_out` found: `800 crops of 20 hours`."""
    return f"{counted(left['crops'], 'crop')} of {counted(left['hours'], 'hour')}"


def switch(argv: Sequence[str], context: Context, *, command: str, summary: str, paused: bool) -> int:
    """Run `pause` or `resume`: whether it learns is noted in the folder and in its history."""
    command = f"online {command}"
    examples = f"  reidtrack {command} site"
    settings = parse_arguments(FolderSettings, argv, command=command, summary=summary, examples=examples)
    said = "paused" if paused else "resumed"
    folder = open_folder(settings.folder)
    folder.change_state(lambda state: {**state, "paused": paused})
    folder.history.append(said)
    context.result(said)
    return 0

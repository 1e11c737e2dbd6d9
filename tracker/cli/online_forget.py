"""`reidtrack online forget`: what was harvested of somebody is deleted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tracker.cli.context import Context
from tracker.cli.errors import UsageError
from tracker.cli.flags import parse_arguments
from tracker.cli.online_settings import open_folder
from tracker.cli.progress import counted
from tracker.cli.schema import argument, flag_only

_SUMMARY = """\
Delete every crop and record that was harvested of somebody, by the number under which the tracker reported them, and
every burst of detections in which they appear. A tracker that runs forgets them within a second or two. Numbers under
which the same tracklets were reported before a correction go with it.
Numbers begin anew with each start of a tracker: without --session the last start is meant, whether it still runs or
not, and never an earlier one. What an embedder learned from those crops stays in its weights."""
_EXAMPLES = """\
  reidtrack online forget site 17
  reidtrack online forget site 17 --camera door --session all"""


@dataclass(frozen=True, slots=True)
class ForgetSettings:
    """Settings of `reidtrack online forget`."""

    folder: Path = field(metadata=argument("DIR"))
    """The online folder."""
    identity: int = field(metadata=argument("NUMBER"))
    """The number of the identity."""
    camera: str | None = field(default=None, metadata=flag_only("TEXT"))
    """Name of the source; needed where there are several."""
    session: str | None = field(default=None, metadata=flag_only("TEXT"))
    """Which start of the tracker, or `all`; the last one where it is not given."""


def run(argv: Sequence[str], context: Context) -> int:
    """Forget somebody."""
    settings = parse_arguments(ForgetSettings, argv, command="online forget", summary=_SUMMARY, examples=_EXAMPLES)
    folder = open_folder(settings.folder)
    from reid.errors import InputError
    from reid.online import forget
    from reid.online.meant import ALL

    try:
        gone = forget(folder, settings.identity, camera=settings.camera, session=settings.session)
    except InputError as error:
        raise UsageError(str(error)) from error
    if not gone.sessions:
        where = {None: "the last start of the tracker", ALL: "any session"}.get(
            settings.session, f"session {settings.session}"
        )
        context.result(f"nothing was harvested of {settings.identity} in {where}")
    else:
        context.result(
            f"deleted {counted(gone.size.crops, 'crop')} of {counted(gone.size.tracklets, 'tracklet')} and "
            f"{counted(gone.bursts, 'burst')} of detections, of session {', '.join(gone.sessions)}"
        )
    if gone.also:
        context.result(
            f"{', '.join(map(str, gone.also))} went with it: one of these tracklets was reported under that, too"
        )
    if gone.told:
        context.result("the tracker that runs is told to forget the number")
    if gone.elsewhere:
        context.result(
            f"the number is also in session {', '.join(gone.elsewhere)}: likely somebody else, left alone; --session "
            "names whom you mean"
        )
    return int(not (gone.sessions or gone.told))

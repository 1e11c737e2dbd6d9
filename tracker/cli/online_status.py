"""`reidtrack online status`: how an online folder stands."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracker.cli.context import Context
from tracker.cli.flags import parse_arguments
from tracker.cli.online_settings import crops_in_words, left_out, open_folder
from tracker.cli.schema import argument, flag_only

if TYPE_CHECKING:
    from reid.online import OnlineFolder

_SUMMARY = """\
Say which embedder is live, what is harvested, whether it harvests and learns, how far a round is, when the next one is
due, and what happened last."""
_EXAMPLES = """\
  reidtrack online status site
  reidtrack online status site --json"""


@dataclass(frozen=True, slots=True)
class StatusSettings:
    """Settings of `reidtrack online status`."""

    folder: Path = field(metadata=argument("DIR"))
    """The online folder."""
    json: bool = field(default=False, metadata=flag_only())
    """All of it as one JSON object."""


def run(argv: Sequence[str], context: Context) -> int:
    """Print the state of a folder."""
    settings = parse_arguments(StatusSettings, argv, command="online status", summary=_SUMMARY, examples=_EXAMPLES)
    said = _state(open_folder(settings.folder))
    if settings.json:
        context.result(json.dumps(said))
        return 0
    for line in _lines(said):
        context.result(line)
    return 0


def _state(folder: OnlineFolder) -> dict[str, Any]:
    """How a folder stands, as JSON can say it."""
    from reid.locking import is_locked
    from reid.online import harvest_totals
    from reid.online.burst_store import burst_totals
    from reid.online.learning import learning_of
    from reid.online.locks import holder_of
    from reid.online.news import doubt_of, harvest_waits, put_off_of
    from reid.online.registry import ModelRegistry
    from reid.online.sweeping import overdue

    registry = ModelRegistry(folder, repair=False)
    live, totals, events = registry.current(), harvest_totals(folder), folder.history.read()
    learning = learning_of(folder, registry, totals)
    harvest: dict[str, dict[str, int]] = {}
    for total in totals:
        sums = harvest.setdefault(total.camera, {"crops": 0, "tracklets": 0, "disk_bytes": 0, "hours": 0})
        for name, value in (asdict(total.size) | {"hours": 1}).items():
            sums[name] += value
    locks = {"tracker": folder.tracker_lock, "worker": folder.worker_lock}
    at_work = {kind: holder_of(lock) for kind, lock in locks.items() if is_locked(lock)}
    return {
        "live": {"number": live.number, "sha256": live.sha256, "since_unix_s": live.since_unix_s},
        "doubt": doubt_of(live.number, events),
        "put_off": put_off_of(live.number, events),
        "begun_with": folder.base.name,
        "rolled_back": [
            {"number": bad.number, "reason": bad.reason, "left_out": left_out(bad, totals)}
            for bad in registry.quarantined
        ],
        "harvest": harvest,
        "harvest_waits": harvest_waits(events) if "tracker" in at_work else None,
        "bursts": {
            kept.camera: {"bursts": kept.bursts, "disk_bytes": kept.disk_bytes} for kept in burst_totals(folder)
        },
        "overdue": [str(path.relative_to(folder.path)) for path in overdue(folder, time.time())],
        "at_work": at_work,
        "learning": asdict(learning) | {"missing_crops": learning.missing_crops, "in_words": str(learning)},
        "last": events[-1] if events else None,
    }


def _and_more(others: int) -> str:
    return f" and {others} more" if others else ""


def _lines(said: dict[str, Any]) -> list[str]:
    """The same for people."""
    from tracker.cli.online_history import said as told

    live, learning = said["live"], said["learning"]
    since = time.strftime("%Y-%m-%d %H:%M", time.gmtime(live["since_unix_s"]))
    lines = [
        f"live: model {live['number']} ({live['sha256'][:12]}), since {since} UTC; begun with {said['begun_with']}"
    ]
    if said["put_off"] is not None:
        lines.append(f"not used yet: {said['put_off']}")
    if said["doubt"] is not None:
        lines.append(f"beware: {said['doubt']}")
    for bad in said["rolled_back"]:
        lines.append(f"rolled back: model {bad['number']}: {bad['reason']}")
        if bad["left_out"]["crops"]:
            lines.append(f"left out of learning, since it learned from them first: {crops_in_words(bad['left_out'])}")
    lines += [
        f"harvest of {camera}: {size['crops']} crops of {size['tracklets']} tracklets in {size['hours']} hours, "
        f"{size['disk_bytes'] / 1e6:.1f} MB"
        for camera, size in said["harvest"].items()
    ] or ["nothing is harvested yet"]
    if said["harvest_waits"] is not None:
        lines.append(f"harvesting waits: {said['harvest_waits']}")
    lines += [
        f"detections of {camera}: {kept['bursts']} bursts, {kept['disk_bytes'] / 1e6:.1f} MB"
        for camera, kept in said["bursts"].items()
    ]
    if said["overdue"]:
        lines.append(
            f"kept for too long: {said['overdue'][0]}{_and_more(len(said['overdue']) - 1)}; a tracker or a worker "
            "deletes what it may, and says why where it may not"
        )
    lines += [f"{kind} at work: {holder}" for kind, holder in said["at_work"].items()]
    lines.append(f"learning: {learning['in_words']}; {learning['rounds']} rounds so far")
    if said["last"] is not None:
        lines.append(f"last: {told(said['last'])}")
    return lines

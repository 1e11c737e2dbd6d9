"""How much is harvested, by camera and hour: known without looking at every crop again."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from reid.atomic import discard_draft
from reid.errors import DataError
from reid.online.files import delete_each, read_json, write_json
from reid.online.folder import OnlineFolder
from reid.online.hours import HOUR_S, hour_begin
from reid.tracklets import StoreSize, is_tracklet_store, measure_tracklets, remove_tracklets, tidy_tracklets
from reid.tracklets.records import RECORDS
from reid.tracklets.tidying import BLOCK_BYTES, weigh_tracklets

_logger = logging.getLogger(__name__)
_SAVED = "totals.json"
_FOLDERS_BYTES = 2 * BLOCK_BYTES
"""Of an hour's own folder, and of the one in it that holds its pictures: with a small cap they count."""

Key: TypeAlias = tuple[str, str]
"""Folders of the camera and of the hour."""
Stamp: TypeAlias = tuple[int, int, int, bool]
"""Of a file of records: which, how long, last changed in ns, and whether one may change it: that leaves no trace."""


@dataclass(frozen=True, slots=True)
class HourTotal:
    """What was harvested from one camera in one hour."""

    camera: str
    """Folder of the camera."""
    hour: str
    """Hour of UTC, such as `20260131-09`."""
    size: StoreSize
    """How much that is."""


@dataclass(slots=True)
class Hour:
    """What is known of the store of an hour."""

    size: StoreSize
    stamp: Stamp | None = None
    """Of the records that were measured, or could not be; None while they are being written."""
    ahead_since_unix_s: float | None = None
    """Since when it has been dated in the future, as a clock that was wrong leaves it."""
    readable: bool = True
    """Whether it can be put in order; where it cannot, its size is what lies on the disk, of no crops."""


def harvest_totals(folder: OnlineFolder) -> tuple[HourTotal, ...]:
    """How much is harvested, by camera and hour; changes nothing, so that a tracker may be at work.

    Raises:
        OSError: something cannot be read.
    """
    ledger = Ledger(folder.harvest)
    ledger.refresh(tidy=False)
    return ledger.totals()


class Ledger:
    """The sizes of all hours; `refresh` takes in what changed.

    Sizes are kept in a file beside the hours, with a stamp of the records that they are true of: after a restart only
    hours that changed since, such as the one in which a process was killed, are looked through and put in order.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self.hours: dict[Key, Hour] = {}
        self._last_saved: dict[str, Any] = {}

    @property
    def disk_bytes(self) -> int:
        """What all take on the disk."""
        return sum(hour.size.disk_bytes + _FOLDERS_BYTES for hour in self.hours.values())

    def path(self, key: Key) -> Path:
        """Folder of an hour's store."""
        return self._root / key[0] / key[1]

    def totals(self) -> tuple[HourTotal, ...]:
        """What is known, by camera and hour."""
        return tuple(HourTotal(*key, self.hours[key].size) for key in sorted(self.hours))

    def refresh(self, *, skip: Key | None = None, tidy: bool = True) -> None:
        """Look for hours that came, changed or went; all but `skip`, which the caller is writing.

        Raises:
            OSError: a folder cannot be read or written.
        """
        known = self.hours or self._saved()
        if tidy and not self.hours:  # at the start: this version may read what another one could not
            for hour in known.values():
                hour.stamp = hour.stamp if hour.readable else None
        self.hours = {key: known[key] for key in known if key == skip}
        for key in hour_folders(self._root):
            if key != skip:
                last = known.get(key)
                stamp = _stamp(self.path(key))
                if last is None or stamp is None or last.stamp != stamp:
                    last = self._look(key, stamp, tidy, last)
                if last is not None:
                    self.hours[key] = last

    def settle(self, key: Key, size: StoreSize) -> None:
        """Take down what an hour holds that nobody is writing now."""
        old = self.hours.get(key)
        self.hours[key] = Hour(size, _stamp(self.path(key)), None if old is None else old.ahead_since_unix_s)

    def remove(self, key: Key) -> None:
        """Delete an hour: its records first, so that a reader finds none, or all that they speak of.

        Raises:
            DataError: another process writes it.
            OSError: a file cannot be deleted.
        """
        path = self.path(key)
        remove_tracklets(path)
        discard_draft(path / RECORDS)
        for folder in (path, path.parent):
            with contextlib.suppress(OSError):  # somebody's files are in it, or other hours
                folder.rmdir()
        self.hours.pop(key, None)

    def expired(self, now_unix_s: float, keep_s: float) -> list[Key]:
        """Hours that were kept for longer than `keep_s`, those first that are oldest; none where it is -inf.

        An hour in the future was dated by a clock that was wrong: it is kept for as long, from when that was noticed.
        """
        found: list[Key] = []
        if now_unix_s == -math.inf:
            return found
        for key, hour in sorted(self.hours.items(), key=lambda item: item[0][1]):
            begin = hour_begin(key[1]) or 0.0
            if begin <= now_unix_s:
                hour.ahead_since_unix_s = None
            elif hour.ahead_since_unix_s is None or hour.ahead_since_unix_s > now_unix_s:
                hour.ahead_since_unix_s = now_unix_s
            since = begin + HOUR_S if hour.ahead_since_unix_s is None else hour.ahead_since_unix_s
            if since + keep_s < now_unix_s:
                found.append(key)
        return found

    def expire(self, now_unix_s: float, keep_s: float) -> None:
        """Delete hours that were kept for longer than `keep_s`, but for those that somebody writes.

        Raises:
            OSError: a file cannot be deleted; the other hours are deleted all the same.
        """

        def delete(key: Key) -> None:
            with contextlib.suppress(DataError):
                self.remove(key)

        delete_each(delete, self.expired(now_unix_s, keep_s))

    def unreadable(self) -> list[Key]:
        """Hours that nobody can learn from or thin, those first that are oldest."""
        return sorted((key for key, hour in self.hours.items() if not hour.readable), key=lambda key: (key[1], key[0]))

    def save(self) -> None:
        """Remember the sizes for the next start.

        Raises:
            OSError: they cannot be written; the next start then looks for itself.
        """
        hours: dict[str, Any] = {
            "/".join(key): {
                "size": dataclasses.astuple(h.size),
                "stamp": h.stamp,
                "ahead_since": h.ahead_since_unix_s,
                "readable": h.readable,
            }
            for key, h in self.hours.items()
            if h.stamp is not None
        }
        if hours != self._last_saved and self._root.is_dir():
            write_json(self._root / _SAVED, {"hours": hours})
            self._last_saved = hours

    def _saved(self) -> dict[Key, Hour]:
        hours: dict[Key, Hour] = {}
        with contextlib.suppress(DataError, KeyError, TypeError, ValueError, AttributeError):
            saved: Any = read_json(self._root / _SAVED) or {"hours": {}}
            for name, entry in saved["hours"].items():
                camera, hour = name.split("/")
                ino, length, changed, ours = entry["stamp"]
                stamp = int(ino), int(length), int(changed), bool(ours)
                ahead = None if entry["ahead_since"] is None else float(entry["ahead_since"])
                size, readable = StoreSize(*map(int, entry["size"])), bool(entry["readable"])
                hours[camera, hour] = Hour(size, stamp, ahead, readable)
        return hours

    def _look(self, key: Key, stamp: Stamp | None, tidy: bool, last: Hour | None) -> Hour | None:
        """Measure an hour, after putting it in order where that is wanted and nobody writes it."""
        path, ahead_since_unix_s = self.path(key), None if last is None else last.ahead_since_unix_s
        try:
            if not is_tracklet_store(path):
                if tidy:  # it was being removed when a process was killed
                    self.remove(key)
                return None
            if tidy:
                with contextlib.suppress(DataError):
                    size, _ = tidy_tracklets(path)
                    return Hour(size, _stamp(path), ahead_since_unix_s)
            return Hour(measure_tracklets(path), None, ahead_since_unix_s)
        except FileNotFoundError:  # deleted meanwhile
            return None
        except (DataError, PermissionError) as error:
            if tidy and (last is None or last.readable or last.stamp != stamp):  # else it is said, or is elsewhere
                _logger.warning("%s; it is left alone until it was kept for long enough, or there is no room", error)
            return Hour(StoreSize(disk_bytes=weigh_tracklets(path)), stamp, ahead_since_unix_s, readable=False)


def hour_folders(root: Path) -> list[Key]:
    """Every hour's folder, by camera and hour."""
    return [
        (camera.name, hour.name)
        for camera in _folders(root)
        for hour in _folders(camera)
        if hour_begin(hour.name) is not None
    ]


def _folders(path: Path) -> list[Path]:
    try:
        return sorted(entry for entry in path.iterdir() if entry.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _stamp(path: Path) -> Stamp | None:
    """Of the records of an hour; None where there are none, or where one may not even ask."""
    try:
        found = (path / RECORDS).stat()
    except (FileNotFoundError, PermissionError):
        return None
    ours = os.access(path, os.W_OK) and os.access(path / RECORDS, os.R_OK | os.W_OK)
    return found.st_ino, found.st_size, found.st_mtime_ns, ours

"""The bounded store of a harvest: one tracklet store a camera and hour, never more than a number of bytes."""

from __future__ import annotations

import contextlib
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from reid.checks import check_number, check_whole
from reid.errors import DataError
from reid.locking import is_locked
from reid.online.files import Undeleted, check_free, delete_each
from reid.online.folder import OnlineFolder
from reid.online.hours import DAY_S, camera_folder, hour_name
from reid.online.ledger import HourTotal, Key, Ledger
from reid.online.proven_clock import note_hour, noted_unix_s
from reid.online.sheaf import Sheaf, Stretch
from reid.online.starts import note_start
from reid.online.thinning import thin
from reid.tracklets import StoreSize, TrackletWriter, is_tracklet_store, tidy_tracklets
from reid.tracklets.records import RECORDS
from reid.tracklets.tidying import BLOCK_BYTES, Record, on_disk

_logger = logging.getLogger(__name__)
_MB = 1_000_000
_FULL, _ROOMY = 0.99, 0.98
"""Room is made once so much of the cap is taken, until no more than so much is."""
_SHARE = 4
"""At most one part in so many of an hour goes before the next one is looked at: neighbours shrink alike."""


@dataclass(frozen=True, slots=True)
class HarvestStoreConfig:
    """How much of a harvest is kept, and for how long."""

    most_mb: int = 2000
    """Megabytes on the disk for the harvest of all cameras. Beyond it hours go that cannot be read, the oldest first,
    and then crops: from the camera that has most, there from the hour that has most, there from the longest tracklets,
    evenly in time."""
    keep_days: float = 30.0
    """Days after which an hour's harvest is deleted."""
    few_crops: int = 4
    """Crops that a tracklet keeps as long as others of its hour have more; after that whole tracklets go."""
    least_free_mb: int = 500
    """Megabytes that stay free on the disk, whoever fills it: below, harvesting pauses."""
    jpeg_quality: int = 92
    """Quality of the stored crops, 1..100."""
    seed: int = 0
    """Of the chance by which crops go."""

    def __post_init__(self) -> None:
        for name, least in (("most_mb", 1), ("few_crops", 1), ("least_free_mb", 0)):
            check_whole(name, getattr(self, name), least)
        check_number("keep_days", self.keep_days, above=0, finite=False)
        check_whole("jpeg_quality", self.jpeg_quality, 1, 100)


def new_session(now_unix_s: float) -> str:
    """What tells a start of a tracker from all others, made from time and chance."""
    return f"{hour_name(now_unix_s)}-{secrets.token_hex(4)}"


class HarvestStore:
    """Writes the harvest of one camera, and bounds the harvest of all.

    `open` it before use. Whatever ends the process, the next `open` finds stores that read, and puts in order what was
    half done. All methods are for one thread at a time, and may raise OSError; after one call `rest`, and `open` again
    when the disk may have recovered.

    Args:
        folder: where, `harvest/<camera>/<hour>/`; the caller holds its `lock_tracker`.
        config: see `HarvestStoreConfig`.
        camera: name of the source; never holds a password.
        rate_hz: frames a second of the source, above 0; None where unknown.
        session: what tells this start of the tracker from others, since identities are numbered anew with each; made
            from time and chance where it is None.
        clock: seconds since 1970.

    Raises:
        InputError: the rate is not finite and above 0.
    """

    def __init__(
        self,
        folder: OnlineFolder,
        config: HarvestStoreConfig | None = None,
        *,
        camera: str,
        rate_hz: float | None = None,
        session: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.folder = folder
        self.config = config or HarvestStoreConfig()
        self.camera = camera
        self.session = session or new_session(clock())
        self._rate_hz = None if rate_hz is None else float(rate_hz)
        if self._rate_hz is not None:
            check_number("rate_hz", self._rate_hz, above=0)
        self._clock = clock
        self.before_unix_s = noted_unix_s(folder.clock)
        """The hour that the clock said last in the run before; -inf where nobody knows."""
        self._noted = ""
        self._rng = np.random.default_rng(self.config.seed)
        self._ledger = Ledger(folder.harvest)
        self._undeleted = Undeleted()
        self._writer: TrackletWriter | None = None
        self._stretch: Stretch | None = None
        self._key: Key = (camera_folder(camera), "")
        self._numbers: dict[int, int] = {}  # tracklet by piece of the stretch
        self._filled: set[int] = set()  # tracklets of this hour that have a crop
        self._next = 1
        self._crops = 0  # of this hour, by this store

    def open(self) -> None:
        """Take in what is there, and put in order what a killed process left."""
        self.folder.harvest.mkdir(exist_ok=True)
        note_start(self.folder, self._key[0], self.session)
        self._ledger.refresh()

    def add(self, sheaf: Sheaf) -> None:
        """Store what a frame gave.

        Raises:
            DataError: the hour's store is being written by another process, or of a later version.
            OSError: it cannot be written, or the disk is about to be full.
        """
        check_free(self.folder.path, self.config.least_free_mb)
        if self._ledger.disk_bytes > self.config.most_mb * _MB:  # there was no room to be made
            self._make_room()
        writer = self._enter(sheaf.stretch)
        added, begun, records = 0, len(self._filled), self._record_bytes()
        for row, crop in enumerate(sheaf.crops):
            number = self._number(int(sheaf.pieces[row]))
            added += on_disk(
                writer.add_crop(
                    number,
                    crop,
                    identity=int(sheaf.identities[row]),
                    frame=sheaf.frame,
                    time_s=sheaf.time_s,
                    box=sheaf.boxes[row],
                    score=float(sheaf.scores[row]),
                    covered=float(sheaf.covered[row]),
                    class_number=int(sheaf.classes[row]),
                )
            )
            self._filled.add(number)
        pairs = [[self._number(piece) for piece in pair] for pair in sheaf.together.tolist()]
        writer.together(np.array(pairs, np.int64).reshape(-1, 2), frame=sheaf.frame)
        for piece, since_s in sheaf.doubts.items():
            if piece in self._numbers:
                writer.doubt(self._numbers[piece], since_s=since_s)
        writer.commit()
        begun = len(self._filled) - begun
        added += begun * BLOCK_BYTES + on_disk(self._record_bytes()) - on_disk(records)
        self._ledger.hours[self._key].size += StoreSize(len(sheaf.crops), begun, added)
        self._crops += len(sheaf.crops)
        if self._ledger.disk_bytes > _FULL * self.config.most_mb * _MB:
            self._make_room()

    def sweep(self, now_s: float | None = None) -> None:
        """Delete what was kept for long enough, and finish an hour that is over; call it now and then.

        What other stores wrote into the folder meanwhile is taken in. `now_s` is until when time has passed for
        certain, see `ProvenClock`; None believes the clock. What cannot be deleted stays, see `undeleted`.
        """
        if self._writer is not None and self._key[1] != hour_name(self._clock()):
            self.rest()
        self._ledger.refresh(skip=None if self._writer is None else self._key)
        with self._undeleted.noted():
            self._ledger.expire(self._clock() if now_s is None else now_s, self.config.keep_days * DAY_S)
        self._ledger.save()
        self._note_hour()

    def rest(self) -> None:
        """Finish the hour that is being written; the next `add` goes on with it, or begins another."""
        writer, self._writer, self._stretch = self._writer, None, None
        if writer is None:
            return
        crops, self._crops = self._crops, 0
        writer.close()
        with contextlib.suppress(DataError):  # another process took it up already
            self._ledger.settle(self._key, tidy_tracklets(writer.folder)[0])
        if crops:
            with contextlib.suppress(OSError, DataError):  # a full disk is told elsewhere
                self.folder.history.append("harvested", camera=self.camera, hour=self._key[1], crops=crops)

    def is_wanted(self) -> bool:
        """Whether somebody waits for this store to `rest`, who is going to change what was harvested."""
        return is_locked(self.folder.harvest_lock)

    def close(self) -> None:
        """Finish all; harmless more than once."""
        self.rest()
        self._ledger.save()
        self._note_hour()

    def totals(self) -> tuple[HourTotal, ...]:
        """How much is stored, by camera and hour."""
        return self._ledger.totals()

    @property
    def disk_bytes(self) -> int:
        """What the harvest of all cameras takes on the disk."""
        return self._ledger.disk_bytes

    @property
    def undeleted(self) -> str | None:
        """Why an hour is still there that is too old; None where none is."""
        return self._undeleted.why

    def _note_hour(self) -> None:
        """Leave to the next run what the clock says, and to a worker how long all is kept."""
        hour = hour_name(self._clock())
        if hour != self._noted:
            with contextlib.suppress(OSError):  # that run has to prove its clock by itself
                note_hour(self.folder.clock, hour, self.config.keep_days)
                self._noted = hour

    def _enter(self, stretch: Stretch) -> TrackletWriter:
        """The writer of a stretch's hour, with a run of its own for each stretch."""
        if self._writer is None or stretch != self._stretch:
            key = (self._key[0], stretch.hour)
            if self._writer is None or key != self._key:
                self.rest()
                self._begin_hour(key)
            assert self._writer is not None
            self._writer.begin_run(
                self.camera, rate_hz=self._rate_hz, began_unix_s=stretch.began_unix_s, session=self.session
            )
            self._stretch, self._numbers = stretch, {}
        return self._writer

    def _begin_hour(self, key: Key) -> None:
        path = self._ledger.path(key)
        size = tidy_tracklets(path)[0] if is_tracklet_store(path) else StoreSize()
        self._writer = TrackletWriter(path, append=True, jpeg_quality=self.config.jpeg_quality)
        self._key, self._next, self._filled = key, self._writer.next_tracklet, set()
        self._ledger.settle(key, size)
        self._ledger.hours[key].stamp = None

    def _number(self, piece: int) -> int:
        """The tracklet of a piece."""
        if piece not in self._numbers:
            self._numbers[piece] = self._next
            self._next += 1
        return self._numbers[piece]

    def _record_bytes(self) -> int:
        return (self._ledger.path(self._key) / RECORDS).stat().st_size

    def _make_room(self) -> None:
        """Delete hours that nobody can read, and thin the largest of the largest cameras, until there is room again.

        Raises:
            OSError: there is no room, since something cannot be deleted; or the hour that is written cannot be thinned.
        """
        room, stays = int(_ROOMY * self.config.most_mb * _MB), None
        self._ledger.refresh(skip=self._key)
        unreadable = self._ledger.unreadable()
        try:
            delete_each(self._let_go, (key for key in unreadable if self._ledger.disk_bytes > room))
        except OSError as error:
            stays = error
            if sum(self._ledger.hours[key].size.disk_bytes for key in self._ledger.unreadable()) > room:
                raise  # whatever else went for it would go in vain
        tried = set(unreadable)
        while (excess := self._ledger.disk_bytes - room) > 0:
            hours = {key: hour.size.disk_bytes for key, hour in self._ledger.hours.items() if key not in tried}
            if not hours:
                break
            cameras: dict[str, int] = {}
            for (camera, _), taken in hours.items():
                cameras[camera] = cameras.get(camera, 0) + taken
            most = max(cameras, key=lambda camera: (cameras[camera], camera))
            key = max((key for key in hours if key[0] == most), key=lambda key: (hours[key], key))
            try:
                thinned = self._thin(key, min(excess, max(hours[key] // _SHARE, BLOCK_BYTES)))
            except OSError as error:
                if key == self._key:
                    raise
                thinned, stays = False, error
            if not thinned:
                tried.add(key)
        self._ledger.save()
        if stays is not None and self._ledger.disk_bytes > self.config.most_mb * _MB:
            raise stays

    def _let_go(self, key: Key) -> None:
        """Delete an hour that nobody can read: it is of no use, and there is no part of it that could stay."""
        with contextlib.suppress(DataError):  # somebody writes it
            self._ledger.remove(key)
            _logger.warning("%s is deleted to make room: it cannot be read", self._ledger.path(key))

    def _thin(self, key: Key, excess: int) -> bool:
        """Take at least so many bytes out of an hour; False where nothing can be taken."""
        writing = None
        if key == self._key:
            writing, self._writer = self._writer, None  # without one until all went well
        if writing is not None:
            writing.close()
        left: set[int] = set()

        def select(crops: list[Record], _: Mapping[int, Record]) -> list[Record]:
            tracklet = np.array([crop["tracklet"] for crop in crops], np.int64)
            time_s = np.array([crop["time_s"] for crop in crops], np.float64)
            sizes = np.array([on_disk(crop["bytes"]) for crop in crops], np.int64)
            keep = thin(tracklet, time_s, sizes, excess, few=self.config.few_crops, rng=self._rng)
            left.update(tracklet[keep].tolist())
            return [crop for crop, kept in zip(crops, keep.tolist(), strict=True) if kept]

        path = self._ledger.path(key)
        try:
            size, dropped = tidy_tracklets(path, select)
        except DataError:  # another process writes it
            return False
        self._ledger.settle(key, size)
        if writing is not None:
            # pieces keep their tracklets, and the run goes on
            self._writer = TrackletWriter(path, append=True, jpeg_quality=self.config.jpeg_quality)
            self._filled = left
            self._ledger.hours[key].stamp = None
        elif not size.crops:
            self._ledger.remove(key)
        return dropped.crops > 0

"""Harvests crops to learn from while any tracker runs: what is certain of them, and nothing else."""

from __future__ import annotations

import contextlib
import logging
import operator
import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid.errors import InputError
from reid.online.harvest_config import HarvestConfig
from reid.online.harvest_store import HarvestStore
from reid.online.harvest_writer import HarvestCounts, HarvestWriter
from reid.online.hours import hour_name
from reid.online.ledger import HourTotal
from reid.online.pieces import HarvestPieces
from reid.online.proven_clock import CLOCK_STEP_S
from reid.online.sheaf import Sheaf, Stretch
from reid.online.sightings import Sightings, check_picture, checked_time
from reid.tracklets.spacing import TIME_SLACK_S

_logger = logging.getLogger(__name__)
_SLOW = 10
"""Frames in a row that come too rarely, and are no mere stall of the source."""


class Harvester:
    """Watches a tracker and keeps crops of what it follows.

    `observe` copies the crops that are due, and returns; a thread of its own writes them. A disk that fails pauses the
    harvest and never the tracker: see `failure` and `counts`.

    Args:
        store: where; not to be used by others until `close`.
        config: see `HarvestConfig`.
        wall: seconds since 1970.
        steady: a clock in seconds that never steps.
    """

    def __init__(
        self,
        store: HarvestStore,
        config: HarvestConfig | None = None,
        *,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config = config or HarvestConfig()
        self._wall, self._steady = wall, steady
        self._writer = HarvestWriter(store, self.config, wall=wall, steady=steady)
        self._frame = 0
        self._stretch: Stretch | None = None
        self._stretches = 0
        self._ahead_s = 0.0  # of the wall clock, of the steady one
        self._last_s = -np.inf
        self._slow = 0  # frames in a row that came further apart than tracks may be unseen
        self._pieces = HarvestPieces(self.config)

    @property
    def counts(self) -> HarvestCounts:
        """What became of crops so far."""
        return self._writer.counts

    @property
    def failure(self) -> str | None:
        """Why harvesting waits; None while all is well."""
        return self._writer.failure

    @property
    def undeleted(self) -> str | None:
        """Why something is still there that is too old; None where nothing is."""
        return self._writer.undeleted

    @property
    def totals(self) -> tuple[HourTotal, ...]:
        """How much is stored, by camera and hour, a moment ago."""
        return self._writer.totals

    def observe(
        self,
        image: NDArray[np.uint8],
        *,
        ids: ArrayLike,
        boxes: ArrayLike,
        scores: ArrayLike,
        time_s: float,
        seen: ArrayLike | None = None,
        covered: ArrayLike | None = None,
        classes: ArrayLike | None = None,
        frame: int | None = None,
        renamed: Mapping[int, int] | None = None,
        broken: Iterable[int] = (),
        doubted: Mapping[int, float] | None = None,
    ) -> int:
        """Take in what a tracker says of one frame; returns how many crops were taken.

        Call it with every frame, also where nobody is seen: a track that is cut late is cut in the wrong place.
        A track that was found again by appearance alone must be told as `broken`, else the harvest would teach an
        embedder what it believes already.

        Args:
            image: (H, W, 3) uint8 BGR; may be changed after the call.
            ids: (M,) numbers of the tracks, each once.
            boxes: (M, 4) `x1, y1, x2, y2` in pixels.
            scores: (M,) of the detector or tracker, 0..1.
            time_s: seconds since the source began. Where it goes back, all tracks are cut.
            seen: (M,) bool, False where the position is predicted; None for all seen: then crops are taken of
                predictions, too.
            covered: (M,) share of each box that something hides, beside the other boxes; None where unknown.
            classes: (M,) of the objects; None for 0.
            frame: number of the frame, from 0 or 1; None to count calls from 1.
            renamed: tracks that go on, unbroken, under another number from this frame: new number by old.
            broken: numbers under which from this frame on another piece of track is reported than before.
            doubted: numbers whose piece so far turned out to show somebody else, and since when, in seconds of
                `time_s`: crops since then are taken back. They are broken, too.

        Raises:
            InputError: arrays do not fit each other, or something is not what it must be.
        """
        check_picture(image)
        sightings = Sightings.of(ids, boxes, scores, seen, covered, classes, image.shape)
        time_s = checked_time(time_s)
        doubted = {number: checked_time(since_s, "doubted") for number, since_s in (doubted or {}).items()}
        self._frame = self._frame + 1 if frame is None else _checked_frame(frame)
        self._take_back(doubted, time_s)
        self._look_at_pace(time_s)
        stretch = self._in_stretch(time_s)
        pieces = self._pieces.update(sightings, time_s, renamed=renamed or {}, broken={*broken, *doubted})
        due = self._pieces.due(sightings, pieces, time_s)
        together = self._pieces.told_now()
        if not len(due) and not len(together):
            return 0
        sheaf = Sheaf(
            stretch,
            self._frame,
            time_s,
            tuple(sightings.crop(image, row) for row in due.tolist()),
            pieces.tracklet[due],
            sightings.ids[due],
            sightings.boxes[due],
            sightings.scores[due],
            np.maximum(sightings.covered, pieces.covered)[due],
            sightings.classes[due],
            together,
        )
        if self._writer.put(sheaf):
            return len(due)
        self._pieces.untell(together)
        return 0

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until what was taken is written; whether that came in time."""
        return self._writer.flush(timeout_s)

    def close(self, timeout_s: float = 10.0) -> None:
        """Write what waits, and finish; harmless more than once."""
        self._writer.close(timeout_s)

    def __enter__(self) -> Harvester:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take_back(self, doubted: Mapping[int, float], time_s: float) -> None:
        """Hand over which pieces turned out to be of somebody else, of the stretch until now."""
        doubts = self._pieces.of_tracks(doubted)
        if doubts and self._stretch is not None:
            self._writer.put(Sheaf.of_doubts(self._stretch, self._frame, time_s, doubts))

    def _look_at_pace(self, time_s: float) -> None:
        """Say once, where it is so, that frames come too rarely for any track to go on from one to the next."""
        apart_s, longest_s = time_s - self._last_s, self.config.cut.longest_gap_s
        if self._slow < _SLOW:
            self._slow = self._slow + 1 if longest_s + TIME_SLACK_S < apart_s < np.inf else 0
            if self._slow == _SLOW:
                _logger.warning(
                    "hardly anything can be harvested: frames come %.2f s apart, and tracks are cut where they were "
                    "not seen for more than %g s (cut.longest_gap_s); have the detector see more frames",
                    apart_s, longest_s,
                )  # fmt: skip

    def _in_stretch(self, time_s: float) -> Stretch:
        """The stretch that a moment belongs to: a new one where the hour, a clock or the source begins anew."""
        now_s = self._wall()
        ahead_s, hour, old = now_s - self._steady(), hour_name(now_s), self._stretch
        began_s = now_s - time_s if old is None else old.began_unix_s
        if old is not None and time_s < self._last_s:
            self._pieces.forget()
            old, began_s = None, now_s - time_s
        elif old is not None and abs(ahead_s - self._ahead_s) > CLOCK_STEP_S:
            self._writer.clock_stepped()
            old, began_s = None, began_s + ahead_s - self._ahead_s
        self._last_s = time_s
        if old is None or old.hour != hour:
            self._ahead_s = ahead_s
            self._pieces.renew()
            self._stretches += 1
            self._stretch = Stretch(self._stretches, hour, began_s)
        assert self._stretch is not None
        return self._stretch


def _checked_frame(frame: int) -> int:
    with contextlib.suppress(TypeError):
        if (number := operator.index(frame)) >= 0:
            return number
    raise InputError(f"frame must be a whole number of at least 0, got {frame!r}")

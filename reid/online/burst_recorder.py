"""Records bursts of what a detector gives while any tracker runs, in a thread of its own."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid.data.pictures import Image, encode
from reid.embedder import crop_corners
from reid.errors import InputError, ReidError
from reid.online.burst import Burst, BurstInfo
from reid.online.burst_store import BurstStore
from reid.online.harvest_writer import at_most
from reid.online.sightings import check_picture, checked_ids, checked_time

_logger = logging.getLogger(__name__)
_LEAST_SEEN = 2
_TAIL_S = 5.0
"""For how long after the last frame numbers are taken down: whoever comes last has a number of his own by then, and
one that was wrong is mostly corrected: numbers are final after `tracker.settle_s`, a second less by default."""


@dataclass(slots=True, eq=False)
class _Recording:
    """A burst in the making; what the crops were is added by the thread that compresses them."""

    began_s: float
    info: BurstInfo
    identities: set[int] = field(default_factory=set)
    times: list[float] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    rows: list[NDArray[np.float64]] = field(default_factory=list)
    """Of each frame (n, 6): boxes, scores, classes."""
    jpegs: list[bytes] = field(default_factory=list)
    size_bytes: int = 0
    ended: bool = False
    """Whether it takes no more frames."""
    draft: Path | None = None

    def burst(self) -> Burst:
        """As it is kept."""
        rows = np.concatenate(self.rows)
        return Burst(
            replace(self.info, identities=tuple(sorted(self.identities))),
            np.array(self.times),
            np.cumsum([0, *self.counts]),
            rows[:, :4].astype(np.float32),
            rows[:, 4].astype(np.float32),
            rows[:, 5].astype(np.int64),
            self.jpegs,
        )


class BurstRecorder:
    """Keeps all that a detector gives for half a minute now and then, for `tracker.replay` or another tracker.

    `observe` copies crops while a burst is recorded, and returns. A disk that fails costs the burst, and never the
    tracking: see `failure`; the next burst tries again.

    Args:
        store: where bursts are kept.
        least_score: lowest score of a detection of which the crop is kept: those that the tracker embeds.
        tracker: settings of the tracker that runs, as JSON can say them; whoever replays begins with them.
    """

    def __init__(
        self,
        store: BurstStore,
        *,
        least_score: float = 0.5,
        tracker: Mapping[str, Any] | None = None,
    ) -> None:
        self.config = store.config
        self.bursts = 0
        """How many were kept so far."""
        self.failure: str | None = None
        """Why the last burst was not kept; None while all is well."""
        self._store, self._settings = store, dict(tracker or {})
        self._least_score = np.float32(least_score)
        self._recording: _Recording | None = None
        self._due_s = self._tidy_s = self._last_s = np.inf
        self._waiting_bytes, self._lock = 0, threading.Lock()
        self._jobs: SimpleQueue[tuple[_Recording | None, Callable[[], None]] | None] = SimpleQueue()
        self._jobs.put((None, store.open))
        self._thread = threading.Thread(target=self._work, name="reidtrack-bursts", daemon=True)
        self._thread.start()

    @property
    def undeleted(self) -> str | None:
        """Why a burst is still there that is too old or too much; None where none is."""
        return self._store.undeleted

    def observe(
        self,
        image: Image,
        *,
        boxes: ArrayLike,
        scores: ArrayLike,
        time_s: float,
        classes: ArrayLike | None = None,
        ids: ArrayLike = (),
    ) -> None:
        """Take in what a detector gave of one frame; call it with every frame that it saw.

        Args:
            image: (H, W, 3) uint8 BGR; may be changed after the call.
            boxes: (N, 4) `x1, y1, x2, y2` in pixels, all of them.
            scores: (N,) 0..1.
            time_s: seconds since the source began. Where it goes back, another source begins.
            classes: (N,) of the objects; None for 0.
            ids: (M,) numbers under which the tracker reports objects in this frame: whoever is forgotten by such a
                number, the bursts go in which it was reported.

        Raises:
            InputError: arrays do not fit each other, or something is not what it must be.
        """
        check_picture(image)
        rows, numbers, time_s = _checked(boxes, scores, classes), checked_ids(ids), checked_time(time_s)
        if time_s < self._last_s:  # also at the very beginning
            self._end(self._recording)
            self._due_s, self._tidy_s = time_s + self.config.first_s, time_s
        self._last_s = time_s
        if time_s >= self._tidy_s:
            self._tidy_s = time_s + self.config.every_s
            self._jobs.put((None, self._store.tidy))
        enough = len(self._wanted(rows)) >= _LEAST_SEEN
        if self._recording is None and time_s >= self._due_s and enough:
            self._begin(time_s, image.shape)
        if self._recording is not None:
            self._take(self._recording, image, rows, time_s, numbers)

    def close(self, timeout_s: float = 10.0) -> None:
        """Keep the burst that is being recorded as it is, and finish; harmless more than once."""
        self._end(self._recording)
        self._jobs.put(None)
        self._thread.join(timeout_s)

    def __enter__(self) -> BurstRecorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _begin(self, time_s: float, shape: tuple[int, ...]) -> None:
        of = self._store
        info = BurstInfo(of.camera, of.session, of.clock(), (), (shape[1], shape[0]), self._settings)
        self._recording = recording = _Recording(time_s, info)
        self._due_s = time_s + self.config.every_s

        def begin() -> None:
            recording.draft = self._store.begin(info.began_unix_s)

        self._jobs.put((recording, begin))

    def _take(
        self, recording: _Recording, image: Image, rows: NDArray[np.float64], time_s: float, ids: NDArray[np.int64]
    ) -> None:
        """Take down one frame, or of those a moment later the numbers alone."""
        recording.ended |= time_s - recording.began_s >= self.config.length_s or recording.info.frame_size != (
            image.shape[1],
            image.shape[0],
        )
        if recording.ended and time_s - recording.times[-1] >= _TAIL_S:
            self._end(recording)
            return
        recording.identities.update(ids.tolist())
        if recording.ended:
            return
        wanted = self._wanted(rows)
        corners = crop_corners(rows[wanted, :4], image.shape[1], image.shape[0])
        size = int(np.prod(corners[:, 2:] - corners[:, :2], axis=1).sum()) * 3
        with self._lock:
            if recording.times and self._waiting_bytes + size > self.config.queue_mb << 20:
                recording.ended = True
                return
            self._waiting_bytes += size
        recording.times.append(time_s)
        recording.counts.append(len(rows))
        recording.rows.append(rows)
        crops = {
            row: image[y1:y2, x1:x2].copy()
            for row, (x1, y1, x2, y2) in zip(wanted.tolist(), corners.tolist(), strict=True)
        }
        self._jobs.put((recording, partial(self._compress, recording, len(rows), crops, size)))

    def _wanted(self, rows: NDArray[np.float64]) -> NDArray[np.int64]:
        """Rows of which the crop is kept: compared as a tracker compares its float32 scores, which differs at a tie."""
        return np.flatnonzero(rows[:, 4].astype(np.float32) >= self._least_score)

    def _end(self, recording: _Recording | None) -> None:
        """Have a burst kept, where it is long enough."""
        self._recording = None
        if recording is not None:
            long_enough = recording.times[-1] - recording.began_s >= self.config.least_s
            self._jobs.put((recording, partial(self._keep if long_enough else self._drop, recording)))

    # ---- in the thread -------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while (next_one := self._jobs.get()) is not None:
            recording, job = next_one
            try:
                job()
            except Exception as error:  # noqa: BLE001 - without this thread what waits would grow for ever
                self.failure = str(error) if isinstance(error, OSError | ReidError | cv2.error) else repr(error)
                _logger.warning("detections are not recorded, tracking goes on: %s", self.failure)
                if recording is not None:
                    self._drop(recording)

    def _compress(self, recording: _Recording, count: int, crops: Mapping[int, Image], size: int) -> None:
        with self._lock:
            self._waiting_bytes -= size
        if recording.draft is None:  # something failed
            return
        for row in range(count):
            crop = crops.get(row)
            jpeg = b"" if crop is None else encode(at_most(crop, self.config.most_side_px), self.config.jpeg_quality)
            recording.jpegs.append(jpeg)
            recording.size_bytes += len(jpeg)
        if recording.size_bytes > self.config.burst_mb * 1_000_000:
            recording.ended = True

    def _keep(self, recording: _Recording) -> None:
        if recording.draft is not None:
            self.bursts += self._store.keep(recording.draft, recording.burst())
            self.failure = None

    def _drop(self, recording: _Recording) -> None:
        draft, recording.draft = recording.draft, None
        if draft is not None:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)


def _checked(boxes: ArrayLike, scores: ArrayLike, classes: ArrayLike | None) -> NDArray[np.float64]:
    """(N, 6) boxes, scores, classes."""
    likely = np.asarray(scores, np.float64).reshape(-1)
    n = len(likely)
    corners = np.asarray(boxes, np.float64)
    kinds = np.zeros(n) if classes is None else np.asarray(classes, np.float64)
    if corners.size == 0 and n == 0:
        corners, kinds = corners.reshape(0, 4), kinds.reshape(0)
    if corners.shape != (n, 4) or kinds.shape != (n,):
        raise InputError(
            f"boxes and classes must have {n} rows, as scores, got shapes {corners.shape} and {kinds.shape}"
        )
    if not ((likely >= 0) & (likely <= 1)).all():
        raise InputError("scores must be within 0..1")
    crop_corners(corners, 1, 1)  # says what is wrong with a box
    return np.column_stack((corners, likely, kinds))

"""The thread that writes a harvest, so that tracking never waits for a disk."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reid.errors import ReidError
from reid.online.harvest_config import HarvestConfig
from reid.online.harvest_store import HarvestStore
from reid.online.ledger import HourTotal
from reid.online.news import harvest_waits
from reid.online.proven_clock import ProvenClock
from reid.online.sharpness import sharpness
from reid.online.sheaf import Sheaf

_logger = logging.getLogger(__name__)
_IDLE_S = 0.25
_PAUSE_S = 0.05
_SWEEP_S = 60.0
_PATIENCE_S = 60.0
_HELD = "another process is changing what was harvested"
_EXPECTED = (OSError, ReidError, cv2.error)


@dataclass(frozen=True, slots=True)
class HarvestCounts:
    """What became of crops since the start."""

    written: int = 0
    """In the store."""
    blurred: int = 0
    """Left out: not sharp enough."""
    crowded_out: int = 0
    """Dropped: the disk was slower than crops came."""
    paused: int = 0
    """Dropped: the disk failed, and harvesting waits before it tries again."""


class HarvestWriter:
    """Takes sheaves at once and writes them when it can, in a thread of its own; errors never reach the caller.

    Args:
        store: where; used by the thread alone.
        config: sharpness, size and queue.
        wall: seconds since 1970.
        steady: a clock in seconds that never steps.
    """

    def __init__(
        self,
        store: HarvestStore,
        config: HarvestConfig,
        *,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._config = config
        self._steady = steady
        self._clock = ProvenClock(store.before_unix_s, wall=wall, steady=steady)
        self._changed = threading.Condition()
        self._queue: deque[Sheaf] = deque()
        self._waiting_bytes = 0
        self._left = 0  # sheaves that wait or are being written
        self._closing = False
        self._given_up = False  # nobody waits for the thread any more
        self._counts = HarvestCounts()
        self._totals: tuple[HourTotal, ...] = ()
        self._open = False
        self._failure: str | None = None
        self._retry_s = -np.inf
        self._sweep_s = -np.inf
        self._thread = threading.Thread(target=self._work, name="reidtrack-harvest", daemon=True)
        self._thread.start()

    @property
    def counts(self) -> HarvestCounts:
        """What became of crops so far."""
        return self._counts

    @property
    def failure(self) -> str | None:
        """Why harvesting waits; None while all is well."""
        return self._failure

    @property
    def undeleted(self) -> str | None:
        """Why something is still there that is too old; None where nothing is."""
        return self._store.undeleted

    @property
    def totals(self) -> tuple[HourTotal, ...]:
        """How much is stored, by camera and hour, a moment ago."""
        return self._totals

    def put(self, sheaf: Sheaf) -> bool:
        """Hand a sheaf over; False where its crops had to be dropped, since too much waits already."""
        size = _bytes_of(sheaf)
        with self._changed:
            if self._waiting_bytes + size > self._config.queue_mb << 20 or self._closing:
                self._count(crowded_out=len(sheaf.crops))
                return False
            self._queue.append(sheaf)
            self._waiting_bytes += size
            self._left += 1
            self._changed.notify_all()
        return True

    def clock_stepped(self) -> None:
        """Told that the clock was set: nothing is deleted for its age until it has proved itself for a while."""
        with self._changed:
            self._clock.stepped()

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until all that was handed over is written, or was dropped; whether that came in time."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._left, timeout_s)

    def close(self, timeout_s: float = 10.0) -> None:
        """Write what waits and finish the store; harmless more than once. What is not written in time is dropped."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(0 if self._given_up else timeout_s)
        if self._thread.is_alive() and not self._given_up:
            self._given_up = True
            lost = self._drop_what_waits()
            _logger.warning("the harvest is not written after %g s: %d crops that wait are dropped", timeout_s, lost)

    def _drop_what_waits(self) -> int:
        """All but what is being written; how many crops that is."""
        with self._changed:
            lost = sum(len(sheaf.crops) for sheaf in self._queue)
            self._count(crowded_out=lost)
            self._left -= len(self._queue)
            self._waiting_bytes -= sum(map(_bytes_of, self._queue))
            self._queue.clear()
            self._changed.notify_all()
        return lost

    def _work(self) -> None:
        try:
            while self._step():
                pass
        finally:
            with self._changed:
                self._closing = True
                self._queue.clear()
                self._waiting_bytes = self._left = 0
                self._changed.notify_all()
            with self._guarded():
                self._store.close()
                self._totals = self._store.totals()

    def _step(self) -> bool:
        """Write one sheaf, or look after the store; False when all is done."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closing, _IDLE_S)
            closing = self._closing
        if not self._write_next() and closing:
            return False
        with self._guarded():
            self._look_after()
        return True

    def _write_next(self) -> bool:
        """Write the sheaf that waits longest; whether there was one."""
        with self._changed:
            sheaf = self._queue.popleft() if self._queue else None
        if sheaf is None:
            return False
        self._write(sheaf)
        with self._changed:
            self._waiting_bytes -= _bytes_of(sheaf)
            self._left -= 1
            self._changed.notify_all()
        return True

    def _write(self, sheaf: Sheaf) -> None:
        if self._ready():
            with self._guarded():
                good = self._good(sheaf)
                self._store.add(good)
                self._count(written=len(good.crops), blurred=len(sheaf.crops) - len(good.crops))
                self._recovered()
                return
        self._count(paused=len(sheaf.crops))

    def _good(self, sheaf: Sheaf) -> Sheaf:
        """Only what is sharp, and no larger than anybody needs."""
        least = self._config.least_sharpness
        rows = [row for row, crop in enumerate(sheaf.crops) if least <= 0 or sharpness(crop) >= least]
        return dataclasses.replace(
            sheaf,
            crops=tuple(at_most(sheaf.crops[row], self._config.most_side_px) for row in rows),
            pieces=sheaf.pieces[rows],
            identities=sheaf.identities[rows],
            boxes=sheaf.boxes[rows],
            scores=sheaf.scores[rows],
            covered=sheaf.covered[rows],
            classes=sheaf.classes[rows],
        )

    def _look_after(self) -> None:
        """What is due now and then: letting others change the store, and deleting what is old."""
        if self._open and self._store.is_wanted():
            for _ in range(len(self._queue)):  # or it would be written once it was to be forgotten
                self._write_next()
            self._make_way()
        if self._steady() >= self._sweep_s and self._ready():
            self._sweep()
        self._totals = self._store.totals()

    def _make_way(self) -> None:
        """Let somebody else change the store; whoever takes long for it may have been stopped, and is told of."""
        patient_until_s = self._steady() + _PATIENCE_S
        self._store.rest()
        while self._store.is_wanted() and not self._closing:
            if self._failure is None and self._steady() >= patient_until_s:
                self._failed(_HELD, "it goes on once that one has ended")
            time.sleep(_PAUSE_S)
        self._store.open()
        if self._failure == _HELD:
            self._recovered()

    def _sweep(self) -> None:
        """Delete what is old for certain."""
        self._sweep_s = self._steady() + _SWEEP_S
        with self._changed:
            passed_s = self._clock.passed_unix_s()
        self._store.sweep(passed_s)

    def _ready(self) -> bool:
        """Open the store where it is not, unless it failed a moment ago."""
        if not self._open and self._steady() >= self._retry_s:
            with self._guarded():
                self._store.open()
                self._store.is_wanted()  # whoever may not ask would never let go
                self._open = True
                if self._failure is None and self._is_said_to_wait():  # by a run that ended meanwhile
                    self._tell("resumed")
        return self._open

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """Take note of what goes wrong inside: harvesting waits, tracking goes on."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - without this thread nothing would be harvested, and nobody told
            with contextlib.suppress(Exception):
                self._store.rest()
            self._open = False
            self._retry_s = self._steady() + self._config.retry_s
            reason = str(error) if isinstance(error, _EXPECTED) else repr(error)
            self._failed(reason, f"it is tried again every {self._config.retry_s:g} s")

    def _failed(self, reason: str, outlook: str) -> None:
        if self._failure is None:
            _logger.warning("harvesting pauses, tracking goes on: %s; %s", reason, outlook)
            self._tell("paused", reason=reason)
        self._failure = reason

    def _recovered(self) -> None:
        if self._failure is not None:
            _logger.info("harvesting goes on")
            self._tell("resumed")
            self._failure = None

    def _is_said_to_wait(self) -> bool:
        """Whether the history's last word of any harvest is that it pauses."""
        with contextlib.suppress(OSError):
            return harvest_waits(self._store.folder.history.read()) is not None
        return False

    def _tell(self, event: str, **fields: str) -> None:
        with contextlib.suppress(Exception):  # a disk that is full takes no history, either
            self._store.folder.history.append(event, by="harvest", camera=self._store.camera, **fields)

    def _count(self, *, written: int = 0, blurred: int = 0, crowded_out: int = 0, paused: int = 0) -> None:
        with self._changed:
            c = self._counts
            self._counts = HarvestCounts(
                c.written + written, c.blurred + blurred, c.crowded_out + crowded_out, c.paused + paused
            )


def _bytes_of(sheaf: Sheaf) -> int:
    return sum(crop.nbytes for crop in sheaf.crops)


def at_most(crop: NDArray[np.uint8], side_px: int) -> NDArray[np.uint8]:
    """A crop (H, W, 3), made smaller where one side is longer."""
    height_px, width_px = crop.shape[:2]
    if max(height_px, width_px) <= side_px:
        return crop
    scale = side_px / max(height_px, width_px)
    size = max(1, round(width_px * scale)), max(1, round(height_px * scale))
    return np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA), np.uint8)

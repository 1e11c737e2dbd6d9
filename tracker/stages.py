"""How long each stage of a run has worked: plain sums, cheap enough to be always on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields


@dataclass(slots=True)
class StageTime:
    """One stage's work so far."""

    seconds: float = 0.0
    """Time at work; waiting for another stage is not in it."""
    calls: int = 0
    """How often it ran."""

    @property
    def mean_ms(self) -> float:
        """Milliseconds a call, 0 before the first."""
        return 1000 * self.seconds / self.calls if self.calls else 0.0

    def add(self, seconds: float) -> None:
        """Count one call."""
        self.seconds += seconds
        self.calls += 1

    @contextmanager
    def measure(self) -> Iterator[None]:
        """Count the enclosed block as one call, also where it raises."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.add(time.perf_counter() - began)


@dataclass(slots=True)
class StageTimes:
    """The clock of a run, one `StageTime` a stage. Each is written by one thread alone; reading is always safe."""

    decode: StageTime
    """Reading a frame, in the reader's thread; of a live source CPU time, as the rest is waiting."""
    detect: StageTime
    """The detector, on the frames that it saw, in a thread of its own."""
    camera: StageTime
    """The estimate of camera motion."""
    embed: StageTime
    """The embedder, as often as the tracker asked."""
    track: StageTime
    """The tracker's update or prediction, without the embedder that it called."""
    write: StageTime
    """The sinks together, a call a frame: drawing, encoding, text, in the writer's thread (a window is not in it)."""

    @classmethod
    def zero(cls) -> StageTimes:
        """Nothing has run yet."""
        return cls(*(StageTime() for _ in fields(cls)))

    def items(self) -> list[tuple[str, StageTime]]:
        """Name and time of each stage, in the order of the pipeline."""
        return [(f.name, getattr(self, f.name)) for f in fields(self)]

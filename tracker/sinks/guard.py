"""Shows a guard over the embedder what each frame says of it."""

from __future__ import annotations

from typing import Protocol

from tracker.conduct import ConductMeter
from tracker.fragments import FragmentMeter
from tracker.types import DoubleArray, FrameResult, RunInfo


class GuardLike(Protocol):
    """Judges the model that is live; `reid.online.guard.SwapGuard` is one."""

    def update(
        self, time_s: float, model_hash: str | None, *, objects: int, births: int, breaks: int, margins: DoubleArray
    ) -> object: ...


class GuardSink:
    """Measures the conduct of a run and hands it to a guard; writes nothing.

    New identities and broken tracks are those of people who were lost inside the picture (`tracker.fragments`), not all
    (`tracker.conduct`): who comes in says nothing of an embedder.

    Args:
        guard: judges by it.
    """

    def __init__(self, guard: GuardLike) -> None:
        self._guard, self._meter, self._fragments = guard, ConductMeter(), FragmentMeter()

    def open(self, run: RunInfo) -> None:
        """Nothing to open."""

    def write(self, result: FrameResult) -> None:
        """Show it one frame; those that were only predicted say nothing."""
        if result.detected:
            c, fragments = self._meter.update(result), self._fragments.update(result)
            self._guard.update(
                result.frame.time_s,
                result.model_hash,
                objects=c.objects,
                births=fragments.renamed,
                breaks=fragments.broken,
                margins=c.margins,
            )

    def close(self) -> None:
        """Nothing to close."""

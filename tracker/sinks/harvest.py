"""Hands what a tracker follows to whoever learns from it on site."""

from __future__ import annotations

from typing import Any, Protocol

from tracker.types import FrameResult, RunInfo


class ObserverLike(Protocol):
    """What the sink needs of `reid.online.OnlineTrainer`."""

    def observe(
        self, image: Any, tracks: Any, *, time_s: float, detections: Any = None, frame: int | None = None
    ) -> int: ...
    def end_harvest(self) -> None: ...


class HarvestSink:
    """Shows an observer every frame that the detector saw, with what was detected and who is followed.

    Args:
        observer: ends its harvest with the sink.
    """

    def __init__(self, observer: ObserverLike) -> None:
        self._observer = observer

    def open(self, run: RunInfo) -> None:
        """Nothing to open."""

    def write(self, result: FrameResult) -> None:
        """Show one frame; positions that were predicted between detections are none."""
        if result.detected:
            self._observer.observe(
                result.frame.image,
                result.tracks,
                time_s=result.frame.time_s,
                detections=result.detections,
                frame=result.frame.index,
            )

    def close(self) -> None:
        """Let it write what waits."""
        self._observer.end_harvest()

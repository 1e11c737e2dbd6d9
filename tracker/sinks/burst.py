"""Hands what a detector gave to whoever records bursts of it."""

from __future__ import annotations

from typing import Any, Protocol

from tracker.types import FrameResult, RunInfo


class BurstRecorderLike(Protocol):
    """What the sink needs of `reid.online.BurstRecorder`."""

    def observe(
        self, image: Any, *, boxes: Any, scores: Any, time_s: float, classes: Any = None, ids: Any = ()
    ) -> None: ...
    def close(self) -> None: ...


class BurstSink:
    """Shows a recorder every frame that the detector saw, and who was reported in it.

    Args:
        recorder: is closed with the sink.
    """

    def __init__(self, recorder: BurstRecorderLike) -> None:
        self._recorder = recorder

    def open(self, run: RunInfo) -> None:
        """Nothing to open."""

    def write(self, result: FrameResult) -> None:
        """Show one frame; those that were only predicted say nothing."""
        if result.detected:
            seen = result.detections
            self._recorder.observe(
                result.frame.image,
                boxes=seen.boxes,
                scores=seen.scores,
                time_s=result.frame.time_s,
                classes=seen.classes,
                ids=result.tracks.ids,
            )

    def close(self) -> None:
        """Let it write what waits."""
        self._recorder.close()

"""What a pipeline says, and who takes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from tracker.types.detections import Detections
from tracker.types.sources import Frame, SourceInfo
from tracker.types.tracks import Tracks


@dataclass(frozen=True, slots=True, eq=False)
class FrameResult:
    """What the pipeline says of one frame."""

    frame: Frame
    detections: Detections
    """What was detected, with the embeddings that the tracker asked for; empty where this frame was predicted
    (`detected` is False)."""
    tracks: Tracks
    detected: bool = True
    """Whether the detector ran on this frame."""
    model_hash: str | None = None
    """Of the embedder whose vectors they are, its `info.model_hash`: vectors of two models are never compared. None
    where there was no embedder."""


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What every sink is told before the first result."""

    source: SourceInfo
    class_names: Mapping[int, str]


class Sink(Protocol):
    """Takes results in order. `close` leaves valid files, also after an error; it may be called more than once."""

    def open(self, run: RunInfo) -> None: ...
    def write(self, result: FrameResult) -> None: ...
    def close(self) -> None: ...

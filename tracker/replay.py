"""Tracks again what a detector gave a while ago, with the vectors of any embedder: how often would tracks break?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np

from tracker.conduct import ConductMeter
from tracker.config import TrackerConfig
from tracker.tracker import Tracker
from tracker.types import (
    AppearanceInfo,
    Detections,
    DoubleArray,
    FloatArray,
    Frame,
    FrameResult,
    Image,
    IntArray,
)

_NO_PICTURE = np.zeros((1, 1, 3), np.uint8)


class BurstInfoLike(Protocol):
    """What is known of a burst; `reid.online.burst.BurstInfo` is one."""

    @property
    def frame_size(self) -> tuple[int, int]: ...
    @property
    def tracker(self) -> Mapping[str, Any]: ...


class BurstLike(Protocol):
    """F frames with N detections in all; `reid.online.burst.Burst` is one."""

    @property
    def info(self) -> BurstInfoLike: ...
    @property
    def time_s(self) -> DoubleArray:
        """(F,) of the frames."""

    @property
    def first(self) -> IntArray:
        """(F + 1,) where the detections of each frame begin."""

    @property
    def boxes(self) -> FloatArray: ...
    @property
    def scores(self) -> FloatArray: ...
    @property
    def classes(self) -> IntArray: ...
    def crops(self, rows: IntArray) -> Sequence[Image]:
        """Pictures of detections (n,)."""


class CropEmbedderLike(Protocol):
    """Turns pictures of objects into unit vectors; `reid.Embedder` is one."""

    @property
    def info(self) -> AppearanceInfo: ...
    def crops(self, pixels: Sequence[Image]) -> FloatArray:
        """Pictures (n) to vectors (n, D)."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What came of one burst."""

    births: int
    """How many got a number for the first time."""
    breaks: int
    """How many tracks began, under whatever number, and how many were corrected, see `tracker.conduct`."""


def replay(burst: BurstLike, embedder: CropEmbedderLike, *, stop: Callable[[], bool] = lambda: False) -> Replay:
    """Track a burst from its beginning, by a tracker of its own, with the settings of the one that ran.

    Args:
        burst: what was seen.
        embedder: gives the vectors.
        stop: is asked before every frame; True ends it there.
    """
    tracker = Tracker(_settings(burst.info.tracker), appearance=embedder.info)
    meter, births, breaks = ConductMeter(), 0, 0
    for number, time_s in enumerate(burst.time_s.tolist()):
        if stop():
            break
        begin, end = burst.first[number : number + 2].tolist()
        seen = Detections(
            burst.boxes[begin:end], burst.scores[begin:end], burst.classes[begin:end],
            frame_size=burst.info.frame_size,
        )  # fmt: skip

        def embed(rows: IntArray, begin: int = begin) -> FloatArray:
            return embedder.crops(burst.crops(begin + rows))

        tracks = tracker.update(seen, time_s=time_s, embed=embed)
        conduct = meter.update(FrameResult(Frame(_NO_PICTURE, number + 1, time_s), seen, tracks))
        births, breaks = births + conduct.births, breaks + conduct.breaks
    return Replay(births, breaks)


def _settings(said: Mapping[str, Any]) -> TrackerConfig:
    """Those of a tracker's settings that this version knows."""
    return TrackerConfig(**{f.name: said[f.name] for f in fields(TrackerConfig) if f.name in said})

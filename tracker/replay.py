"""Tracks again what a detector gave a while ago, with the vectors of any embedder."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from tracker.asking import EmbeddingsOnRequest
from tracker.conduct import ConductMeter
from tracker.config import TrackerConfig
from tracker.tracker import Tracker
from tracker.types import AppearanceInfo, Detections, EmbedRows, Frame, FrameResult

_NO_PICTURE = np.zeros((1, 1, 3), np.uint8)


@dataclass(frozen=True, slots=True)
class Replay:
    """What came of it."""

    births: int
    """How many numbers were given: whoever is lost and not known again gets another one."""
    breaks: int
    """How many tracks began, under whatever number, and how many were corrected, see `tracker.conduct`."""
    confusion: float
    """Of all crops that could be compared, the mean share of others, seen of late, who look more like the crop than its
    own track does, 0..1: a half where vectors say nothing, and tracks go over to others without a sign of it. 0 where
    no crop could be."""
    crops: int
    """How many these were."""


def replay(
    frames: Iterable[tuple[float, Detections, EmbedRows]],
    appearance: AppearanceInfo,
    config: TrackerConfig | None = None,
    *,
    stop: Callable[[], bool] = lambda: False,
) -> Replay:
    """Track frames from the first one, by a tracker of its own.

    Args:
        frames: when each was taken, in seconds, what was detected, and what gives vectors of its rows.
        appearance: what is known of the embedder that these come from.
        config: settings of the tracker.
        stop: is asked before every frame; True ends it there.
    """
    tracker, meter = Tracker(config, appearance=appearance), ConductMeter()
    births = breaks = crops = 0
    confused = 0.0
    for number, (time_s, seen, embed) in enumerate(frames, 1):
        if stop():
            break
        asked = EmbeddingsOnRequest(seen, embed)
        tracks = tracker.update(seen, time_s=time_s, embed=asked)
        conduct = meter.update(FrameResult(Frame(_NO_PICTURE, number, time_s), asked.detections, tracks))
        births, breaks = births + conduct.births, breaks + conduct.breaks
        confused, crops = confused + float((1 - conduct.margins).sum()), crops + len(conduct.margins)
    return Replay(births, breaks, confused / max(crops, 1), crops)

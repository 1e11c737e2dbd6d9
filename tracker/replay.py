"""Tracks again what a detector gave a while ago, with the vectors of any embedder."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from tracker.conduct import ConductMeter
from tracker.config import TrackerConfig
from tracker.tracker import Tracker
from tracker.types import AppearanceInfo, Detections, EmbedRows, Frame, FrameResult

_NO_PICTURE = np.zeros((1, 1, 3), np.uint8)


@dataclass(frozen=True, slots=True)
class Replay:
    """What came of it."""

    births: int
    """How many numbers were given. Whoever is lost and not known again gets another one: with a worse embedder there
    are more of them. An embedder that takes everybody for one, or finds nobody alike, gives more as well, since the
    tracker learns from the stream what its cosines are worth, which is nothing."""
    breaks: int
    """How many tracks began, under whatever number, and how many were corrected, see `tracker.conduct`."""


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
    births = breaks = 0
    for number, (time_s, seen, embed) in enumerate(frames, 1):
        if stop():
            break
        tracks = tracker.update(seen, time_s=time_s, embed=embed)
        conduct = meter.update(FrameResult(Frame(_NO_PICTURE, number, time_s), seen, tracks))
        births, breaks = births + conduct.births, breaks + conduct.breaks
    return Replay(births, breaks)

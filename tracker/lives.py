"""How tracks begin and end."""

from __future__ import annotations

import numpy as np

from tracker.association.matching import Seen
from tracker.config import TrackerConfig
from tracker.motion import kalman
from tracker.table import TIME_SLACK_S, TrackTable
from tracker.types import DoubleArray, IntArray


def new_tracks(rows: IntArray, seen: Seen, noise: kalman.MotionNoise) -> TrackTable:
    """Tentative tracks, at rest, one on each of some detections (n,)."""
    new = TrackTable.zeros(len(rows), seen.vectors.shape[1])
    new.motion = kalman.start(seen.box[:, rows], noise)
    new.born_s[:] = new.seen_s[:] = new.first_vector_s[:] = new.mean_s[:] = seen.now
    new.seen_box[:], new.detection[:] = new.box, rows
    new.score[:] = new.class_votes[:] = seen.scores[rows]
    new.classes[:] = seen.classes[rows]
    fit = seen.fit[rows]
    new.vectors[:] = fit
    new.mean[fit] = seen.vectors[rows[fit]]
    return new


def gone(
    seen_s: DoubleArray, box: DoubleArray, now: float, frame_size: tuple[int, int] | None, config: TrackerConfig
) -> IntArray:
    """Which tracks, last seen at `seen_s` (T,) and predicted to `box` (4, T), left the picture or are lost for good.

    A track that was not seen and is predicted outside has left: it must not wait there for the next to enter.
    """
    unseen_s = now - seen_s
    soonest = min(config.max_lost_s, config.max_outside_s)
    late = (unseen_s > soonest + TIME_SLACK_S).nonzero()[0]
    if not len(late):
        return late
    unseen_s = unseen_s[late]
    lost = unseen_s > config.max_lost_s + TIME_SLACK_S
    if frame_size is not None:
        x, y, (width, height) = box[0, late], box[1, late], frame_size
        outside = (x < 0) | (y < 0) | (x > width) | (y > height)
        lost = np.where(outside, unseen_s > config.max_outside_s + TIME_SLACK_S, lost)
    return late[lost]

"""How tracks begin and end."""

from __future__ import annotations

import numpy as np

from tracker.association.matching import Seen
from tracker.boxes import xyxy_to_cxcywh
from tracker.config import TrackerConfig
from tracker.motion import kalman
from tracker.table import TIME_SLACK_S, TrackTable
from tracker.types import BoolArray, IntArray


def new_tracks(rows: IntArray, seen: Seen, noise: kalman.MotionNoise) -> TrackTable:
    """Tentative tracks, at rest, one on each of some detections (n,)."""
    new = TrackTable.zeros(len(rows), seen.vectors.shape[1])
    new.motion = kalman.start(xyxy_to_cxcywh(seen.boxes[rows]), noise)
    new.born_s[:] = new.seen_s[:] = new.first_vector_s[:] = new.mean_s[:] = seen.now
    new.seen_box[:], new.detection[:] = new.box, rows
    new.score[:] = new.class_votes[:] = seen.scores[rows]
    new.classes[:] = seen.classes[rows]
    fit = seen.fit[rows]
    new.vectors[:] = fit
    new.mean[fit] = seen.vectors[rows[fit]]
    return new


def gone(tracks: TrackTable, now: float, frame_size: tuple[int, int] | None, config: TrackerConfig) -> BoolArray:
    """Which tracks (T,), predicted to the time `now`, left the picture or were not seen for too long.

    A track that was not seen and is predicted outside has left: it must not wait there for the next to enter.
    """
    unseen_s = now - tracks.seen_s
    late = unseen_s > config.max_lost_s + TIME_SLACK_S
    if frame_size is None:
        return np.asarray(late)
    centre = tracks.box[:, :2]
    outside = ((centre < 0) | (centre > frame_size)).any(axis=1)
    return np.where(outside, unseen_s > config.max_outside_s + TIME_SLACK_S, late)

"""New tracks."""

from __future__ import annotations

from tracker.association.matching import Seen
from tracker.boxes import xyxy_to_cxcywh
from tracker.motion import kalman
from tracker.table import TrackTable
from tracker.types import IntArray


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

"""How tracks begin and end."""

from __future__ import annotations

import numpy as np

from tracker.association.matching import Seen
from tracker.association.pairs import overlapping
from tracker.config import TrackerConfig
from tracker.motion import kalman
from tracker.table import TIME_SLACK_S, TrackTable
from tracker.types import BoolArray, DoubleArray, IntArray

LONGEST_STEP_S = 3.0
"""Whoever the frame before showed is looked for over a longer time between two frames than `max_lost_s`, up to this:
there was no frame in which to be seen. Of MOT17's people (02, 05, 09, 11; true boxes, motion alone) two of three links
over 2 s are right, and less than half of those over 4 s."""


def without_doubles(rows: IntArray, seen: Seen, most_overlap: float) -> IntArray:
    """Of some detections (n,) those on which no better one that stays lies, by more than this IoU.

    One newcomer may have two. Source: greedy suppression of non-maxima, as detectors do it.
    """
    if len(rows) < 2:
        return rows
    corners, scores = seen.corners.take(rows, axis=1), seen.scores[rows]
    one, other, common = overlapping(corners, corners)
    area = (corners[2:] - corners[:2]).prod(axis=0)
    double = common > most_overlap * (area[one] + area[other] - common)
    rank = np.argsort(np.argsort(-scores, kind="stable"), kind="stable")  # 0: the best
    worse, better = one[double & (rank[other] < rank[one])], other[double & (rank[other] < rank[one])]
    keep = np.ones(len(rows), bool)
    for row in sorted(set(worse.tolist()), key=rank.__getitem__):
        keep[row] = not keep[better[worse == row]].any()
    return rows[keep]


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


def longest_step_s(config: TrackerConfig) -> float:
    """How far apart two frames may be for anybody to be followed."""
    return max(LONGEST_STEP_S, config.max_lost_s)


def gone(
    seen_s: DoubleArray,
    missed: BoolArray,
    box: DoubleArray,
    now: float,
    frame_size: tuple[int, int] | None,
    config: TrackerConfig,
) -> IntArray:
    """Which tracks, last seen at `seen_s` (T,) and predicted to `box` (4, T), left the picture or are lost for good.

    `missed` (T,) says which the frame before did not show. One of them that is predicted outside has left: it must not
    wait there for the next to enter.
    """
    unseen_s = now - seen_s
    soonest = min(config.max_lost_s, config.max_outside_s)
    late = (unseen_s > np.where(missed, soonest, longest_step_s(config)) + TIME_SLACK_S).nonzero()[0]
    if not len(late):
        return late
    unseen_s = unseen_s[late]
    lost = unseen_s > config.max_lost_s + TIME_SLACK_S
    if frame_size is not None:
        x, y, (width, height) = box[0, late], box[1, late], frame_size
        outside = (x < 0) | (y < 0) | (x > width) | (y > height)
        lost = np.where(outside, unseen_s > config.max_outside_s + TIME_SLACK_S, lost)
    return late[lost]

"""How far the whole picture moved against the predictions, as the tracks themselves show it.

A camera that turns moves everybody alike. Where nobody measured how it turned, or not well, the median of what lies
between predicted and seen places tells: people go their own ways, a camera takes all of them along.
"""

from __future__ import annotations

import math

import numpy as np

from tracker.association.evidence import Candidates
from tracker.types import DoubleArray

LEAST_PAIRS = 4
"""Fewer pairs tell nothing of all."""
LEAST_OVERLAP = 0.2
"""Pairs that overlap less may be wrong ones."""
SURE = 3.0
"""Standard errors above which a median is believed; at 2 as much is won where the camera moves, and lost elsewhere."""
LEARNED = 0.3
"""The share of a shift that velocities learn of: a jerk hardly moves them, and who all walk one way come to do so.

By so much less of it, those who are seen are moved before they are corrected."""
OWN_NOISE = 0.005
"""Of a displacement, in mean heights, at the least."""


def common_shift(box: DoubleArray, seen: DoubleArray, pairs: Candidates) -> DoubleArray:
    """(2,) px by which all predictions are to be moved, x and y; 0 where nothing sure is common to them.

    Args:
        box: (4, T) predicted, cxcywh pixels.
        seen: (4, N) detected, cxcywh pixels.
        pairs: which of them may belong together. Those count that are the best of their track and of their detection.
    """
    if len(pairs.tracks) < LEAST_PAIRS:
        return np.zeros(2)
    best = ((pairs.overlap > LEAST_OVERLAP) & pairs.best(box.shape[1], seen.shape[1])).nonzero()[0]
    n = len(best)
    if n < LEAST_PAIRS:
        return np.zeros(2)
    t = pairs.tracks[best]
    left = seen[:2].take(pairs.detections[best], axis=1) - box[:2].take(t, axis=1)  # (2, n)
    middle = _medians(left)  # (2, 1)
    shift, spread = middle[:, 0].tolist(), _medians(np.abs(left - middle))[:, 0].tolist()
    if not any(_sure(shift, spread, 0.0, n)):
        return np.zeros(2)
    own_px = OWN_NOISE * (float(box[3].take(t).sum()) / n)
    return np.array(_sure(shift, spread, own_px, n))


def _sure(shift: list[float], spread: list[float], own_px: float, n: int) -> list[float]:
    """Of medians of n numbers, x and y, those that are surely not 0, by their median absolute deviations; else 0."""
    # of a normal distribution: std = 1.48 median absolute deviations, and the median's error 1.25 std / sqrt(n)
    errors = [SURE * 1.25 * (1.48 * each + own_px) / math.sqrt(n) for each in spread]
    return [px if abs(px) > error else 0.0 for px, error in zip(shift, errors, strict=True)]


def _medians(rows: DoubleArray) -> DoubleArray:
    """(2, n), which are sorted in place -> (2, 1); `np.median` takes ten times as long for so few."""
    rows.sort(axis=1)
    half = rows.shape[1] // 2
    if rows.shape[1] % 2:
        return rows[:, half : half + 1]
    return (rows[:, half - 1 : half] + rows[:, half : half + 1]) / 2

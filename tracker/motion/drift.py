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
OWN_NOISE = 0.005
"""Of a displacement, in mean heights, at the least."""


def common_shift(box: DoubleArray, seen: DoubleArray, pairs: Candidates) -> DoubleArray:
    """(2,) px by which all predictions are to be moved, x and y; 0 where nothing sure is common to them.

    Args:
        box: (4, T) predicted, cxcywh pixels.
        seen: (4, N) detected, cxcywh pixels.
        pairs: which of them may belong together. Those count that are the best of their track and of their detection.
    """
    t, d, overlap = pairs
    if len(t) < LEAST_PAIRS:
        return np.zeros(2)
    of_track, of_detection = np.zeros(box.shape[1]), np.zeros(seen.shape[1])
    np.maximum.at(of_track, t, overlap)
    np.maximum.at(of_detection, d, overlap)
    best = (overlap >= of_track[t]) & (overlap >= of_detection[d]) & (overlap > LEAST_OVERLAP)
    t, d = t[best], d[best]
    if len(t) < LEAST_PAIRS:
        return np.zeros(2)
    left = seen[:2, d] - box[:2, t]  # (2, n)
    middle = _medians(left)  # (2,)
    # of a normal distribution: std = 1.48 median absolute deviations, and the median's error 1.25 std / sqrt(n)
    std = 1.48 * _medians(np.abs(left - middle[:, None])) + OWN_NOISE * box[3, t].mean()
    return np.asarray(middle * (np.abs(middle) > SURE * 1.25 * std / math.sqrt(len(t))))


def _medians(rows: DoubleArray) -> DoubleArray:
    """(2, n) -> (2,); `np.median` takes ten times as long for so few."""
    rows = np.sort(rows, axis=1)
    half = rows.shape[1] // 2
    return np.asarray(rows[:, half] if rows.shape[1] % 2 else (rows[:, half - 1] + rows[:, half]) / 2)

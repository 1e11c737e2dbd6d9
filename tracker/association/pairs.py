"""Pairs of overlapping boxes, found by a sweep along x: no table of all pairs is ever made."""

from __future__ import annotations

import numpy as np

from tracker.types import DoubleArray, IntArray


def overlapping(a: DoubleArray, b: DoubleArray) -> tuple[IntArray, IntArray, DoubleArray]:
    """All pairs of boxes with common area: (N, 4), (M, 4) -> rows of a (P,), rows of b (P,), common area (P,) in px^2.

    Pairs are ordered by the row of `a`. `b` is sorted by its left edge. The boxes of `b` that may touch a box of `a`
    are then one slice: from the first whose left edge lies within the widest box of `b` to the left of it, to the
    last that begins before it ends. The slices of all boxes are written out at once and filtered exactly.
    """
    if not len(a) or not len(b):
        none = np.zeros(0, np.int64)
        return none, none, np.zeros(0)
    order = np.argsort(b[:, 0], kind="stable")
    left = b[order, 0]
    widest = float((b[:, 2] - b[:, 0]).max())
    first = np.searchsorted(left, a[:, 0] - widest, side="left")  # (N,)
    last = np.searchsorted(left, a[:, 2], side="left")  # (N,)
    length = np.maximum(last - first, 0)
    rows = np.repeat(np.arange(len(a)), length)  # (P',)
    offset = np.arange(len(rows)) - np.repeat(np.cumsum(length) - length, length)
    columns = order[np.repeat(first, length) + offset]
    # one axis after the other: the first throws most pairs away
    height = np.minimum(a[rows, 3], b[columns, 3]) - np.maximum(a[rows, 1], b[columns, 1])
    keep = np.flatnonzero(height > 0)
    rows, columns, height = rows[keep], columns[keep], height[keep]
    width = np.minimum(a[rows, 2], b[columns, 2]) - np.maximum(a[rows, 0], b[columns, 0])
    keep = np.flatnonzero(width > 0)
    return rows[keep], columns[keep], width[keep] * height[keep]

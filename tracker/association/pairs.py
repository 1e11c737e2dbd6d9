"""Pairs of overlapping boxes, found by a sweep along x: no table of all pairs is ever made."""

from __future__ import annotations

import numpy as np

from tracker.types import DoubleArray, IntArray


def overlapping(
    a: DoubleArray, b: DoubleArray, wider_px: DoubleArray | None = None
) -> tuple[IntArray, IntArray, DoubleArray]:
    """All pairs of boxes with common area: (4, N), (4, M) -> rows of a (P,), rows of b (P,), common area (P,) in px^2.

    Args:
        a: (4, N) x1, y1, x2, y2.
        b: (4, M) x1, y1, x2, y2.
        wider_px: (N,) how much wider and higher each box of `a`, and the box of `b` beside it, are made, about their
            centres; None: not.

    Pairs are ordered by the row of `a`. `b` is sorted by its left edge. The boxes of `b` that may touch a box of `a`
    are then one slice: from the first whose left edge lies within the widest box of `b` to the left of it, to the
    last that begins before it ends. The slices of all boxes are written out at once and filtered exactly.
    """
    left_a, top_a, right_a, bottom_a = a  # (N,) each
    left_b, top_b, right_b, bottom_b = b  # (M,) each
    if not len(left_a) or not len(left_b):
        none = np.zeros(0, np.int64)
        return none, none, np.zeros(0)
    gap = np.zeros(len(left_a)) if wider_px is None else wider_px  # (N,) that two widened boxes bridge
    order = left_b.argsort(kind="stable")
    sorted_left = left_b[order]
    widest = (right_b - left_b).max()
    first = sorted_left.searchsorted(left_a - gap - widest)  # (N,)
    length = sorted_left.searchsorted(right_a + gap) - first  # (N,)
    rows = np.arange(len(left_a)).repeat(length)  # (P',)
    columns = order[np.arange(len(rows)) + (first + length - length.cumsum()).repeat(length)]
    # one axis after the other: the first throws most pairs away
    height = np.minimum(bottom_a[rows], bottom_b[columns]) - np.maximum(top_a[rows], top_b[columns]) + gap[rows]
    keep = (height > 0).nonzero()[0]
    rows, columns, height = rows[keep], columns[keep], height[keep]
    width = np.minimum(right_a[rows], right_b[columns]) - np.maximum(left_a[rows], left_b[columns]) + gap[rows]
    keep = (width > 0).nonzero()[0]
    return rows[keep], columns[keep], width[keep] * height[keep]

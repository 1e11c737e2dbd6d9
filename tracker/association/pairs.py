"""Pairs of overlapping boxes, found by a sweep along x: where there are many, no table of all pairs is made."""

from __future__ import annotations

import numpy as np

from tracker.types import BoolArray, DoubleArray, IntArray

FEW = 1000
"""Pairs of boxes that cost less to look at, all of them, than to sort."""


def overlapping(
    a: DoubleArray, b: DoubleArray, wider_px: DoubleArray | None = None
) -> tuple[IntArray, IntArray, DoubleArray]:
    """All pairs of boxes with common area: (4, N), (4, M) -> rows of a (P,), rows of b (P,), common area (P,) in px^2.

    Args:
        a: (4, N) x1, y1, x2, y2.
        b: (4, M) x1, y1, x2, y2.
        wider_px: (N,) how much wider and higher each box of `a`, and the box of `b` beside it, are made, about their
            centres; None: not.

    Pairs are ordered by the row of `a`. Of a few boxes all are compared; of more, those that a sweep finds, which are
    nearly all where one box of `b` is as wide as the picture.
    """
    gap = np.zeros(a.shape[1]) if wider_px is None else wider_px  # (N,) that two widened boxes bridge
    if a.shape[1] * b.shape[1] <= FEW:
        sides = np.minimum(a[2:, :, None], b[2:, None]) - np.maximum(a[:2, :, None], b[:2, None])  # (2, N, M)
        sides += gap[:, None]
        width, height = sides[0], sides[1]
        rows, columns = (np.minimum(width, height) > 0).nonzero()
        return rows, columns, (width * height)[rows, columns]
    rows, columns = _swept(a, b, gap)  # (P',)
    low = np.maximum(a[:2].take(rows, axis=1), b[:2].take(columns, axis=1))
    sides = np.minimum(a[2:].take(rows, axis=1), b[2:].take(columns, axis=1)) - low + gap[rows]  # (2, P')
    width, height = sides[0], sides[1]
    keep = (np.minimum(width, height) > 0).nonzero()[0]
    return rows[keep], columns[keep], (width * height)[keep]


def near(some: DoubleArray, seen: DoubleArray, tracks: DoubleArray, times: float) -> BoolArray:
    """Whether something is near some detections (n,).

    Args:
        some: (4, n) x1, y1, x2, y2.
        seen: (4, M) the same of all detections that are not ignored; those of `some` are among them.
        tracks: (4, K) cxcywh of those that none clearly continues, such as lost ones.
        times: near are boxes that would touch if they were so many times as wide and high.
    """
    half = times / 2 * tracks[2:]
    wide = np.concatenate((tracks[:2] - half, tracks[:2] + half))
    rows, _, _ = overlapping(_wider(some, times), np.concatenate((_wider(seen, times), wide), axis=1))
    return np.asarray(np.bincount(rows, minlength=some.shape[1]) > 1)  # each meets itself


def _swept(a: DoubleArray, b: DoubleArray, gap: DoubleArray) -> tuple[IntArray, IntArray]:
    """Pairs that may have common area: rows of a (P',) in order, and rows of b (P',).

    With `b` sorted by its left edge, the boxes of `b` that may touch a box of `a` are one slice: from the first up to
    which some box reaches as far, to the last that begins before it ends. The slices of all boxes are written out at
    once, and those above or below thrown out.
    """
    order = b[0].argsort(kind="stable")
    left, top, right, bottom = b.take(order, axis=1)  # (M,) each
    first = np.maximum.accumulate(right).searchsorted(a[0] - gap)  # (N,)
    length = left.searchsorted(a[2] + gap) - first  # (N,)
    rows = np.arange(len(length)).repeat(length)
    places = np.arange(len(rows)) + (first + length - length.cumsum()).repeat(length)
    beside = (top.take(places) < (a[3] + gap).repeat(length)) & (bottom.take(places) > (a[1] - gap).repeat(length))
    keep = beside.nonzero()[0]
    return rows[keep], order[places[keep]]


def _wider(boxes: DoubleArray, times: float) -> DoubleArray:
    """(4, N) -> (4, N) x1, y1, x2, y2, so many times as wide and high."""
    margin = (times - 1) / 2 * (boxes[2:] - boxes[:2])
    return np.concatenate((boxes[:2] - margin, boxes[2:] + margin))

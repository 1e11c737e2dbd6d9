"""A history cut into tracklets: stretches of one identity without a gap that could hide an exchange."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracker.boxes import xyxy_to_cxcywh
from tracker.refinement.history import Appearance, History
from tracker.table import TIME_SLACK_S
from tracker.types import DoubleArray, IntArray

CUT_S = 0.5
"""An identity that was not seen for longer is cut there; whether both parts are one object is then decided anew."""
END_S = 1.2
"""How much of a tracklet tells where it begins or ends, and how fast."""
_LEAST_SPREAD_S2 = 0.05
"""Added to the sum of squared times of that fit, so that two boxes next to each other give no speed."""


@dataclass(frozen=True, slots=True, eq=False)
class Ends:
    """Where T tracklets begin, or where they end."""

    time_s: DoubleArray
    """(T,)"""
    centre: DoubleArray
    """(T, 2) pixels."""
    velocity: DoubleArray
    """(T, 2) pixels per second."""
    height: DoubleArray
    """(T,) pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Tracklets:
    """T tracklets, by identity and time, as their rows follow each other in the history."""

    of_row: IntArray
    """(N,) the tracklet of each row of the history."""
    ids: IntArray
    """(T,)"""
    classes: IntArray
    """(T,) the class of most of its boxes."""
    begin: Ends
    end: Ends
    looks: DoubleArray
    """(T, D) mean of the unit vectors of its pieces: shorter than 1 the more they differ. Zeros where there is none."""
    pieces: IntArray
    """(T,) how many made that mean."""
    self_similarity: DoubleArray
    """(S,) of those with several pieces: cosine of their first with their second half."""


def cut(history: History) -> Tracklets:
    """Cut a sorted history into tracklets."""
    time_s = history.row_times_s
    new = np.ones(len(history), bool)
    new[1:] = (np.diff(history.ids) != 0) | (np.diff(time_s) > CUT_S)
    of_row = np.cumsum(new) - 1
    first = np.flatnonzero(new)
    last = np.r_[first[1:], len(history)][: len(first)] - 1
    boxes = xyxy_to_cxcywh(history.boxes.astype(np.float64))
    begin, end = _ends(boxes, time_s, of_row, first), _ends(boxes, time_s, of_row, last)
    ids = history.ids[first]
    classes = _leading_class(history.classes, of_row, len(first))
    looks, pieces, similarity = _looks(history.appearance, ids, begin.time_s)
    return Tracklets(of_row, ids, classes, begin, end, looks, pieces, similarity)


def _ends(boxes: DoubleArray, time_s: DoubleArray, of_row: IntArray, row: IntArray) -> Ends:
    """A straight line through the centres near one row of each tracklet: (N, 4), (N,), (N,), (T,)."""
    since = time_s - time_s[row][of_row]  # (N,)
    near = np.abs(since) <= END_S
    which, since, near_boxes = of_row[near], since[near], boxes[near]

    def total(values: DoubleArray) -> DoubleArray:
        return np.asarray(np.bincount(which, values, minlength=len(row)), np.float64)

    n = total(np.ones(len(which)))
    mean_t = total(since) / n
    mean_xy = np.stack([total(near_boxes[:, k]) / n for k in (0, 1)], axis=1)  # (T, 2)
    spread = total((since - mean_t[which]) ** 2) + _LEAST_SPREAD_S2
    moved = [total((since - mean_t[which]) * near_boxes[:, k]) / spread for k in (0, 1)]
    velocity = np.stack(moved, axis=1)  # (T, 2)
    return Ends(
        time_s[row], mean_xy - velocity * mean_t[:, None], velocity, np.maximum(total(near_boxes[:, 3]) / n, 1.0)
    )


def _leading_class(classes: IntArray, of_row: IntArray, count: int) -> IntArray:
    names, number = np.unique(classes, return_inverse=True)
    votes = np.bincount(of_row * len(names) + number, minlength=count * len(names)).reshape(count, len(names))
    return np.asarray(names[votes.argmax(axis=1)] if count else np.zeros(0, np.int64))


def _looks(
    appearance: Appearance | None, ids: IntArray, begin_s: DoubleArray
) -> tuple[DoubleArray, IntArray, DoubleArray]:
    """`Tracklets.looks`, `.pieces` and `.self_similarity`."""
    count = len(ids)
    if appearance is None or not len(appearance.ids) or not count:
        return np.zeros((count, 0)), np.zeros(count, np.int64), np.zeros(0)
    of_piece = _tracklet_of(appearance, ids, begin_s)
    order = np.argsort(of_piece, kind="stable")[np.count_nonzero(of_piece < 0) :]  # without those of no tracklet
    owner = of_piece[order]
    pieces = np.bincount(owner, minlength=count)
    place = np.arange(len(order)) - (np.cumsum(pieces) - pieces)[owner]  # 0, 1, ... within each tracklet
    later = place >= (pieces[owner] + 1) // 2
    halves = np.zeros((2, count, appearance.vectors.shape[1]))
    np.add.at(halves, (later.astype(np.int64), owner), appearance.vectors[order])
    several = pieces > 1
    size = np.stack(((pieces + 1) // 2, pieces // 2))[:, several, None]
    similarity = (halves[:, several] / size).prod(axis=0).sum(axis=1)
    return halves.sum(axis=0) / np.maximum(pieces, 1)[:, None], pieces, similarity


def _tracklet_of(appearance: Appearance, ids: IntArray, begin_s: DoubleArray) -> IntArray:
    """(M,) the tracklet of each piece: the last of its identity that began before it; -1 where there is none."""
    names = np.unique(ids)
    times_s = np.r_[begin_s, appearance.times_s] - min(begin_s.min(), appearance.times_s.min())
    times_s += np.searchsorted(names, np.r_[ids, appearance.ids]) * (times_s.max() + 1)  # parts identities' times
    keys, wanted = times_s[: len(ids)], times_s[len(ids) :]  # (T,), ascending, and (M,)
    place = np.searchsorted(keys, wanted + TIME_SLACK_S, side="right") - 1
    return np.where((place >= 0) & (ids[place] == appearance.ids), place, -1)

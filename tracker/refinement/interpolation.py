"""Boxes for the frames in which an object was not seen, where it is certain enough to have been there."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tracker.boxes import xyxy_to_cxcywh
from tracker.refinement.config import RefinementConfig
from tracker.refinement.history import History
from tracker.table import TIME_SLACK_S
from tracker.types import BoolArray, DoubleArray, IntArray

# Of what was filled on public sequences (MOT15 ADL-Rundle-6, ETH-Bahnhof, Venice-2; MOT17 02, 05, 09, 11) the share
# that lay on a person (IoU .5) was .28 to .88 for all gaps of up to 1.5 s, and is .52 to .99 within these limits.
_FARTHEST = 0.3  # between the boxes on both sides, in heights
_LOG_SIZE_CHANGE = 0.2  # likewise
_LEAST_SEEN = 0.6  # share of an object's life in which it was seen, long absences left out
_BORDER_SHARE = 0.01  # of the picture's side: a box that is nearer to the border may be on its way out
_OUTSIDE_S = 0.2  # how long an object at the border may be missed and be taken for inside


@dataclass(frozen=True, slots=True, eq=False)
class _Gaps:
    """G gaps: the box before each is followed by the one after it in the sorted history."""

    row: IntArray
    """(G,) of the box before."""
    place: IntArray
    """(G,) of its frame in `History.frames`."""
    missing: IntArray
    """(G,) how many frames are between."""


def interpolate(history: History, config: RefinementConfig) -> History:
    """A sorted history with short gaps filled, linearly: the new rows are not `seen`."""
    gaps = _fillable(history, config.max_gap_s)
    if not len(gaps.row):
        return history
    which = np.repeat(np.arange(len(gaps.row)), gaps.missing)  # (K,) of each new box its gap
    place = np.arange(len(which)) - np.repeat(np.cumsum(gaps.missing) - gaps.missing, gaps.missing)
    place += gaps.place[which] + 1
    row = gaps.row[which]
    begin_s = history.times_s[gaps.place[which]]
    end_s = history.times_s[(gaps.place + gaps.missing + 1)[which]]
    share = ((history.times_s[place] - begin_s) / (end_s - begin_s))[:, None]  # (K, 1)
    boxes = history.boxes[row] * (1 - share) + history.boxes[row + 1] * share
    scores = np.minimum(history.scores[row], history.scores[row + 1])
    return replace(
        history,
        frame=np.r_[history.frame, history.frames[place]],
        ids=np.r_[history.ids, history.ids[row]],
        boxes=np.r_[history.boxes, boxes.astype(np.float32)],
        scores=np.r_[history.scores, scores],
        classes=np.r_[history.classes, history.classes[row]],
        seen=np.r_[history.seen, np.zeros(len(row), bool)],
    ).sorted()


def _fillable(history: History, most_s: float) -> _Gaps:
    """Gaps over which the object stayed about where it was, and that are short beside what was seen of it."""
    place = np.searchsorted(history.frames, history.frame)  # (N,)
    row = np.flatnonzero((np.diff(history.ids) == 0) & (np.diff(place) > 1))
    missing = place[row + 1] - place[row] - 1
    gap_s = history.times_s[place[row + 1]] - history.times_s[place[row]]
    short = (gap_s > 0) & (gap_s <= most_s + TIME_SLACK_S)
    inside = ~(_at_border(history, row) | _at_border(history, row + 1)) | (gap_s <= _OUTSIDE_S + TIME_SLACK_S)
    keep = short & inside & _well_seen(history, row, missing, short) & _steady(history, row)
    return _Gaps(row[keep], place[row[keep]], missing[keep])


def _well_seen(history: History, row: IntArray, missing: IntArray, short: BoolArray) -> BoolArray:
    """(G,) whether an object was seen for at least as long before a gap and after it, and without many such gaps."""
    first = np.flatnonzero(np.r_[True, np.diff(history.ids) != 0])  # (I,) of each identity
    count = np.diff(np.r_[first, len(history)])
    of_row = np.repeat(np.arange(len(first)), count)[row]
    missed = np.bincount(of_row, missing * short, minlength=len(first))  # (I,) long absences are no flicker
    steady = count >= _LEAST_SEEN * (count + missed)
    before, after = row - first[of_row] + 1, (first + count)[of_row] - row - 1
    return np.asarray((missing <= np.minimum(before, after)) & steady[of_row])


def _steady(history: History, row: IntArray) -> BoolArray:
    """(G,) whether the boxes on both sides of a gap are near each other and of one size."""
    a, b = (xyxy_to_cxcywh(history.boxes[r].astype(np.float64)) for r in (row, row + 1))
    heights = np.maximum(np.stack((a[:, 3], b[:, 3])), 1.0)  # (2, G)
    near = np.linalg.norm(a[:, :2] - b[:, :2], axis=1) <= _FARTHEST * heights.mean(axis=0)
    return np.asarray(near & (np.abs(np.diff(np.log(heights), axis=0)[0]) <= _LOG_SIZE_CHANGE))


def _at_border(history: History, row: IntArray) -> BoolArray:
    """(G,) whether a box touches the border of the picture, so that its object may be leaving it."""
    if history.frame_size is None:
        return np.zeros(len(row), bool)
    size: DoubleArray = np.array(history.frame_size, np.float64)
    margin = _BORDER_SHARE * size
    boxes = history.boxes[row]
    return np.asarray((boxes[:, :2] <= margin).any(axis=1) | (boxes[:, 2:] >= size - margin).any(axis=1))

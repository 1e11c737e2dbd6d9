"""What speaks for a detection continuing a track: overlap and likeness, for all candidate pairs at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tracker.arrays import every
from tracker.association.assignment import without_rival
from tracker.association.pairs import overlapping
from tracker.config import TrackerConfig
from tracker.types import BoolArray, Detections, DoubleArray, FloatArray, IntArray

# a tracker of default settings learns from no others, so that whatever else keeps or judges crops goes by the same
_MOST_COVERED = TrackerConfig().appearance_max_overlap  # a crop that is covered more shows the other one as well
_LEAST_SCORE = TrackerConfig().low_score
_TINY = float(np.finfo(np.float64).tiny)


class Candidates(NamedTuple):
    """P pairs of a track and a detection that may belong together."""

    tracks: IntArray
    """(P,) rows of the tracks."""
    detections: IntArray
    """(P,) rows of the detections."""
    overlap: DoubleArray
    """(P,) intersection over union of the widened boxes times the agreement of their heights, 0..1."""
    alone: BoolArray
    """(P,) whether no other pair has its track or its detection: of these nothing need be asked of rivals."""

    @classmethod
    def of(cls, tracks: IntArray, detections: IntArray, overlap: DoubleArray) -> Candidates:
        """These pairs, (P,) each."""
        return cls(tracks, detections, overlap, without_rival(tracks, detections))

    def select(self, keep: BoolArray) -> Candidates:
        """Some of the pairs; these where all are kept."""
        if every(keep):
            return self
        return Candidates.of(self.tracks[keep], self.detections[keep], self.overlap[keep])

    def best(self, tracks: int, detections: int) -> BoolArray:
        """(P,) whether no other pair of its track (of so many), or of its detection, overlaps more."""
        best = np.ones(len(self.tracks), bool)
        rivals = (~self.alone).nonzero()[0]
        if len(rivals):
            t, d, overlap = self.tracks[rivals], self.detections[rivals], self.overlap[rivals]
            of_track, of_detection = greatest(t, overlap, tracks), greatest(d, overlap, detections)
            best[rivals] = (overlap >= of_track[t]) & (overlap >= of_detection[d])
        return best


def greatest(group: IntArray, values: DoubleArray, groups: int) -> DoubleArray:
    """Greatest of the values (P,) of each group, 0 where it has none above that: (groups,)."""
    found = np.zeros(groups)
    np.maximum.at(found, group, values)
    return found


def candidates(
    track_boxes: DoubleArray, track_std: DoubleArray, corners: DoubleArray, sides: DoubleArray
) -> tuple[Candidates, DoubleArray]:
    """Pairs whose boxes overlap once both are widened by the track's uncertainty (buffered IoU, Yang 2023).

    Args:
        track_boxes: (4, T) predicted, cxcywh pixels.
        track_std: (T,) standard deviation of the predicted position, in heights.
        corners: (4, N) of the detections, x1, y1, x2, y2 pixels.
        sides: (2, N) their widths and heights.

    Returns:
        The pairs, and the `covered_share` of the detections (N,): one sweep finds both.
    """
    count, centre, half = len(track_std), track_boxes[:2], track_boxes[2:] / 2
    both = np.empty((4, count + corners.shape[1]))  # corners of tracks, then of detections
    np.subtract(centre, half, out=both[:2, :count])
    np.add(centre, half, out=both[2:, :count])
    both[:, count:] = corners
    wider = np.zeros(both.shape[1])
    np.multiply(np.minimum(track_std, 0.5), 2 * track_boxes[3], out=wider[:count])
    rows, columns, common = overlapping(both, corners, wider)
    end = int(rows.searchsorted(count))  # pairs of tracks come first
    covered = _largest_share(rows[end:] - count, columns[end:], common[end:], sides)
    return _with_overlap(rows[:end], columns[:end], common[:end], wider, track_boxes[2:], sides), covered


def _with_overlap(
    t: IntArray, d: IntArray, common: DoubleArray, wider: DoubleArray, tracks: DoubleArray, detections: DoubleArray
) -> Candidates:
    """Pairs (P,), (P,) with their common area (P,), where track `t` makes the boxes `wider[t]` px wider and higher.

    Of tracks (2, T) and detections (2, N) the widths and heights; those of tracks are above 0.
    """
    extra, track, seen = wider[t], tracks.take(t, axis=1), detections.take(d, axis=1)
    lower, higher = np.minimum(track[1], seen[1]), np.maximum(track[1], seen[1])
    track += extra
    seen += extra
    union = track[0] * track[1] + seen[0] * seen[1] - common
    overlap = common / union * (lower / higher)
    keep = overlap > 0
    if not every(keep):  # boxes without height go
        t, d, overlap = t[keep], d[keep], overlap[keep]
    return Candidates.of(t, d, overlap)


def covered_share(boxes: DoubleArray) -> DoubleArray:
    """(N, 4) -> (N,) the largest share of each box that any one other box covers, 0..1."""
    corners = boxes.T
    return _largest_share(*overlapping(corners, corners), corners[2:] - corners[:2])


def shows_object(detections: Detections) -> BoolArray:
    """(N,) whether a crop shows its object, for a tracker of default settings: what that ignores covers nobody."""
    counted = (detections.scores >= _LEAST_SCORE).nonzero()[0]
    shows = np.ones(len(detections), bool)
    shows[counted] = covered_share(detections.boxes[counted].astype(np.float64)) <= _MOST_COVERED
    return shows


def _largest_share(rows: IntArray, columns: IntArray, common: DoubleArray, sides: DoubleArray) -> DoubleArray:
    """Pairs (P,), (P,) among N boxes of widths and heights (2, N), with their common areas (P,) -> (N,)."""
    others = (rows != columns).nonzero()[0]
    if not len(others):
        return np.zeros(sides.shape[1])
    covered = greatest(rows[others], common[others], sides.shape[1])
    covered /= np.maximum(sides[0] * sides[1], _TINY)  # what has no area overlaps nothing
    return covered


def cosine(a: DoubleArray | FloatArray, b: DoubleArray | FloatArray) -> DoubleArray:
    """Row by row, (P, D) and (P, D) unit vectors -> (P,)."""
    return np.asarray(np.einsum("pd,pd->p", a, b), np.float64)

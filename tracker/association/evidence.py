"""What speaks for a detection continuing a track: overlap and likeness, for all candidate pairs at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tracker.association.pairs import overlapping
from tracker.boxes import area
from tracker.config import TrackerConfig
from tracker.types import BoolArray, DoubleArray, FloatArray, IntArray

MOST_COVERED = TrackerConfig().appearance_max_overlap
"""The `covered_share` up to which a crop shows its object: beyond it the crop shows the other one as well. It is where
a tracker of default settings stops to learn from crops, so what else keeps or judges crops goes by the same ones."""


class Candidates(NamedTuple):
    """P pairs of a track and a detection that may belong together."""

    tracks: IntArray
    """(P,) rows of the tracks."""
    detections: IntArray
    """(P,) rows of the detections."""
    overlap: DoubleArray
    """(P,) intersection over union of the widened boxes times the agreement of their heights, 0..1."""

    def select(self, keep: BoolArray) -> Candidates:
        """Some of the pairs; these where all are kept."""
        if np.count_nonzero(keep) == len(keep):
            return self
        return Candidates(self.tracks[keep], self.detections[keep], self.overlap[keep])


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
    count, half = len(track_std), track_boxes[2:] / 2
    tracks = np.concatenate((track_boxes[:2] - half, track_boxes[:2] + half))  # (4, T) corners
    wider = np.zeros(count + corners.shape[1])
    np.multiply(np.minimum(track_std, 0.5), 2 * track_boxes[3], out=wider[:count])
    rows, columns, common = overlapping(np.concatenate((tracks, corners), axis=1), corners, wider)
    end = int(rows.searchsorted(count))  # pairs of tracks come first
    covered = _largest_share(rows[end:] - count, columns[end:], common[end:], sides[0] * sides[1])
    return _with_overlap(rows[:end], columns[:end], common[:end], wider, track_boxes[2:], sides), covered


def _with_overlap(
    t: IntArray, d: IntArray, common: DoubleArray, wider: DoubleArray, tracks: DoubleArray, detections: DoubleArray
) -> Candidates:
    """Pairs (P,), (P,) with their common area (P,), where track `t` makes the boxes `wider[t]` px wider and higher.

    Of tracks (2, T) and detections (2, N) the widths and heights.
    """
    extra, track, seen = wider[t], tracks.take(t, axis=1), detections.take(d, axis=1)
    lower, higher = np.minimum(track[1], seen[1]), np.maximum(track[1], seen[1])
    track += extra
    seen += extra
    union = track[0] * track[1] + seen[0] * seen[1] - common
    overlap = common / np.maximum(union, 1e-9) * (lower / np.maximum(higher, 1e-9))
    return Candidates(t, d, overlap).select(overlap > 0)  # boxes without height go


def covered_share(boxes: DoubleArray) -> DoubleArray:
    """(N, 4) -> (N,) the largest share of each box that any one other box covers, 0..1."""
    return _largest_share(*overlapping(boxes.T, boxes.T), area(boxes))


def _largest_share(rows: IntArray, columns: IntArray, common: DoubleArray, own: DoubleArray) -> DoubleArray:
    """Pairs (P,), (P,) among N boxes of areas `own` (N,), with their common areas (P,) -> (N,)."""
    covered = np.zeros(len(own))
    others = (rows != columns).nonzero()[0]
    if len(others):
        np.maximum.at(covered, rows[others], common[others])
        covered /= np.maximum(own, np.finfo(np.float64).tiny)  # what has no area overlaps nothing
    return covered


def cosine(a: DoubleArray | FloatArray, b: DoubleArray | FloatArray) -> DoubleArray:
    """Row by row, (P, D) and (P, D) unit vectors -> (P,)."""
    return np.asarray(np.einsum("pd,pd->p", a, b), np.float64)

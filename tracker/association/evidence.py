"""What speaks for a detection continuing a track: overlap and likeness, for all candidate pairs at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracker.association.pairs import overlapping
from tracker.boxes import area
from tracker.types import BoolArray, DoubleArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """P pairs of a track and a detection that may belong together."""

    tracks: IntArray
    """(P,) rows of the tracks."""
    detections: IntArray
    """(P,) rows of the detections."""
    overlap: DoubleArray
    """(P,) intersection over union of the widened boxes times the agreement of their heights, 0..1."""

    def select(self, keep: BoolArray) -> Candidates:
        """Some of the pairs."""
        return Candidates(self.tracks[keep], self.detections[keep], self.overlap[keep])


def candidates(
    track_boxes: DoubleArray, track_std: DoubleArray, detection_boxes: DoubleArray
) -> tuple[Candidates, DoubleArray]:
    """Pairs whose boxes overlap once both are widened by the track's uncertainty (buffered IoU, Yang 2023).

    Args:
        track_boxes: (T, 4) predicted, cxcywh pixels.
        track_std: (T,) standard deviation of the predicted position, in heights.
        detection_boxes: (N, 4) xyxy pixels.

    Returns:
        The pairs, and the `covered_share` of the detections (N,): one sweep finds both.
    """
    count = len(track_boxes)
    half, height = track_boxes[:, 2:] / 2, track_boxes[:, 3]
    corners = np.concatenate((track_boxes[:, :2] - half, track_boxes[:, :2] + half), axis=1)  # (T, 4)
    margin = np.zeros(count + len(detection_boxes))
    np.minimum(track_std, 0.5, out=margin[:count])
    margin[:count] *= height
    rows, columns, common = overlapping(np.concatenate((corners, detection_boxes)), detection_boxes, margin)
    end = int(rows.searchsorted(count))  # pairs of tracks come first
    covered = _largest_share(rows[end:] - count, columns[end:], common[end:], area(detection_boxes))
    return _with_overlap(rows[:end], columns[:end], common[:end], 2 * margin, track_boxes, detection_boxes), covered


def _with_overlap(
    t: IntArray, d: IntArray, common: DoubleArray, wider: DoubleArray, tracks: DoubleArray, detections: DoubleArray
) -> Candidates:
    """Pairs (P,), (P,) with their common area (P,), where track `t` makes the boxes `wider[t]` px wider and higher."""
    extra, track, seen = wider[t], tracks.take(t, axis=0), detections.take(d, axis=0)
    track_height, seen_width, seen_height = track[:, 3], seen[:, 2] - seen[:, 0], seen[:, 3] - seen[:, 1]
    union = (track[:, 2] + extra) * (track_height + extra) + (seen_width + extra) * (seen_height + extra) - common
    lower, higher = np.minimum(track_height, seen_height), np.maximum(track_height, seen_height)
    overlap = common / np.maximum(union, 1e-9) * (lower / np.maximum(higher, 1e-9))
    pairs = Candidates(t, d, overlap)
    keep = overlap > 0
    return pairs if keep.all() else pairs.select(keep)  # boxes without height go


def covered_share(boxes: DoubleArray) -> DoubleArray:
    """(N, 4) -> (N,) the largest share of each box that any one other box covers, 0..1."""
    return _largest_share(*overlapping(boxes, boxes), area(boxes))


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

"""Evidence that a detection continues a track, in nats, for all candidate pairs at once.

Motion and appearance are log-likelihood ratios of "the same object" against "another object or a false detection";
they add up, and 0 is where a match is as likely as none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracker.association.pairs import overlapping
from tracker.boxes import area
from tracker.types import DoubleArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """P pairs of a track and a detection that may belong together."""

    tracks: IntArray
    """(P,) rows of the tracks."""
    detections: IntArray
    """(P,) rows of the detections."""
    overlap: DoubleArray
    """(P,) intersection over union of the widened boxes times the agreement of their heights, 0..1."""


def candidates(track_boxes: DoubleArray, track_std: DoubleArray, detection_boxes: DoubleArray) -> Candidates:
    """Pairs whose boxes overlap once both are widened by the track's uncertainty (buffered IoU, Yang 2023).

    Args:
        track_boxes: (T, 4) predicted, xyxy pixels.
        track_std: (T,) standard deviation of the predicted position, in heights.
        detection_boxes: (N, 4) xyxy pixels.
    """
    height = track_boxes[:, 3] - track_boxes[:, 1]  # (T,)
    margin = np.minimum(track_std, 0.5) * height  # (T,) px
    wide = _widen(track_boxes, margin)  # (T, 4)
    # the sweep finds pairs of the widest box; the exact widening is a pair's own
    t, d, _ = overlapping(wide, _widen(detection_boxes, margin.max(initial=0.0, keepdims=True)))
    a = wide[t]  # (P, 4)
    b = _widen(detection_boxes[d], margin[t])  # (P, 4)
    size = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])  # (P, 2)
    common = np.maximum(size[:, 0], 0) * np.maximum(size[:, 1], 0)
    union = area(a) + area(b) - common
    detected = detection_boxes[d, 3] - detection_boxes[d, 1]
    agreement = np.minimum(height[t], detected) / np.maximum(np.maximum(height[t], detected), 1e-9)
    overlap = common / np.maximum(union, 1e-9) * agreement
    keep = overlap > 0
    return Candidates(t[keep], d[keep], overlap[keep])


def _widen(boxes: DoubleArray, margin_px: DoubleArray) -> DoubleArray:
    """(N, 4) boxes, and (N,) or (1,) how far each side goes outwards."""
    return np.asarray(boxes + margin_px[:, None] * np.array([-1.0, -1.0, 1.0, 1.0]))


def cosine(a: DoubleArray | FloatArray, b: DoubleArray | FloatArray) -> DoubleArray:
    """Row by row, (P, D) and (P, D) unit vectors -> (P,)."""
    return np.asarray(np.einsum("pd,pd->p", a, b, dtype=np.float64))


def covered_share(boxes: DoubleArray) -> DoubleArray:
    """(N, 4) -> (N,) the largest share of each box that any one other box covers, 0..1."""
    rows, columns, common = overlapping(boxes, boxes)
    other = rows != columns
    share = np.zeros(len(boxes))
    np.maximum.at(share, rows[other], common[other])
    own = area(boxes)
    return np.divide(share, own, out=np.zeros_like(share), where=own > 0)

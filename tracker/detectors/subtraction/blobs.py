"""From a foreground mask to blobs: cleaned, closed, and with the pieces of one object joined."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tracker.boxes import intersection
from tracker.types import FloatArray, IntArray

Mask = NDArray[np.uint8]
Labels = NDArray[np.int32]

_PIECE_SHARE = 0.2  # of the smallest object's area: pieces smaller than that are noise
_SAME_COLUMN = 0.6  # of the narrower piece's width must lie over the other for a vertical join
_GAP_SHARE = 0.12  # of the joined height may be a gap


@dataclass(frozen=True, slots=True, eq=False)
class Blobs:
    """B connected regions of foreground, in pixels of the working picture."""

    boxes: FloatArray
    """(B, 4) xyxy."""
    areas: IntArray
    """(B,) pixels of foreground."""
    labels: Labels
    """(h, w) 0 for background, else the number of the blob from 1."""

    def __len__(self) -> int:
        return len(self.boxes)


def clean(mask: Mask) -> Mask:
    """(h, w): specks removed, small gaps closed (more vertically: people are thin and upright)."""
    opened = cv2.morphologyEx(mask, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)))
    closed = cv2.morphologyEx(opened, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 9)))
    return np.asarray(closed, np.uint8)


def find_blobs(mask: Mask, min_area: float) -> Blobs:
    """Connected regions of at least `min_area` pixels once pieces that lie over each other are joined."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA].astype(np.int64)  # (count,)
    pieces = np.flatnonzero(areas[1:] >= _PIECE_SHARE * min_area) + 1  # (P,)
    left_top = stats[pieces][:, [cv2.CC_STAT_LEFT, cv2.CC_STAT_TOP]].astype(np.float32)
    size = stats[pieces][:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].astype(np.float32)
    boxes = np.concatenate((left_top, left_top + size), axis=1)  # (P, 4)
    group = _join(boxes, areas[pieces])  # (P,) group of each piece
    joined = [np.flatnonzero(group == g) for g in np.unique(group)]
    joined = [rows for rows in joined if areas[pieces[rows]].sum() >= min_area]
    number = np.zeros(count, np.int32)  # label of a component -> number of its blob
    out = np.zeros((len(joined), 4), np.float32)
    for b, rows in enumerate(joined):
        number[pieces[rows]] = b + 1
        out[b] = (*boxes[rows, :2].min(axis=0), *boxes[rows, 2:].max(axis=0))
    total = np.array([areas[pieces[rows]].sum() for rows in joined], np.int64)
    return Blobs(out, total, number[labels])


def _join(boxes: FloatArray, areas: IntArray) -> IntArray:
    """(P, 4) -> (P,) group numbers: a piece goes with the largest one above or below it that nearly touches it."""
    group = np.arange(len(boxes))
    width = boxes[:, 2] - boxes[:, 0]
    for small in np.argsort(areas):
        over = np.minimum(boxes[small, 2], boxes[:, 2]) - np.maximum(boxes[small, 0], boxes[:, 0])  # (P,)
        gap = np.maximum(boxes[small, 1], boxes[:, 1]) - np.minimum(boxes[small, 3], boxes[:, 3])  # (P,)
        tall = np.maximum(boxes[small, 3], boxes[:, 3]) - np.minimum(boxes[small, 1], boxes[:, 1])
        fits = (over >= _SAME_COLUMN * np.minimum(width[small], width)) & (gap <= _GAP_SHARE * tall + 1)
        # joined, it must still be no wider than the larger piece was, by and large
        joined_width = np.maximum(boxes[small, 2], boxes[:, 2]) - np.minimum(boxes[small, 0], boxes[:, 0])
        fits &= (joined_width <= 1.5 * width) & (areas >= areas[small])
        fits[small] = False
        if fits.any():
            best = int(np.flatnonzero(fits)[np.argmax(areas[fits])])
            group[group == group[small]] = group[best]
    return group


def shares_in_blobs(boxes: FloatArray, blobs: Blobs) -> FloatArray:
    """(K, 4) -> (K, B): foreground pixels of each blob inside each box."""
    shares = np.zeros((len(boxes), len(blobs)), np.float32)
    touching = intersection(boxes, blobs.boxes) > 0
    height, width = blobs.labels.shape
    for k in np.flatnonzero(touching.any(axis=1)):
        x1, y1 = np.maximum(np.floor(boxes[k, :2]), 0).astype(int)
        x2, y2 = np.minimum(np.ceil(boxes[k, 2:]), (width, height)).astype(int)
        shares[k] = np.bincount(blobs.labels[y1:y2, x1:x2].reshape(-1), minlength=len(blobs) + 1)[1:]
    return shares

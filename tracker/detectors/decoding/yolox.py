"""YOLOX (Ge et al. 2021, arXiv 2107.08430): (1, N, 5 + C) rows `cx, cy, w, h, objectness, class scores`.

The exported head is usually raw: `cx = (tx + column) * stride`, `w = exp(tw) * stride` (section 2.1, anchor-free).
Exports made with `decode_in_inference` hold pixels already. Which it is shows in a run on a grey picture.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tracker.boxes import cxcywh_to_xyxy
from tracker.detectors.decoding.base import Candidates, Decode, Family, Signature, best_class, cell_count, cell_grid
from tracker.detectors.preprocessing import Preprocessing
from tracker.types import FloatArray

_STRIDES = (8, 16, 32)
# Megvii's own exports since 0.2: raw 0..255 BGR, picture in the top-left corner, 114 around it
_PREPROCESSING = Preprocessing(fit="letterbox_top_left", colours="bgr", scale=1.0)


def recognise(signature: Signature) -> Family | None:
    """One row a cell of the 8, 16, 32 grids, with an objectness that is not the constant 1 of YOLOv6."""
    rows = signature.single()
    if rows is None or len(signature.outputs) != 1 or rows.shape[1] < 6:
        return None
    if len(rows) != cell_count(signature, _STRIDES):
        return None
    if not signature.stated and bool((rows[:, 4] == 1).all()):
        return None
    cells, strides = cell_grid(signature, _STRIDES)
    raw = _is_raw(rows, cells * strides)
    decode = _decoder(cells, strides) if raw else _decode_pixels
    return Family("yolox", _PREPROCESSING, decode, class_count=rows.shape[1] - 5, names="coco80")


def _is_raw(rows: FloatArray, corners_px: FloatArray) -> bool:
    """Raw centres are within a few cells of 0, pixel centres are near the cell that they belong to."""
    from_zero = np.abs(rows[:, :2]).mean()
    from_cell = np.abs(rows[:, :2] - corners_px).mean()
    return bool(from_zero < from_cell)


def _decoder(cells: FloatArray, strides: FloatArray) -> Decode:
    def decode(outputs: Sequence[FloatArray], floor: float) -> Candidates:
        rows, scores, classes = _scored(outputs[0][0], floor)
        picked = outputs[0][0][rows]  # (K, 5 + C)
        centre = (picked[:, :2] + cells[rows]) * strides[rows]  # (K, 2)
        # beyond e^20 the box is nonsense: capped so that it overflows into no warning
        size = np.exp(np.minimum(picked[:, 2:4], 20)) * strides[rows]  # (K, 2)
        return Candidates(cxcywh_to_xyxy(np.concatenate((centre, size), axis=1)), scores, classes)

    return decode


def _decode_pixels(outputs: Sequence[FloatArray], floor: float) -> Candidates:
    rows, scores, classes = _scored(outputs[0][0], floor)
    return Candidates(cxcywh_to_xyxy(outputs[0][0][rows, :4]), scores, classes)


def _scored(table: FloatArray, floor: float) -> tuple[np.ndarray, FloatArray, np.ndarray]:
    """(N, 5 + C) -> rows, scores and classes; a class score is at most 1, so objectness alone weeds out most rows."""
    likely = np.flatnonzero(table[:, 4] >= floor)  # (L,)
    rows, scores, classes = best_class(table[likely, 5:] * table[likely, 4:5], floor)
    return likely[rows], scores, classes

"""Detectors that suppress inside the model.

(1, N, 6) rows `x1, y1, x2, y2, score, class` in input pixels: Ultralytics YOLOv10, YOLO26 and exports with `nms=True`
(padded with zero rows). (N, 7) rows `batch, x1, y1, x2, y2, class, score`: the end-to-end export of YOLOv7.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tracker.detectors.decoding.base import Candidates, Family, Signature
from tracker.detectors.preprocessing import Preprocessing
from tracker.types import FloatArray

_MOST_ROWS = 1000  # such exports return a fixed few hundred rows; dense heads have thousands
_PREPROCESSING = Preprocessing()


def recognise(signature: Signature) -> Family | None:
    """A short list of six columns, or any list of seven in two dimensions."""
    table = signature.outputs[0]
    class_count = len(signature.class_names) or None
    if table.ndim == 2 and table.shape[1] == 7 and len(signature.outputs) == 1:
        return Family("end_to_end", _PREPROCESSING, _decode_seven, suppress=False, class_count=class_count)
    rows = signature.single()
    if rows is None or rows.shape[1] < 6 or not (len(rows) <= _MOST_ROWS or signature.stated):
        return None
    if rows.shape[1] > 6 and signature.metadata.get("task") not in {"segment", "pose"}:
        return None  # masks or key points follow the six columns
    if class_count == rows.shape[1] - 4 and bool((rows[:, 2:4] > 0).all() and (rows[:, :4] <= 2).all()):
        return None  # a transformer of two classes, boxes in 0..1 and a score a class
    return Family("end_to_end", _PREPROCESSING, _decode_six, suppress=False, class_count=class_count)


def _decode_six(outputs: Sequence[FloatArray], floor: float) -> Candidates:
    table = outputs[0][0]  # (N, 6 + extra)
    rows = np.flatnonzero(table[:, 4] >= floor)
    return Candidates(table[rows, :4], table[rows, 4], table[rows, 5].astype(np.int64))


def _decode_seven(outputs: Sequence[FloatArray], floor: float) -> Candidates:
    table = outputs[0]  # (N, 7)
    rows = np.flatnonzero(table[:, 6] >= floor)
    return Candidates(table[rows, 1:5], table[rows, 6], table[rows, 5].astype(np.int64))

"""The YOLO line with a decoded head, boxes `cx, cy, w, h` in input pixels.

Two layouts: without objectness and channels first, (1, 4 + C, N) (Ultralytics YOLOv8, 9, 10-one-to-many, 11, 12), and
with objectness, (1, N, 5 + C) (YOLOv5, 6, 7; YOLOv6 has a constant objectness of 1). Masks and key points that follow
the class scores of segmentation and pose models are ignored.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tracker.boxes import cxcywh_to_xyxy
from tracker.detectors.decoding.base import Candidates, Decode, Family, Signature, best_class, cell_count
from tracker.detectors.preprocessing import Preprocessing
from tracker.types import FloatArray

_STRIDES = ((8, 16, 32), (8, 16, 32, 64))  # the second: the P6 models for large inputs
_ANCHORS = (1, 3)  # boxes a cell: anchor-free, YOLOv5 and 7
_PREPROCESSING = Preprocessing()  # RGB in 0..1, centred, 114 around it


def recognise(signature: Signature) -> Family | None:
    """(1, 4 + C, N), one column a cell."""
    table = signature.single()
    if table is None:
        return None
    channels, cells = table.shape
    known = len(signature.class_names)
    fits = cells in {cell_count(signature, s) for s in _STRIDES} and channels >= 5
    if not (fits or (signature.stated and 5 <= channels < cells)) or (known and channels < 4 + known):
        return None
    classes = known or channels - 4
    return Family("yolo", _PREPROCESSING, _decoder(classes), class_count=classes, names="coco80")


def recognise_with_objectness(signature: Signature) -> Family | None:
    """(1, N, 5 + C), one or three rows a cell."""
    table = signature.single()
    if table is None:
        return None
    cells, channels = table.shape
    known = len(signature.class_names)
    counts = {cell_count(signature, s) * n for s in _STRIDES for n in _ANCHORS}
    if not (cells in counts or (signature.stated and cells > channels)) or channels < 5 + max(known, 1):
        return None
    classes = known or channels - 5
    return Family("yolov5", _PREPROCESSING, _objectness_decoder(classes), class_count=classes, names="coco80")


def _decoder(class_count: int) -> Decode:
    def decode(outputs: Sequence[FloatArray], floor: float) -> Candidates:
        table = outputs[0][0]  # (4 + C + extra, N)
        scores = table[4 : 4 + class_count]  # (C, N), contiguous: the maximum runs along memory
        best = scores.max(axis=0)  # (N,)
        columns = np.flatnonzero(best >= floor)  # (K,)
        boxes = np.ascontiguousarray(table[:4, columns].T)  # (K, 4)
        return Candidates(cxcywh_to_xyxy(boxes), best[columns], scores[:, columns].argmax(axis=0))

    return decode


def _objectness_decoder(class_count: int) -> Decode:
    def decode(outputs: Sequence[FloatArray], floor: float) -> Candidates:
        table = outputs[0][0]  # (N, 5 + C + extra)
        likely = np.flatnonzero(table[:, 4] >= floor)  # (L,) class scores are at most 1
        rows, scores, classes = best_class(table[likely, 5 : 5 + class_count] * table[likely, 4:5], floor)
        return Candidates(cxcywh_to_xyxy(table[likely[rows], :4]), scores, classes)

    return decode

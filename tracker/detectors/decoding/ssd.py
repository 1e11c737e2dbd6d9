"""Outputs that hold boxes, scores and classes apart: SSD and its relatives, known by names and shapes.

- TensorFlow object detection: `detection_boxes` (1, N, 4) as y1, x1, y2, x2 in 0..1, `detection_scores` (1, N),
  `detection_classes` (1, N) counted from 1, `num_detections`; some conversions leave the classes out (one class).
- torchvision, and the TensorRT-style exports of YOLOv7 and 9 (`num_dets`, `det_boxes`, `det_scores`, `det_classes`):
  x1, y1, x2, y2 in input pixels.
- Caffe and OpenVINO `DetectionOutput`: (1, 1, N, 7) rows `image, class, score, x1, y1, x2, y2` in 0..1.
- Undecided scores: boxes (1, N, 4) with scores (1, N, C), a softmax whose class 0 is background (pytorch-ssd), or plain
  scores (YOLO-NAS).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tracker.detectors.decoding.base import Candidates, Decode, Family, Signature, Space, best_class
from tracker.detectors.preprocessing import Preprocessing
from tracker.types import FloatArray

_TENSORFLOW = Preprocessing(fit="stretch", scale=1.0)
_UNIT_RGB = Preprocessing(fit="stretch")
_CAFFE = Preprocessing(fit="stretch", colours="bgr", scale=1.0)
_PYTORCH_SSD = Preprocessing(fit="stretch", scale=1.0, mean=(127.0,) * 3, std=(128.0,) * 3)
_UNIT_LIMIT = 2.0  # boxes in 0..1 reach a little over the border, never this far; in pixels they are larger


def recognise(signature: Signature) -> Family | None:
    """One of the layouts above."""
    if signature.takes_frame_size:
        return None
    return _detection_output(signature) or _separate(signature) or _undecided(signature)


def _find(signature: Signature, *words: str) -> int | None:
    """The output whose name holds one of these words."""
    for index, name in enumerate(signature.output_names):
        if any(word in name.lower() for word in words):
            return index
    return None


def _space(boxes: FloatArray) -> Space:
    return "unit" if boxes.size and float(np.abs(boxes).max()) <= _UNIT_LIMIT else "input"


def _detection_output(signature: Signature) -> Family | None:
    table = signature.outputs[0]
    if len(signature.outputs) != 1 or table.ndim != 4 or table.shape[:2] != (1, 1) or table.shape[3] != 7:
        return None

    def decode(outputs: Sequence[FloatArray], floor: float) -> Candidates:
        rows = outputs[0][0, 0]  # (N, 7)
        rows = rows[(rows[:, 0] >= 0) & (rows[:, 2] >= floor)]  # image -1 ends the list
        return Candidates(rows[:, 3:7], rows[:, 2], rows[:, 1].astype(np.int64))

    return Family("ssd", _CAFFE, decode, space="unit", suppress=False)


def _separate(signature: Signature) -> Family | None:
    boxes_at = _find(signature, "box")
    scores_at = _find(signature, "score", "conf")
    if boxes_at is None or scores_at is None or boxes_at == scores_at:
        return None
    boxes, scores = signature.outputs[boxes_at], signature.outputs[scores_at]
    if boxes.shape[-1] != 4 or scores.ndim != boxes.ndim - 1:
        return None
    classes_at = _find(signature, "class", "label")
    count_at = _find(signature, "num")
    tensorflow = "detection_boxes" in signature.output_names[boxes_at].lower()
    how = _TENSORFLOW if tensorflow or signature.input_dtype == "uint8" else _UNIT_RGB
    decode = _separate_decoder(boxes_at, scores_at, classes_at, count_at, y_first=tensorflow)
    space: Space = "unit" if tensorflow else _space(boxes)
    one = 1 if classes_at is None else len(signature.class_names) or None
    return Family("ssd", how, decode, space=space, suppress=False, class_count=one, names="coco91")


def _separate_decoder(
    boxes_at: int, scores_at: int, classes_at: int | None, count_at: int | None, *, y_first: bool
) -> Decode:
    def decode(outputs: Sequence[FloatArray], floor: float) -> Candidates:
        boxes, scores = outputs[boxes_at].reshape(-1, 4), outputs[scores_at].reshape(-1)
        valid = len(scores) if count_at is None else int(outputs[count_at].reshape(-1)[0])
        rows = np.flatnonzero(scores[:valid] >= floor)
        picked = boxes[rows][:, [1, 0, 3, 2]] if y_first else boxes[rows]
        if classes_at is None:
            return Candidates(picked, scores[rows], np.zeros(len(rows), np.int64))
        return Candidates(picked, scores[rows], outputs[classes_at].reshape(-1)[rows].astype(np.int64))

    return decode


def _undecided(signature: Signature) -> Family | None:
    """Two tensors with a row a prior; by name, or by four columns of boxes beside any number of scores."""
    if len(signature.outputs) != 2 or any(o.ndim != 3 or o.shape[0] != 1 for o in signature.outputs):
        return None
    four = [i for i, o in enumerate(signature.outputs) if o.shape[2] == 4]
    boxes_at = _find(signature, "box") if len(four) != 1 else four[0]
    if boxes_at is None or boxes_at not in four:
        return None
    boxes, scores = signature.outputs[boxes_at], signature.outputs[1 - boxes_at]
    if boxes.shape[1] != scores.shape[1] or not bool(((scores >= 0) & (scores <= 1)).all()):
        return None  # logits: a DETR
    # without the model's word for it, a list as short as a transformer's queries is left to that family
    if not signature.stated and boxes.shape[1] <= 1000:
        return None
    background = scores.shape[2] > 1 and bool(np.allclose(scores.sum(axis=2), 1, atol=1e-2))
    first = 1 if background else 0
    how = _PYTORCH_SSD if background else Preprocessing()

    def decode(outputs: Sequence[FloatArray], floor: float) -> Candidates:
        rows, best, classes = best_class(outputs[1 - boxes_at][0][:, first:], floor)
        return Candidates(outputs[boxes_at][0][rows], best, classes)

    count = scores.shape[2] - first
    return Family("ssd", how, decode, space=_space(boxes), class_count=count, names="coco80")

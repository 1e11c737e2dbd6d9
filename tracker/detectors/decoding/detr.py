"""Transformer detectors: a set of queries, no suppression.

- DETR (Carion et al. 2020): `logits` and `boxes`, (1, Q, C + 1) and (1, Q, 4) as cx, cy, w, h in 0..1, a softmax whose
  last class means "nothing". Deformable DETR, RF-DETR (`labels` and `dets`): the same with a sigmoid a class.
- RT-DETR and D-FINE (Zhao et al. 2023): take the frame's size as a second input and return `labels`, `boxes`, `scores`
  with x1, y1, x2, y2 in frame pixels.
- RT-DETR as exported by Ultralytics: (1, Q, 4 + C), cx, cy, w, h in 0..1, then probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tracker.boxes import cxcywh_to_xyxy
from tracker.detectors.decoding.base import Candidates, Family, NameList, Signature, best_class, sigmoid, softmax
from tracker.detectors.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from tracker.types import FloatArray

_NORMALISED = Preprocessing(fit="stretch", mean=IMAGENET_MEAN, std=IMAGENET_STD)
_PLAIN = Preprocessing(fit="stretch")
_MOST_QUERIES = 1000


def recognise(signature: Signature) -> Family | None:
    """Boxes with class logits a query, in two outputs or in one."""
    if signature.takes_frame_size:
        return None
    return _two_outputs(signature) or _one_output(signature)


def recognise_with_frame_size(signature: Signature) -> Family | None:
    """RT-DETR: three outputs, and an input that takes the frame's size."""
    if not signature.takes_frame_size or len(signature.outputs) != 3:
        return None
    boxes_at = next((i for i, o in enumerate(signature.outputs) if o.shape[-1] == 4 and o.ndim >= 2), None)
    scores_at = next((i for i, n in enumerate(signature.output_names) if "score" in n.lower()), None)
    if boxes_at is None or scores_at is None or boxes_at == scores_at:
        return None
    labels_at = 3 - boxes_at - scores_at  # the one that is left of 0, 1, 2

    def decode(outputs: Sequence[FloatArray], floor: float) -> Candidates:
        scores = outputs[scores_at].reshape(-1)
        rows = np.flatnonzero(scores >= floor)
        labels = outputs[labels_at].reshape(-1)[rows].astype(np.int64)
        return Candidates(outputs[boxes_at].reshape(-1, 4)[rows], scores[rows], labels)

    count = len(signature.class_names) or None
    return Family("rtdetr", _PLAIN, decode, space="frame", suppress=False, class_count=count)


def _two_outputs(signature: Signature) -> Family | None:
    if len(signature.outputs) < 2 or any(o.ndim != 3 or o.shape[0] != 1 for o in signature.outputs[:2]):
        return None
    named = [i for i, n in enumerate(signature.output_names[:2]) if "box" in n.lower() or "dets" in n.lower()]
    four = [i for i in (0, 1) if signature.outputs[i].shape[2] == 4]
    boxes_at = named[0] if named else four[0] if four else None
    if boxes_at is None or boxes_at not in four or signature.outputs[boxes_at].shape[1] > _MOST_QUERIES:
        return None
    logits = signature.outputs[1 - boxes_at]
    if logits.shape[1] != signature.outputs[boxes_at].shape[1]:
        return None
    nothing_last = _has_nothing_class(logits[0])

    def decode(outputs: Sequence[FloatArray], floor: float) -> Candidates:
        table = outputs[1 - boxes_at][0]  # (Q, C) or (Q, C + 1)
        scores = softmax(table)[:, :-1] if nothing_last else sigmoid(table)
        rows, best, classes = best_class(scores, floor)
        return Candidates(cxcywh_to_xyxy(outputs[boxes_at][0][rows]), best, classes)

    count = logits.shape[2] - int(nothing_last)
    names: NameList = "coco91" if count in {90, 91} else "coco80"
    return Family("detr", _NORMALISED, decode, space="unit", suppress=False, class_count=count, names=names)


def _has_nothing_class(logits: FloatArray) -> bool:
    """On a grey picture a softmax DETR votes for its last class nearly everywhere; a sigmoid one is against all."""
    if logits.shape[1] < 2:
        return False
    last = logits.argmax(axis=1) == logits.shape[1] - 1  # (Q,)
    return bool((last & (logits[:, -1] > 0)).mean() > 0.5)


def _one_output(signature: Signature) -> Family | None:
    rows = signature.single()
    known = len(signature.class_names)
    if rows is None or len(signature.outputs) != 1 or len(rows) > _MOST_QUERIES or rows.shape[1] < 5:
        return None
    if known and rows.shape[1] != 4 + known:
        return None
    if not bool(((rows[:, 4:] >= 0) & (rows[:, 4:] <= 1)).all() and (np.abs(rows[:, :4]) <= 2).all()):
        return None

    def decode(outputs: Sequence[FloatArray], floor: float) -> Candidates:
        table = outputs[0][0]  # (Q, 4 + C)
        picked, best, classes = best_class(table[:, 4:], floor)
        return Candidates(cxcywh_to_xyxy(table[picked, :4]), best, classes)

    count = rows.shape[1] - 4
    return Family("detr", _PLAIN, decode, space="unit", suppress=False, class_count=count, names="coco80")

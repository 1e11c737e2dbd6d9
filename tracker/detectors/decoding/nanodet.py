"""NanoDet and NanoDet-Plus: distances to the four sides as distributions (Generalized Focal Loss, Li et al. 2020).

Each side is a softmax over `reg_max + 1` bins; its expectation times the stride is the distance from the cell's point
to the side. NanoDet-Plus has one output (1, N, C + 4 * bins) over strides 8, 16, 32, 64, with the cell's point at its
top-left corner; the first NanoDet has a class and a distance output a level over 8, 16, 32, with the point at its
centre. Class scores leave the model as probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tracker.detectors.decoding.base import (
    Candidates,
    Decode,
    Family,
    Signature,
    best_class,
    cell_count,
    cell_grid,
    grid_sizes,
    sigmoid,
    softmax,
)
from tracker.detectors.preprocessing import Preprocessing
from tracker.types import FloatArray

_STRIDES = (8, 16, 32)
_PLUS_STRIDES = (8, 16, 32, 64)
_BINS = 8  # reg_max 7 in every published configuration
_MEAN = (103.53 / 255, 116.28 / 255, 123.675 / 255)  # BGR, the project's configuration files
_STD = (57.375 / 255, 57.12 / 255, 58.395 / 255)
# The published configurations stretch; keeping the aspect ratio finds more
# (TUD-Stadtmitte at score 0.4: recall .81 instead of .68, at the same precision)
_PREPROCESSING = Preprocessing(fit="letterbox", colours="bgr", mean=_MEAN, std=_STD)

Split = Callable[[Sequence[FloatArray]], tuple[FloatArray, FloatArray]]


def recognise(signature: Signature) -> Family | None:
    """One joint output over four levels, or a pair of outputs for each of three."""
    return _recognise_plus(signature) or _recognise_levels(signature)


def _recognise_plus(signature: Signature) -> Family | None:
    rows = signature.single()
    if rows is None or len(signature.outputs) != 1 or len(rows) != cell_count(signature, _PLUS_STRIDES):
        return None
    classes = rows.shape[1] - 4 * _BINS
    if classes < 1:
        return None

    def split(outputs: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray]:
        return outputs[0][0][:, :classes], outputs[0][0][:, classes:]

    points, strides = cell_grid(signature, _PLUS_STRIDES)
    return _family(signature, split, points, strides, classes)


def _recognise_levels(signature: Signature) -> Family | None:
    """Outputs may come in any order: a level is known by its cells, its two tensors by their columns."""
    if len(signature.outputs) != 2 * len(_STRIDES) or any(o.ndim != 3 or o.shape[0] != 1 for o in signature.outputs):
        return None
    cells = [rows * columns for rows, columns in grid_sizes(signature, _STRIDES)]
    score_at, distance_at = [], []
    for count in cells:
        level = [i for i, o in enumerate(signature.outputs) if o.shape[1] == count]
        distance = [i for i in level if signature.outputs[i].shape[2] == 4 * _BINS and "cls" not in _name(signature, i)]
        if len(level) != 2 or not distance:
            return None
        distance_at.append(distance[-1])
        score_at.append(level[0] if level[1] == distance[-1] else level[1])
    classes = {signature.outputs[i].shape[2] for i in score_at}
    if len(classes) != 1:
        return None

    def split(outputs: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray]:
        scores = np.concatenate([outputs[i][0] for i in score_at])  # (N, C)
        return scores, np.concatenate([outputs[i][0] for i in distance_at])  # (N, 4 * bins)

    points, strides = cell_grid(signature, _STRIDES)
    return _family(signature, split, points + 0.5, strides, classes.pop())


def _name(signature: Signature, output: int) -> str:
    return signature.output_names[output].lower()


def _family(signature: Signature, split: Split, points: FloatArray, strides: FloatArray, classes: int) -> Family:
    scores, _ = split(signature.outputs)
    probabilities = bool(((scores >= 0) & (scores <= 1)).all())  # some exports leave the sigmoid out
    decode = _decoder(split, points, strides, probabilities)
    return Family("nanodet", _PREPROCESSING, decode, class_count=classes, names="coco80")


def _decoder(split: Split, points: FloatArray, strides: FloatArray, probabilities: bool) -> Decode:
    bins = np.arange(_BINS, dtype=np.float32)

    def decode(outputs: Sequence[FloatArray], floor: float) -> Candidates:
        scores, distances = split(outputs)
        rows, best, classes = best_class(scores if probabilities else sigmoid(scores), floor)
        sides = softmax(distances[rows].reshape(-1, 4, _BINS)) @ bins  # (K, 4) left, top, right, bottom in cells
        point = points[rows]  # (K, 2)
        boxes = np.concatenate((point - sides[:, :2], point + sides[:, 2:]), axis=1) * strides[rows]
        return Candidates(boxes, best, classes)

    return decode

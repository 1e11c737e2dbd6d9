"""What a detector saw in one frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tracker.errors import InputError
from tracker.types.arrays import BoolArray, FloatArray, IntArray
from tracker.types.rows import as_rows, off_unit, refuse_row


@dataclass(frozen=True, slots=True, eq=False, init=False)
class Detections:
    """What a detector saw in one frame: N objects, checked on construction, never changed afterwards.

    Arguments are copied, as the dtypes below: what a caller does with its arrays later changes nothing here. None for
    `scores` means 1 for each, for `classes` 0 for each, for `has_embedding` all rows where `embeddings` is given, else
    none.

    Raises:
        InputError: a shape, dtype or value is wrong; the message names the field and the row.
    """

    boxes: FloatArray
    """(N, 4) float32, `x1, y1, x2, y2` in pixels; may reach over the border of the picture."""
    scores: FloatArray
    """(N,) float32 in 0..1."""
    classes: IntArray
    """(N,) int64."""
    embeddings: FloatArray | None
    """(N, D) float32 of unit length, or None. Rows without an embedding are ignored (see `has_embedding`)."""
    has_embedding: BoolArray
    """(N,) bool: which rows of `embeddings` count."""
    frame_size: tuple[int, int] | None
    """(width_px, height_px) of the frame, where known."""

    def __init__(
        self,
        boxes: ArrayLike,
        scores: ArrayLike | None = None,
        classes: ArrayLike | None = None,
        embeddings: ArrayLike | None = None,
        has_embedding: ArrayLike | None = None,
        frame_size: tuple[int, int] | None = None,
    ) -> None:
        put = object.__setattr__
        put(self, "boxes", _check_boxes(boxes))
        n = len(self.boxes)
        put(self, "scores", np.ones(n, np.float32) if scores is None else _check_scores(scores, n))
        put(self, "classes", np.zeros(n, np.int64) if classes is None else _check_classes(classes, n))
        given = np.zeros(n, bool) if embeddings is None else np.ones(n, bool)
        mask = given if has_embedding is None else as_rows("has_embedding", has_embedding, (n,), np.bool_)
        put(self, "has_embedding", mask)
        put(self, "embeddings", _check_embeddings(embeddings, self.has_embedding))
        put(self, "frame_size", None if frame_size is None else _check_frame_size(frame_size))

    def __len__(self) -> int:
        return len(self.boxes)

    @classmethod
    def empty(cls) -> Detections:
        """No detection at all."""
        return cls(np.zeros((0, 4), np.float32))

    def select(self, rows: NDArray[Any]) -> Detections:
        """The detections of these rows (indices or mask), in that order."""
        return Detections(
            self.boxes[rows],
            self.scores[rows],
            self.classes[rows],
            None if self.embeddings is None else self.embeddings[rows],
            self.has_embedding[rows],
            self.frame_size,
        )

    @classmethod
    def from_ultralytics(cls, results: Any) -> Detections:
        """From one `ultralytics.engine.results.Results` (or its `.boxes`)."""
        boxes = getattr(results, "boxes", results)
        if boxes is None or not hasattr(boxes, "xyxy"):
            raise InputError(f"from_ultralytics needs one Results object with boxes, got {type(results).__name__}")

        def numpy(value: Any) -> NDArray[Any]:
            return np.asarray(value.cpu().numpy() if hasattr(value, "cpu") else value)

        height_width = getattr(boxes, "orig_shape", None)
        size = (int(height_width[1]), int(height_width[0])) if height_width is not None else None
        return cls(numpy(boxes.xyxy), numpy(boxes.conf), numpy(boxes.cls), frame_size=size)

    @classmethod
    def from_supervision(cls, detections: Any) -> Detections:
        """From one `supervision.Detections`."""
        if not hasattr(detections, "xyxy"):
            raise InputError(f"from_supervision needs a supervision.Detections, got {type(detections).__name__}")
        return cls(detections.xyxy, detections.confidence, detections.class_id)


def _check_boxes(value: ArrayLike) -> FloatArray:
    boxes: FloatArray = as_rows("boxes", value, (None, 4), np.float32)
    finite, negative = np.isfinite(boxes), boxes[:, 2:] < boxes[:, :2]
    if np.count_nonzero(finite) < boxes.size or np.count_nonzero(negative):
        refuse_row("boxes", boxes, np.asarray(~finite.all(axis=1)), "finite")
        refuse_row("boxes", boxes, np.asarray(negative.any(axis=1)), "x1, y1, x2, y2 with x2 >= x1 and y2 >= y1")
    return boxes


def _check_scores(value: ArrayLike, n: int) -> FloatArray:
    array: FloatArray = as_rows("scores", value, (n,), np.float32)
    within = (array >= 0) & (array <= 1)  # not so where there is NaN
    if np.count_nonzero(within) < n:
        refuse_row("scores", array, ~within, "within 0..1")
    return array


def _check_classes(value: ArrayLike, n: int) -> IntArray:
    array: IntArray = as_rows("classes", value, (n,), np.int64)
    refuse_row("classes", array, array < 0, "0 or more")
    return array


def _check_frame_size(value: tuple[int, int]) -> tuple[int, int]:
    try:
        width_px, height_px = value
        good = width_px > 0 and height_px > 0
    except (TypeError, ValueError):
        good = False
    if not good:
        raise InputError(f"frame_size must be (width_px, height_px), both positive, got {value!r}")
    return int(width_px), int(height_px)


def _check_embeddings(value: ArrayLike | None, has: BoolArray) -> FloatArray | None:
    if value is None:
        if has.any():
            raise InputError(f"has_embedding[{int(np.flatnonzero(has)[0])}] is True but embeddings is None")
        return None
    vectors: FloatArray = as_rows("embeddings", value, (len(has), None), np.float32)
    if len(has) and vectors.shape[1] == 0:
        raise InputError(f"embeddings must have at least one dimension, got shape {vectors.shape}")
    refuse_row("embeddings", vectors, has & off_unit(vectors)[1], "finite, of unit length")
    return vectors

"""Non-maximum suppression on arrays."""

from __future__ import annotations

import cv2
import numpy as np

from tracker.types import FloatArray, IntArray


def non_maximum_suppression(
    boxes: FloatArray, scores: FloatArray, classes: IntArray, *, iou: float, max_kept: int
) -> IntArray:
    """Greedy suppression within each class.

    Args:
        boxes: (N, 4) xyxy, finite.
        scores: (N,).
        classes: (N,); boxes of different classes never suppress each other.
        iou: a box goes where it overlaps a better one of its class by more than this.
        max_kept: at most so many rows are returned, the best first.

    Returns:
        (K,) rows to keep, by falling score; equal scores keep the order of the input.
    """
    if not len(boxes):
        return np.zeros(0, np.int64)
    order = np.argsort(-scores, kind="stable")  # (N,)
    rects = boxes[order].astype(np.float64)  # (N, 4)
    rects[:, 2:] -= rects[:, :2]  # cv2 takes left, top, width, height
    # Classes are moved apart so that one pass serves all: the step is wider than the whole field of boxes
    step = float(rects[:, :2].max() - rects[:, :2].min() + rects[:, 2:].max() + 1)
    rects[:, 0] += classes[order] * step
    # Scores stay out of cv2's hands (it drops those that are not above a threshold): the order says all it needs
    ranks = np.linspace(1.0, 0.5, len(order), dtype=np.float32)  # (N,) falling, all above 0
    kept = cv2.dnn.NMSBoxes(rects, ranks, 0.0, iou)  # type: ignore[arg-type]  # it takes arrays, faster than lists
    rows: IntArray = order[np.sort(np.asarray(kept, np.int64).reshape(-1))]
    return rows[:max_kept]

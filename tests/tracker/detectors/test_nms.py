from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.boxes import iou
from tracker.detectors.nms import non_maximum_suppression
from tracker.types import FloatArray, IntArray


def greedy(boxes: FloatArray, scores: FloatArray, classes: IntArray, limit: float) -> list[int]:
    """The textbook loop."""
    kept: list[int] = []
    for row in np.argsort(-scores, kind="stable").tolist():
        same = [k for k in kept if classes[k] == classes[row]]
        if not same or iou(boxes[[row]].astype(np.float64), boxes[same].astype(np.float64)).max() <= limit:
            kept.append(row)
    return kept


@settings(max_examples=60)
@given(st.integers(0, 60), st.integers(1, 4), st.sampled_from([0.1, 0.45, 0.6, 0.9]), st.integers(0, 10_000))
def test_agrees_with_the_textbook_loop(count: int, class_count: int, limit: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    corners = rng.uniform(-20, 300, (count, 2))
    boxes = np.concatenate((corners, corners + rng.uniform(5, 120, (count, 2))), axis=1).astype(np.float32)
    scores = rng.uniform(0, 1, count).astype(np.float32)
    classes = rng.integers(0, class_count, count)
    kept = non_maximum_suppression(boxes, scores, classes, iou=limit, max_kept=1000)
    assert kept.tolist() == greedy(boxes, scores, classes, limit)


def test_equal_scores_keep_the_order_and_classes_do_not_meet() -> None:
    boxes = np.tile(np.array([[10, 10, 50, 90]], np.float32), (4, 1))
    scores = np.full(4, 0.5, np.float32)
    kept = non_maximum_suppression(boxes, scores, np.array([7, 7, 0, 0]), iou=0.5, max_kept=10)
    assert kept.tolist() == [0, 2]


def test_scores_of_zero_are_boxes_too() -> None:
    boxes = np.array([[0, 0, 10, 10], [50, 50, 60, 60]], np.float32)
    kept = non_maximum_suppression(boxes, np.zeros(2, np.float32), np.zeros(2, np.int64), iou=0.5, max_kept=10)
    assert kept.tolist() == [0, 1]


@pytest.mark.parametrize("most", [1, 3])
def test_keeps_the_best_ones(most: int) -> None:
    boxes = np.array([[100 * i, 0, 100 * i + 50, 50] for i in range(6)], np.float32)
    scores = np.array([0.1, 0.9, 0.3, 0.8, 0.5, 0.2], np.float32)
    kept = non_maximum_suppression(boxes, scores, np.zeros(6, np.int64), iou=0.5, max_kept=most)
    assert kept.tolist() == [1, 3, 4][:most]

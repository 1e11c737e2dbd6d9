"""A shift that all predictions share."""

from __future__ import annotations

import numpy as np
import pytest

from tracker import Detections, Tracker, TrackerConfig
from tracker.association.evidence import Candidates
from tracker.motion.drift import common_shift


def people(count: int, seed: int = 0) -> np.ndarray:
    """(4, count) cxcywh, apart from each other."""
    rng = np.random.default_rng(seed)
    return np.stack(
        (np.arange(count) * 150.0, rng.uniform(100, 400, count), np.full(count, 40.0), np.full(count, 100.0))
    )


def same(count: int) -> Candidates:
    return Candidates.of(np.arange(count), np.arange(count), np.full(count, 0.6))


def test_a_shift_of_all_is_found_though_some_go_their_own_ways() -> None:
    box = people(9)
    seen = box + np.array([[12.0], [-7.0], [0], [0]])
    seen[:2, :2] += 30
    np.testing.assert_allclose(common_shift(box, seen, same(9)), (12, -7))


@pytest.mark.parametrize("count", [0, 3])
def test_few_tell_nothing_of_all(count: int) -> None:
    box = people(count)
    assert not common_shift(box, box + 20, same(count)).any()


def test_people_who_go_their_own_ways_have_nothing_in_common() -> None:
    box, rng = people(12), np.random.default_rng(1)
    seen = box.copy()
    seen[:2] += rng.normal(0, 10, (2, 12))
    assert not common_shift(box, seen, same(12)).any()


def test_a_jerk_of_the_camera_costs_no_numbers() -> None:
    tracker, box = Tracker(), people(6)
    first = None
    for i in range(40):
        moved = box + np.array([[0.0 if i < 20 else 27.0], [0], [0], [0]])  # over half a width
        corners = np.concatenate((moved[:2] - moved[2:] / 2, moved[:2] + moved[2:] / 2)).T
        result = tracker.update(Detections(corners), time_s=i * 0.04)
        first = result.ids.tolist() if i == 5 else first
    assert sorted(result.ids.tolist()) == sorted(first or [])


def corners(box: np.ndarray) -> np.ndarray:
    return np.concatenate((box[:2] - box[2:] / 2, box[:2] + box[2:] / 2)).T


@pytest.mark.parametrize("count", [3, 8])
def test_who_all_walk_one_way_are_found_where_they_went(count: int) -> None:
    tracker, box = Tracker(), people(count)
    for i in range(80):
        moved = box + np.array([[8.0 * i], [0], [0], [0]])
        if i < 40 or i >= 55:
            result = tracker.update(Detections(corners(moved)), time_s=i * 0.04)
        else:
            result = tracker.update(Detections.empty(), time_s=i * 0.04)
        if i == 39:
            ahead = tracker.predict(i * 0.04 + 0.2).boxes - result.boxes
    np.testing.assert_allclose(ahead[:, 0], 40, atol=8)
    assert sorted(result.ids.tolist()) == list(range(1, count + 1))


def test_where_somebody_hid_moves_with_the_picture() -> None:
    def look(number: int) -> np.ndarray:
        vector = np.random.default_rng(number).normal(size=64)
        return vector / np.linalg.norm(vector)

    tracker, box = Tracker(TrackerConfig(memory_size=0)), people(6)
    box[0] = np.arange(6) * 300.0
    for i in range(90):
        shift = 0 if i < 50 else min(25 * (i - 49), 175)  # seven jerks
        shown = np.arange(1, 6) if 45 <= i < 62 else np.arange(6)
        moved = box[:, shown] + np.array([[shift], [0.0], [0], [0]])
        if i >= 62:
            moved[:2, 0] += (100, -40)  # walked on meanwhile
        looks = [look(k) for k in shown.tolist()]
        result = tracker.update(Detections(corners(moved), embeddings=looks), time_s=i * 0.04)
    assert sorted(result.ids.tolist()) == [1, 2, 3, 4, 5, 6]

"""A tracker forgets somebody: who left is not known again, who is here is followed on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from reid import Calibration
from tracker import Detections, Tracker, TrackerConfig, Tracks
from tracker.errors import InputError
from tracker.table import TrackTable

DT_S, DIMENSION = 0.04, 24
GONE_S = 4.0
CALIBRATION = Calibration(35.0, -28.0)


@dataclass(frozen=True)
class Info:
    dimension: int = DIMENSION
    model_hash: str = "ab" * 32
    calibration: Any = CALIBRATION


def look(person: int, time_s: float) -> np.ndarray:
    own = np.random.default_rng(person).normal(size=DIMENSION)
    seen = own + np.random.default_rng((person, round(1000 * time_s))).normal(0, 0.3, DIMENSION)
    return (seen / np.linalg.norm(seen)).astype(np.float32)


class Walk:
    """A tracker that is fed with people at places."""

    def __init__(self, **options: Any) -> None:
        self.tracker = Tracker(TrackerConfig(max_lost_s=1.0), appearance=Info(), **options)
        self.time_s = 0.0

    def step(self, places: dict[int, float], *, looks: bool = True) -> Tracks:
        boxes = [[x, 100, x + 40, 200] for x in places.values()]
        vectors = [look(person, self.time_s) for person in places] if looks and places else None
        tracks = self.tracker.update(Detections(boxes, embeddings=vectors), time_s=self.time_s)
        self.time_s += DT_S
        return tracks

    def stay(self, seconds: float, places: dict[int, float], *, looks: bool = True) -> list[int]:
        """Numbers in the last frame, in the order of places."""
        for _ in range(round(seconds / DT_S)):
            tracks = self.step(places, looks=looks)
        rows = np.argsort(tracks.detections)
        return tracks.ids[rows].tolist()


def test_who_left_gets_a_new_number_and_the_others_keep_theirs() -> None:
    def back(*forgotten: int) -> list[int]:
        walk = Walk()
        assert walk.stay(2, {1: 0.0, 2: 300.0}) == [1, 2]
        walk.stay(GONE_S, {})
        walk.tracker.forget(forgotten)
        return walk.stay(2, {1: 600.0, 2: 900.0})

    assert back() == [1, 2]
    assert back(1) == [3, 2]
    assert back(2, 99) == [1, 3], "numbers that nobody has are passed over"


def test_who_is_here_is_followed_on_and_known_by_what_they_look_like_from_then_on() -> None:
    walk = Walk()
    walk.stay(2, {1: 0.0, 2: 300.0})
    walk.tracker.forget([1])
    assert walk.stay(2, {1: 0.0, 2: 300.0}) == [1, 2]
    walk.stay(GONE_S, {})
    assert walk.stay(2, {1: 600.0, 2: 900.0}) == [1, 2]


@pytest.mark.parametrize("lost", [False, True], ids=["in the picture", "lost for a moment"])
def test_nothing_is_left_of_who_is_not_looked_at_any_more(lost: bool) -> None:
    walk = Walk()
    walk.stay(2, {1: 0.0, 2: 300.0})
    if lost:
        walk.step({2: 300.0})
    walk.tracker.forget([1])
    assert walk.stay(0.4, {1: 0.0, 2: 300.0}, looks=False) == [1, 2]
    walk.stay(GONE_S, {})
    assert walk.stay(2, {1: 600.0, 2: 900.0}) == [3, 2]


def test_a_claim_of_somebody_who_is_forgotten_stays_without_their_past() -> None:
    walk = Walk()
    walk.stay(2, {1: 0.0})
    walk.stay(GONE_S, {})
    assert walk.stay(1, {1: 600.0}) == [1]  # claimed, and not settled yet
    assert not walk.tracker._tracks.settled.any()
    walk.tracker.forget([1])
    assert walk.stay(2, {1: 600.0}) == [1]
    assert len(walk.tracker._identities.memory) == 0
    assert walk.tracker._tracks.vectors[0] <= 2 / DT_S, "none from before"


def recalled() -> Walk:
    """Somebody was reported as 3, and found to be 1 who came back; nothing is settled."""
    walk = Walk()
    walk.stay(2, {1: 0.0, 2: 300.0})
    walk.stay(GONE_S, {})
    walk.stay(0.4, {1: 600.0})
    tracks = walk.tracker._tracks
    tracks.own_ids[0] = 3
    assert (tracks.ids.tolist(), tracks.settled.tolist(), tracks.vectors[0] > 0) == ([1], [False], True)
    return walk


def test_the_number_that_somebody_had_before_a_claim_is_theirs() -> None:
    walk = recalled()
    walk.tracker.forget([3])
    assert walk.tracker._tracks.vectors.tolist() == [0]
    assert not walk.tracker._tracks.mean.any()


@pytest.mark.parametrize("nobody", [0, -1, 99])
def test_numbers_of_nobody_change_nothing(nobody: int) -> None:
    walk = recalled()
    walk.tracker._tracks.own_ids[0] = 0  # as of one that was recalled at once
    before = walk.tracker._tracks.vectors.tolist()
    walk.tracker.forget([nobody])
    assert walk.tracker._tracks.vectors.tolist() == before


def test_nothing_stays_of_crops_that_were_looked_at() -> None:
    table = TrackTable.zeros(3, 4)
    for name in ("mean", "vectors", "unlooked", "doubt", "doubted"):
        getattr(table, name)[:] = 1
    table.ids[:] = [1, 2, 3]
    after = table.looks_forgotten(np.array([0, 2]))
    for name in ("mean", "vectors", "unlooked", "doubt", "doubted"):
        column = getattr(after, name).reshape(3, -1)
        assert (column.max(axis=1).tolist(), column.min(axis=1).tolist()) == ([0, 1, 0], [0, 1, 0]), name
        assert getattr(table, name).all(), "of a table of its own"
    assert after.ids is table.ids


def test_reasons_that_name_them_are_forgotten_too() -> None:
    walk = Walk(explain=True)
    walk.stay(2, {1: 0.0})
    assert walk.tracker.explain(1)
    walk.tracker.forget([1])
    assert walk.tracker._identities.record is None, "cosines of theirs"
    with pytest.raises(InputError, match="nothing was decided"):
        walk.tracker.explain(1)
    walk.stay(0.2, {1: 0.0})
    assert walk.tracker.explain(1)


def test_numbers_must_be_whole() -> None:
    with pytest.raises(InputError, match="ids must be whole numbers, got"):
        Tracker().forget([1.5])
    Tracker().forget([])

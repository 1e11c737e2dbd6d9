"""Which vectors a tracker asks for, as a user of `embed` sees it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from tracker import Detections, Tracker, TrackerConfig, Tracks
from tracker.association.demand import KNOWN_VECTORS, REFRESH_S, WATCH_S, _clear
from tracker.association.evidence import Candidates
from tracker.errors import InputError

DT_S = 0.04
DIMENSION = 32
AUTO = TrackerConfig(embed="auto")
CALM_S = 2.0
"""After this time an object that walks by itself is known, and no longer new."""


def box(x: float, y: float = 100.0) -> list[float]:
    return [x, y, x + 40, y + 100]


def looks(people: Sequence[int]) -> np.ndarray:
    vectors = np.stack([np.random.default_rng(p).normal(size=DIMENSION) for p in people])
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


class Street:
    """Feeds a tracker boxes of people by number, and notes whose vectors it asks for at each time."""

    def __init__(self, config: TrackerConfig = AUTO, dt_s: float = DT_S) -> None:
        self.tracker, self.dt_s = Tracker(config), dt_s
        self.asked: list[set[int]] = []
        self.results: list[Tracks] = []

    def show(self, places: dict[int, list[float]], scores: dict[int, float] | None = None) -> Tracks:
        people = list(places)
        asked: set[int] = set()

        def embed(rows: np.ndarray) -> np.ndarray:
            asked.update(people[r] for r in rows)
            return looks([people[r] for r in rows])

        weight = [(scores or {}).get(p, 0.9) for p in people]
        seen = Detections(list(places.values()), weight) if people else Detections.empty()
        tracks = self.tracker.update(seen, time_s=len(self.asked) * self.dt_s, embed=embed)
        self.asked.append(asked)
        self.results.append(tracks)
        return tracks

    def walk(self, places: Callable[[float], dict[int, list[float]]], seconds: float) -> list[set[int]]:
        """Show where people are at each time since now; returns whom was asked for."""
        begin = len(self.asked)
        for i in range(round(seconds / self.dt_s)):
            self.show(places(i * self.dt_s))
        return self.asked[begin:]

    def times(self, person: int, begin: int = 0) -> np.ndarray:
        """When a person was asked for."""
        return np.array([i * self.dt_s for i, asked in enumerate(self.asked) if i >= begin and person in asked])


def test_newcomers_are_asked_for_until_known_then_now_and_then() -> None:
    street = Street()
    street.walk(lambda t: {}, DT_S)
    street.walk(lambda t: {1: box(100 * t)}, 6)
    times = street.times(1)
    assert times[:KNOWN_VECTORS].tolist() == pytest.approx([DT_S * (1 + i) for i in range(KNOWN_VECTORS)])
    young, calm = np.diff(times[times < 1]), np.diff(times[times > CALM_S])
    assert young[KNOWN_VECTORS:].min() > DT_S + 1e-6  # not every frame
    assert young.max() < WATCH_S + DT_S
    assert REFRESH_S / 2 <= calm.min() <= calm.max() < 1.5 * REFRESH_S + DT_S
    assert len(calm) >= 4


def test_embed_all_asks_for_everybody_always() -> None:
    street = Street(TrackerConfig())
    assert all(asked == {1, 2} for asked in street.walk(lambda t: {1: box(50 * t), 2: box(900)}, 2))


def test_who_comes_near_is_asked_for_before_boxes_touch() -> None:
    street = Street()
    street.walk(lambda t: {1: box(0), 2: box(400)}, CALM_S)
    begin = len(street.asked)
    street.walk(lambda t: {1: box(50 * t), 2: box(400)}, 7.2)  # then the boxes touch
    near_s = CALM_S + (400 - 1.5 * 40) / 50  # the distance of the centres is 1.5 widths
    for person in (1, 2):
        times = street.times(person, begin)
        assert np.diff(times[times > near_s]).max() < WATCH_S + DT_S
        assert (times > near_s).sum() >= 2
        assert (times < near_s).sum() <= 6.8 / REFRESH_S * 2


def test_while_two_overlap_both_are_asked_for_in_every_frame() -> None:
    street = Street()
    street.walk(lambda t: {1: box(0), 2: box(200)}, CALM_S)
    asked = street.walk(lambda t: {1: box(100 * t), 2: box(200)}, 2.5)
    hidden = [a for i, a in enumerate(asked) if abs(100 * i * DT_S - 200) < 15]
    assert len(hidden) > 5
    assert all(a == {1, 2} for a in hidden)
    assert {int(i) for r in street.results for i in r.ids} == {1, 2}


def test_weak_detections_count_as_company_but_are_not_asked_for() -> None:
    street = Street()
    street.walk(lambda t: {1: box(0)}, CALM_S)
    begin = len(street.asked)
    for _ in range(25):
        street.show({1: box(0), 2: box(50)}, {2: 0.2})
    assert np.diff(street.times(1, begin)).max() < WATCH_S + DT_S
    assert not len(street.times(2))


def test_a_lost_track_counts_as_company() -> None:
    """Far enough off to be no rival, however uncertain its place grows in this time; so near that the two may meet."""
    street = Street()
    street.walk(lambda t: {1: box(0), 2: box(0, 245)}, CALM_S)
    begin = len(street.asked)
    street.walk(lambda t: {1: box(0)}, 0.6)
    assert np.diff(street.times(1, begin)).max() < WATCH_S + DT_S
    assert len(street.times(1, begin)) >= 4
    street.walk(lambda t: {1: box(0)}, 1)  # the other one has ended
    begin = len(street.asked)
    street.walk(lambda t: {1: box(0)}, 3)
    assert np.diff(street.times(1, begin)).min() >= REFRESH_S / 2


def test_who_was_missed_for_a_moment_is_asked_for_on_return() -> None:
    street = Street()
    street.walk(lambda t: {1: box(0), 2: box(500)}, CALM_S + 1)
    street.show({2: box(500)})
    street.show({1: box(0), 2: box(500)})
    assert 1 in street.asked[-1]


def test_who_was_swapped_without_a_trace_is_found_out() -> None:
    """Somebody else goes on in the box of a calm walker: the next look notices, and the looks after it are not late."""
    street = Street()
    others = {p: box(200 * p) for p in (3, 4, 5, 6)}  # from whom the tracker learns what a cosine is worth
    street.walk(lambda t: {1: box(20 * t), **others}, 4)
    begin = len(street.asked)
    street.walk(lambda t: {2: box(80 + 20 * t), **others}, 2)
    times = street.times(2, begin)
    assert times[0] < 4 + 1.5 * REFRESH_S + DT_S
    assert np.diff(times)[:2].max() < DT_S + 1e-6
    assert 1 not in street.results[-1].ids
    assert len(street.results[-1].ids) == 5


def test_whose_last_look_was_odd_is_asked_for_at_once_though_nothing_is_near_any_more() -> None:
    street = Street()
    others = {p: box(200 * p) for p in (3, 4, 5, 6)}
    street.walk(lambda t: {1: box(0), **others}, 4)
    begin = len(street.asked)
    for _ in range(10):  # somebody else stands where 1 stood; one who passes, half seen, is why it is looked at soon
        street.show({2: box(0), 7: box(50), **others}, {7: 0.2})
        if len(street.times(2, begin)):
            break
    street.walk(lambda t: {2: box(0), **others}, 0.4)
    assert np.diff(street.times(2, begin))[:2] == pytest.approx([DT_S, DT_S])
    assert 1 not in street.results[-1].ids


def test_two_that_fit_a_track_equally_are_both_in_doubt() -> None:
    twins = Candidates.of(np.array([0, 0, 1]), np.array([0, 1, 2]), np.array([0.9, 0.9, 0.9]))
    t, d, rivalled = _clear(twins, 2, 3)
    assert (t.tolist(), d.tolist(), rivalled.tolist()) == ([1], [2], [False])


def test_refreshes_are_spread_over_tracks() -> None:
    street = Street()
    everybody = {p: box(200 * p, 100) for p in range(40)}
    street.walk(lambda t: everybody, CALM_S)
    asked = [len(a) for a in street.walk(lambda t: everybody, 4)]
    assert max(asked) <= len(everybody) / 2.5
    assert sum(asked) > 0.05 * len(everybody) * len(asked)
    assert sum(asked) < 0.15 * len(everybody) * len(asked)


def test_at_few_frames_a_second_company_is_asked_for_in_every_frame() -> None:
    street = Street(dt_s=0.2)
    street.walk(lambda t: {1: box(0), 2: box(52)}, CALM_S)
    assert all(asked == {1, 2} for asked in street.walk(lambda t: {1: box(0), 2: box(52)}, 3))


def test_vectors_that_are_given_are_used_and_not_asked_for() -> None:
    def refuse(rows: np.ndarray) -> np.ndarray:
        raise AssertionError(f"asked for {rows}")

    given, tracker = Detections([box(0), box(55)], embeddings=looks([1, 2])), Tracker(AUTO)
    for i in range(40):
        tracks = tracker.update(given, time_s=i * DT_S, embed=refuse)
        assert (tracks.confident, tracks.embedded) == (2, 2)


def test_the_result_says_how_many_were_embedded() -> None:
    street = Street()
    street.walk(lambda t: {1: box(0), 2: box(300)}, 4)
    for asked, tracks in zip(street.asked, street.results, strict=True):
        assert (tracks.confident, tracks.embedded) == (2, len(asked))
    assert any(len(asked) < 2 for asked in street.asked)
    weak = street.tracker.update(Detections([box(0)], [0.3]), time_s=100)
    assert (weak.confident, weak.embedded) == (0, 0)
    ahead = street.tracker.predict(101)
    assert (ahead.confident, ahead.embedded) == (0, 0)


def test_an_embedder_that_fails_leaves_the_tracker_as_it_was() -> None:
    def fail(rows: np.ndarray) -> np.ndarray:
        raise RuntimeError("out of memory")

    def run(break_at: int | None) -> list[tuple[object, ...]]:
        street, told = Street(), []
        for i in range(60):
            places = {1: box(4 * i), 2: box(240 - 2 * i), **({3: box(600)} if i < 20 else {})}
            places |= {4: box(700 + i)} if i >= 51 else {}
            if i == break_at:
                with pytest.raises(RuntimeError, match="out of memory"):
                    street.tracker.update(Detections(list(places.values())), time_s=i * DT_S, embed=fail)
            tracks = street.show(places)
            told.append((tracks.ids.tolist(), tracks.boxes.tobytes(), tracks.events))
        return told

    undisturbed = run(None)
    for at in (0, 2, 51):  # at 51 the third one ends
        assert run(at) == undisturbed


def test_a_refused_answer_is_an_input_error_in_either_mode() -> None:
    for config in (AUTO, TrackerConfig()):
        with pytest.raises(InputError, match=r"embed\(rows\) must return \(1, D\)"):
            Tracker(config).update(Detections([box(0)]), embed=lambda rows: np.zeros((2, DIMENSION)))

"""The life of identities, as a user of `Tracker` sees it."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Iterator
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker import Detections, Tracker, TrackerConfig, Tracks
from tracker.errors import ConfigError, InputError
from tracker.types.tracks import TrackEventKind

DT_S = 0.04


def box(x: float, y: float = 100.0, w: float = 40.0, h: float = 100.0) -> list[float]:
    return [x, y, x + w, y + h]


def unit(seed: int, dimension: int = 64) -> np.ndarray:
    v = np.random.default_rng(seed).normal(size=dimension)
    return v / np.linalg.norm(v)


def feed(tracker: Tracker, frames: list[Detections], start_s: float = 0.0) -> list[Tracks]:
    return [tracker.update(d, time_s=start_s + i * DT_S) for i, d in enumerate(frames)]


def walk(start: float, step: float, count: int, **fields: Any) -> list[Detections]:
    return [Detections([box(start + i * step)], **fields) for i in range(count)]


def test_an_object_gets_number_one_once_it_was_seen_again_and_keeps_it() -> None:
    results = feed(Tracker(), [Detections.empty(), *walk(0, 4, 20)])
    assert [len(r) for r in results[:4]] == [0, 0, 0, 1]
    assert {int(i) for r in results for i in r.ids} == {1}
    assert [e.kind for r in results for e in r.events] == ["born"]


def test_what_is_there_at_the_start_of_a_stream_is_reported_at_once_and_newcomers_later_are_not() -> None:
    both = [Detections([box(4 * i), box(900 - 4 * i)], [0.9, 0.9 if i else 0.3]) for i in range(20)]
    tracker = Tracker()
    for _ in range(2):
        results = feed(tracker, both)
        assert [r.ids.tolist() for r in results[:4]] == [[1], [1], [1], [1, 2]]
        tracker.reset()


def test_confirmation_takes_the_same_time_at_every_rate() -> None:
    for rate in (5, 10, 30, 60):
        tracker = Tracker(TrackerConfig(confirm_s=0.3))
        tracker.update(Detections.empty(), time_s=0)
        first = next(i for i in range(100) if len(tracker.update(Detections([box(0)]), time_s=i / rate)))
        assert 0.3 - 1e-6 <= first / rate < 0.3 + 1 / rate


@pytest.mark.parametrize("rate_hz", [0.4, 0.5, 1.0, 4.0])
def test_who_stands_is_followed_at_any_rate_even_on_the_border(rate_hz: float) -> None:
    tracker = Tracker(TrackerConfig(rate_hz=rate_hz))
    standing = Detections([box(300), box(630)], frame_size=(640, 480))  # the second one's centre is outside
    assert [tracker.update(standing).ids.tolist() for _ in range(20)] == [[1, 2]] * 20


def test_a_stall_of_the_stream_loses_nobody() -> None:
    tracker = Tracker()
    feed(tracker, walk(0, 0, 20))
    assert {int(i) for r in feed(tracker, walk(0, 0, 20), start_s=20 * DT_S + 2) for i in r.ids} == {1}


def test_times_that_are_no_seconds_are_said_once_a_stream(caplog: pytest.LogCaptureFixture) -> None:
    tracker = Tracker()
    for _ in range(2):
        for i, frame in enumerate(walk(0, 0, 20)):
            tracker.update(frame, time_s=40 * i)
        tracker.reset()
    assert [record.message[:27] for record in caplog.records] == ["40 s lie between two frames"] * 2


@pytest.mark.parametrize(
    ("times_s", "said"),
    [
        ([5.0] * 100, 1),
        ([i // 25 for i in range(100)], 1),  # whole seconds
        ([0.04 * (i // 10) for i in range(100)], 0),
    ],
)
def test_a_clock_that_stands_still_is_said_once_a_stream(
    times_s: list[float], said: int, caplog: pytest.LogCaptureFixture
) -> None:
    tracker = Tracker()
    for _ in range(2):
        for time_s, frame in zip(times_s, walk(0, 0, 100), strict=True):
            tracker.update(frame, time_s=time_s)
        tracker.reset()
    assert [record.message[:32] for record in caplog.records] == ["20 updates were given one time, "] * said * 2


def test_a_clock_may_stand_still_where_nothing_is_seen(caplog: pytest.LogCaptureFixture) -> None:
    tracker = Tracker()
    for _ in range(100):
        tracker.update(Detections.empty(), time_s=5.0)
    assert not caplog.records


def test_two_boxes_on_one_newcomer_found_one_track() -> None:
    twice = Detections([box(0), box(1), box(300)], [0.8, 0.9, 0.9])
    tracker = Tracker(explain=True)
    results = feed(tracker, [Detections.empty(), *[twice] * 20])
    assert results[1].explanation is not None
    assert [birth.refused for birth in results[1].explanation.births] == ["double", None, None]
    assert {int(i) for r in results for i in r.ids} == {1, 2}
    assert results[-1].detections.tolist() == [1, 2]


def test_boxes_without_area_are_nobody() -> None:
    tracker = Tracker(explain=True)
    flat = Detections([box(0), box(100, w=0), box(200, h=0), box(300, w=0, h=0)])
    results = feed(tracker, [flat] * 20)
    assert [r.ids.tolist() for r in results] == [[1]] * 20
    assert results[0].explanation is not None
    assert [birth.refused for birth in results[0].explanation.births] == [None, *["area"] * 3]
    assert str(results[0].explanation.births[1]) == "detection 1 (score 1.00): founds no track: its box has no area"


def test_of_boxes_in_a_row_those_found_tracks_that_no_better_one_that_does_so_overlaps() -> None:
    row = Detections([[x, 0, x + 100, 100] for x in (0, 15, 30)], [0.9, 0.8, 0.7])
    tracker = Tracker(explain=True)
    result = tracker.update(row, time_s=0)
    assert len(result) == 2
    assert result.explanation is not None
    assert [birth.refused for birth in result.explanation.births] == [None, "double", None]


def test_with_confirmation_at_once_the_first_frame_is_reported() -> None:
    assert len(Tracker(TrackerConfig(confirm_s=0)).update(Detections([box(0)]), time_s=0)) == 1


def test_a_short_occlusion_does_not_change_the_number_without_any_appearance() -> None:
    frames = walk(0, 4, 50)
    hidden = [Detections.empty() if 20 <= i < 35 else d for i, d in enumerate(frames)]
    results = feed(Tracker(), hidden)
    assert {int(i) for r in results for i in r.ids} == {1}
    assert len(results[40]) == 1


@pytest.mark.parametrize(
    ("shift_px", "missed", "stalled", "number"),
    [(10, 20, 0, 1), (54, 20, 0, 2), (54, 0, 20, 1)],
    ids=["comes back there", "somebody else beside", "nobody could have been seen"],
)
def test_the_more_frames_missed_an_object_the_nearer_it_must_come_back(
    shift_px: float, missed: int, stalled: int, number: int
) -> None:
    tracker = Tracker()
    feed(tracker, [*walk(300, 0, 20), *[Detections.empty()] * missed])
    back = feed(tracker, walk(300 + shift_px, 0, 6), start_s=(20 + missed + stalled) * DT_S)
    assert {int(i) for r in back for i in r.ids} == {number}


def test_a_long_absence_ends_the_track_and_without_appearance_the_object_is_new() -> None:
    tracker = Tracker()
    results = feed(tracker, walk(0, 4, 20) + [Detections.empty()] * 50 + walk(400, 4, 20))
    assert {int(i) for r in results for i in r.ids} == {1, 2}
    assert "ended" in [e.kind for r in results for e in r.events]


def test_an_identity_that_left_is_recalled_by_appearance() -> None:
    one, two = unit(1), unit(2)
    crowd = [Detections([box(0 + 2 * i), box(500 - 2 * i)], embeddings=[one, two]) for i in range(40)]
    back = [Detections([box(250)], embeddings=[two]) for _ in range(10)]
    results = feed(Tracker(), crowd + [Detections.empty()] * 100 + back)
    assert results[-1].ids.tolist() == results[39].ids[1:].tolist()
    assert results[39].ids.tolist() == [1, 2]
    assert [e.kind for r in results[100:] for e in r.events] == ["recalled"]


def test_vectors_of_weak_boxes_do_not_blur_what_objects_look_like() -> None:
    """Reflections in the floor look like those who stand above them, and are not strangers."""
    one, two = unit(1), unit(2)

    def frame(xs: list[float], vectors: list[np.ndarray]) -> Detections:
        boxes = [b for x in xs for b in (box(x), box(x, y=200.0))]
        return Detections(boxes, [0.9, 0.3] * len(xs), embeddings=[v for v in vectors for _ in range(2)])

    crowd = [frame([2 * i, 500 - 2 * i], [one, two]) for i in range(40)]
    results = feed(Tracker(), crowd + [Detections.empty()] * 100 + [frame([250], [two])] * 10)
    assert results[39].ids.tolist() == [1, 2]
    assert results[-1].ids.tolist() == [2]


def test_a_stranger_is_not_taken_for_somebody_who_left() -> None:
    crowd = [Detections([box(0 + 2 * i), box(500 - 2 * i)], embeddings=[unit(1), unit(2)]) for i in range(40)]
    stranger = [Detections([box(250)], embeddings=[unit(3)]) for _ in range(10)]
    results = feed(Tracker(), crowd + [Detections.empty()] * 100 + stranger)
    assert results[-1].ids.tolist() == [3]


def test_nobody_is_recalled_where_the_memory_is_switched_off() -> None:
    frames = walk(0, 2, 30, embeddings=[unit(1)])
    results = feed(Tracker(TrackerConfig(memory_size=0)), frames + [Detections.empty()] * 100 + frames)
    assert results[-1].ids.tolist() == [2]


@pytest.mark.parametrize("memory", [{}, {"memory_size": 0}, {"memory_size": 1}, {"memory_s": 0.1}])
def test_a_lost_object_is_recovered_where_boxes_do_not_overlap(memory: dict[str, Any]) -> None:
    one, two = unit(1), unit(2)
    before = [Detections([box(100), box(600)], embeddings=[one, two]) for _ in range(40)]
    gone = [Detections([box(600)], embeddings=[two])] * 15
    after = [Detections([box(230), box(600)], embeddings=[one, two]) for _ in range(10)]
    results = feed(Tracker(TrackerConfig(**memory)), before + gone + after)
    assert sorted(results[-1].ids.tolist()) == [1, 2]
    assert "recovered" in [e.kind for r in results for e in r.events]


@pytest.mark.parametrize(("height_px", "recovered"), [(115.0, True), (200.0, False)])
def test_who_is_twice_as_tall_after_a_moment_is_somebody_else(height_px: float, recovered: bool) -> None:
    one, two = unit(1), unit(2)
    before = [Detections([box(100), box(600)], embeddings=[one, two]) for _ in range(40)]
    gone = [Detections([box(600)], embeddings=[two])] * 15
    after = [Detections([box(230, h=height_px), box(600)], embeddings=[one, two]) for _ in range(10)]
    results = feed(Tracker(TrackerConfig(memory_size=0)), before + gone + after)
    assert ("recovered" in [e.kind for r in results for e in r.events]) == recovered


def test_who_is_lost_is_looked_for_where_the_camera_turned_to() -> None:
    one, two = unit(1), unit(2)
    tracker = Tracker(TrackerConfig(memory_size=0))
    feed(tracker, [Detections([box(100), box(1000)], embeddings=[one, two]) for _ in range(40)])
    events = []
    for i in range(40, 65):
        turned = 40.0 * min(i - 39, 10)  # px
        step = 40.0 if i < 50 else 0.0
        boxes, vectors = [box(1000 + turned)], [two]
        if i >= 55:
            boxes, vectors = [box(230 + turned), *boxes], [one, *vectors]
        affine = np.array([[1, 0, step], [0, 1, 0]])
        events += tracker.update(Detections(boxes, embeddings=vectors), time_s=i * DT_S, camera_motion=affine).events
    assert "recovered" in [e.kind for e in events]


def test_appearance_decides_where_motion_cannot() -> None:
    """Two objects meet, stop inside each other and part the way they came: motion alone says that they passed."""
    left, right = unit(1), unit(2)
    xs = np.r_[np.linspace(0, 150, 40), np.linspace(150, 0, 40)]
    frames = [Detections([box(x), box(300 - x)], embeddings=[left, right]) for x in xs]
    results = feed(Tracker(), frames)
    order = {int(r.detections[k]): int(r.ids[k]) for r in results[5:6] for k in range(len(r))}
    end = results[-1]
    assert {int(end.detections[k]): int(end.ids[k]) for k in range(len(end))} == order


def rightly_numbered(seed: int, *, random_vectors: bool) -> float:
    """Of six who pass close to each other, hide and are missed: the share of boxes with their person's number."""
    rng, of_crops, n = np.random.default_rng(seed), np.random.default_rng(seed + 1000), 6
    x, y, speed = rng.uniform(0, 300, n), 100 + 40.0 * np.arange(n), rng.choice([-1, 1], n) * rng.uniform(40, 120, n)
    tracker, told, hidden = Tracker(), [Counter[int]() for _ in range(n)], np.zeros(n)
    for i in range(200):
        x += speed * DT_S
        speed[(x < 0) | (x > 300)] *= -1
        hidden = np.where((hidden == 0) & (rng.random(n) < 0.01), rng.integers(5, 25, n), np.maximum(hidden - 1, 0))
        seen = np.flatnonzero((hidden == 0) & (rng.random(n) > 0.05))
        boxes = np.stack((x, y, x + 40, y + 100), 1) + rng.normal(0, 2, (n, 4))
        vectors = of_crops.normal(size=(len(seen), 16))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        result = tracker.update(
            Detections(boxes[seen], embeddings=vectors if random_vectors else None), time_s=i * DT_S
        )
        for row, number in zip(result.detections, result.ids.tolist(), strict=True):
            told[seen[row]][number] += 1
    return sum(max(numbers.values()) for numbers in told) / sum(numbers.total() for numbers in told)


def test_random_vectors_do_no_harm() -> None:
    without, random = ([rightly_numbered(s, random_vectors=r) for s in range(6)] for r in (False, True))
    assert 0.8 < np.mean(without) < 0.95  # so hard that there is harm to be done
    assert np.mean(random) > np.mean(without) - 0.005


def test_newcomers_do_not_wait_for_vectors_that_tell_nobody_apart() -> None:
    rng = np.random.default_rng(0)

    def stream(vectors: bool) -> list[Detections]:
        boxes = [[box(0), box(200), box(400)]] * 40 + [[box(0), box(200)]] * 40 + [[box(0), box(200), box(220)]] * 5
        looks = [rng.normal(size=(len(b), 64)) for b in boxes]
        looks = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in looks]
        return [Detections(b, embeddings=v if vectors else None) for b, v in zip(boxes, looks, strict=True)]

    reported = [[len(r) for r in feed(Tracker(), stream(vectors))[80:]] for vectors in (True, False)]
    assert reported[0] == reported[1] == [2, 2, 3, 3, 3]


def test_weak_detections_continue_tracks_but_found_none() -> None:
    weak_only = feed(Tracker(), walk(0, 4, 20, scores=[0.3]))
    assert sum(len(r) for r in weak_only) == 0
    continued = feed(Tracker(), walk(0, 4, 10) + [Detections([box(4 * i)], [0.3]) for i in range(10, 20)])
    assert [len(r) for r in continued[10:]] == [1] * 10
    hidden = [*walk(0, 0, 10), *[Detections.empty()] * 20, *walk(0, 0, 3, scores=[0.3])]
    assert [r.ids.tolist() for r in feed(Tracker(), hidden)[30:]] == [[1]] * 3


def test_every_score_falls_in_exactly_one_set() -> None:
    """Scores equal to a threshold count as reaching it."""
    config = TrackerConfig(high_score=0.5, low_score=0.25, birth_score=0.5)
    assert len(feed(Tracker(config), walk(0, 2, 5, scores=[0.5]))[-1]) == 1
    at_low = feed(Tracker(config), [*walk(0, 2, 5), Detections([box(10)], [0.25])])
    assert len(at_low[-1]) == 1


def test_a_flickering_class_does_not_split_a_track() -> None:
    frames = [Detections([box(4 * i)], classes=[7 if i % 4 == 3 else 2]) for i in range(40)]
    results = feed(Tracker(), frames)
    assert {int(i) for r in results for i in r.ids} == {1}
    assert {int(c) for r in results for c in r.classes} == {2}


def test_coasted_objects_are_reported_on_request() -> None:
    tracker = Tracker()
    feed(tracker, walk(0, 4, 20))
    result = tracker.update(Detections.empty(), time_s=20 * DT_S, include_coasted=True)
    assert result.coasted.tolist() == [True]
    assert result.boxes[0, 0] == pytest.approx(80, abs=3)
    assert len(tracker.update(Detections.empty(), time_s=21 * DT_S)) == 0


def test_predict_changes_nothing() -> None:
    tracker, twin = Tracker(), Tracker()
    for i, d in enumerate(walk(0, 4, 20)):
        expected = twin.update(d, time_s=i * DT_S)
        result = tracker.update(d, time_s=i * DT_S)
        between = tracker.predict((i + 0.5) * DT_S)
        np.testing.assert_array_equal(result.boxes, expected.boxes)
        np.testing.assert_array_equal(between.ids, result.ids)
        assert between.coasted.all()
    assert between.boxes[0, 0] == pytest.approx(19.5 * 4, abs=2)


def test_predict_before_the_first_update_is_empty() -> None:
    assert len(Tracker().predict(1.0)) == 0


def test_an_object_that_hides_does_not_grow_in_predictions() -> None:
    tracker, twin = Tracker(), Tracker()
    for each in (tracker, twin):
        for i in range(20):
            each.update(Detections([box(0, 100, 40 + 3 * i, 70 + 5 * i)]), time_s=i * DT_S)
        each.update(Detections.empty(), time_s=20 * DT_S)
    ahead = tracker.predict(30 * DT_S, include_coasted=True)
    later = twin.update(Detections.empty(), time_s=30 * DT_S, include_coasted=True)
    np.testing.assert_allclose(ahead.boxes, later.boxes, atol=0.01)


@pytest.mark.parametrize(
    ("double", "score", "class_"),
    [(box(304), 0.01, 0), (box(304), 0.15, 0), (box(304), 0.8, 1), ([0, 0, 1900, 1000], 0.12, 0)],
    ids=["ignored", "weak", "another class", "weak, around the scene"],
)
def test_who_has_a_second_box_is_known_again(double: list[float], score: float, class_: int) -> None:
    tracker, looks = Tracker(), [unit(1), unit(2), unit(2)]
    both = Detections([box(0), box(300), double], [0.9, 0.9, score], [0, 0, class_], looks)
    alone = Detections([box(0)], [0.9], embeddings=looks[:1])
    results = feed(tracker, [*[both] * 20, *[alone] * 40, *[both] * 20])
    assert [results[i].ids.tolist() for i in (19, 59, 79)] == [[1, 2], [1], [1, 2]]


def test_boxes_too_weak_to_count_change_nothing_and_cost_little() -> None:
    """Detectors that tell everything add thousands of them: a table of all their pairs would take a gigabyte."""
    rng = np.random.default_rng(0)
    few = [Detections([box(3 * i), box(400 - 2 * i, 150)], [0.9, 0.3 if i % 5 == 2 else 0.8]) for i in range(20)]
    noise = rng.normal(0, 15, (20, 3000, 1)) + np.array(box(200))
    many = [
        Detections(np.concatenate((ghosts, d.boxes)), np.r_[np.full(len(ghosts), 0.05), d.scores])
        for ghosts, d in zip(noise, few, strict=True)
    ]
    alone = feed(Tracker(), few)
    tracemalloc.start()
    try:
        results = feed(Tracker(), many)
        assert tracemalloc.get_traced_memory()[1] < 5e6
    finally:
        tracemalloc.stop()
    for result, expected in zip(results, alone, strict=True):
        np.testing.assert_array_equal(result.ids, expected.ids)
        np.testing.assert_array_equal(result.boxes, expected.boxes)
        np.testing.assert_array_equal(result.detections, expected.detections + 3000)


def test_who_takes_over_a_track_brings_a_class_of_its_own() -> None:
    tracker = Tracker(TrackerConfig(appearance_limit=4))
    for i in range(330):
        other = i >= 300
        seen = Detections([box(0), box(300)], classes=[int(other), 5], embeddings=[unit(3 if other else 1), unit(2)])
        result = tracker.update(seen, time_s=i * DT_S)
    assert dict(zip(result.ids.tolist(), result.classes.tolist(), strict=True)) == {3: 1, 2: 5}


def test_one_odd_crop_is_nothing_to_those_without_any_doubt() -> None:
    tracker, odd = Tracker(TrackerConfig(change_evidence=0, appearance_limit=4)), unit(9)
    for i in range(40):
        looks = [unit(1), unit(2), odd if i == 30 else unit(3)]
        result = tracker.update(Detections([box(0), box(300), box(600)], embeddings=looks), time_s=i * DT_S)
        assert {1, 2} <= set(result.ids.tolist())


def test_reset_forgets_all_and_trackers_share_nothing() -> None:
    a, b = Tracker(), Tracker()
    feed(a, walk(0, 4, 5))
    assert feed(b, walk(0, 4, 5))[-1].ids.tolist() == [1]
    a.reset()
    assert feed(a, walk(300, 4, 5))[-1].ids.tolist() == [1]


@pytest.mark.parametrize("number", [float, np.float64, np.float32])
def test_thresholds_may_be_numbers_of_any_kind(number: Any) -> None:
    config = TrackerConfig(birth_score=number(0.7), high_score=number(0.5), memory_size=np.int64(5))
    results = feed(Tracker(config), walk(0, 0, 5, scores=[0.7]))
    assert [len(r) for r in results] == [1] * 5


def test_without_times_the_nominal_rate_counts() -> None:
    timed, untimed = Tracker(), Tracker(TrackerConfig(rate_hz=1 / DT_S))
    for i, d in enumerate(walk(0, 4, 30)):
        np.testing.assert_allclose(
            untimed.update(d).boxes, timed.update(d, time_s=i * DT_S).boxes, rtol=1e-6, atol=1e-4
        )


def test_the_tracker_asks_for_vectors_of_confident_rows_that_lack_one() -> None:
    asked: list[list[int]] = []

    def embed(rows: np.ndarray) -> np.ndarray:
        asked.append(rows.tolist())
        return np.stack([unit(int(r)) for r in rows]).astype(np.float32)

    d = Detections(
        [box(0), box(200), box(400)],
        [0.9, 0.2, 0.9],
        embeddings=np.stack([unit(0)] * 3),
        has_embedding=[False, False, True],
    )
    tracker = Tracker()
    tracker.update(d, time_s=0, embed=embed)
    tracker.update(Detections.empty(), time_s=DT_S, embed=embed)
    assert asked == [[0]]


def test_a_panning_camera_is_followed_where_its_motion_is_given() -> None:
    shift = 60.0  # more than a box is wide
    affine = np.array([[1, 0, shift], [0, 1, 0]])

    def run(camera_motion: np.ndarray | None) -> set[int]:
        tracker = Tracker()
        ids: set[int] = set()
        for i in range(30):
            d = Detections([box(shift * i), box(shift * i + 150)])
            seen = tracker.update(d, time_s=i * DT_S, camera_motion=camera_motion)
            ids |= set(seen.ids.tolist()) if i else set()  # the first frame is reported in any case
        return ids

    assert run(affine) == {1, 2}
    assert run(None) != {1, 2}


def test_an_embedder_that_fails_does_not_decide_the_dimension() -> None:
    def fails(rows: np.ndarray) -> np.ndarray:
        raise RuntimeError("out of memory")

    tracker, some = Tracker(), np.zeros((2, 4), np.float32)
    some[0] = unit(1, 4)
    with pytest.raises(RuntimeError):
        tracker.update(Detections([box(0), box(300)], embeddings=some, has_embedding=[True, False]), embed=fails)
    assert len(tracker.update(Detections([box(0), box(300)], embeddings=[unit(1, 8), unit(2, 8)]))) == 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: t.update([[0, 0, 1, 1]]), r"update needs tracker.Detections, got list"),
        (lambda t: t.update(Detections.empty(), time_s=0.5), r"time_s must not run backwards, got 0.5\d* after 1.0"),
        (lambda t: t.update(Detections.empty(), time_s=float("nan")), "time_s must be a finite number"),
        (lambda t: t.predict("soon"), "time_s must be a finite number, got 'soon'"),
        (lambda t: t.predict(0.0), "time_s must not run backwards"),
        (lambda t: t.update(Detections.empty(), camera_motion=[1, 2]), r"camera_motion must be a finite \(2, 3\)"),
        (lambda t: t.update(Detections.empty(), camera_motion=[[1], [2, 3]]), r"must be a finite \(2, 3\)"),
        (lambda t: t.update(Detections.empty(), camera_motion="x"), r"camera_motion must be a finite \(2, 3\)"),
        (
            lambda t: t.update(Detections([box(0)], embeddings=[unit(1, 32)])),
            "embeddings must have 64 dimensions like the embedder's, got 32",
        ),
        (
            lambda t: t.update(Detections([box(0)]), embed=lambda rows: np.zeros((3, 64))),
            r"embed\(rows\) must return \(1, D\) for 1 rows, got \(3, 64\)",
        ),
        (
            lambda t: t.update(Detections([box(0)]), embed=lambda rows: np.zeros((1, 64))),
            r"embed\(rows\) must return vectors of unit length, row 0 has 0",
        ),
    ],
)
def test_bad_calls_are_refused_and_leave_the_tracker_as_it_was(call: Any, message: str) -> None:
    tracker = Tracker()
    tracker.update(Detections([box(0)], embeddings=[unit(1)]), time_s=0.9)
    tracker.update(Detections([box(0)], embeddings=[unit(1)]), time_s=1.0)
    with pytest.raises(InputError, match=message):
        call(tracker)
    assert tracker.update(Detections([box(0)], embeddings=[unit(1)]), time_s=1.04).ids.tolist() == [1]


@pytest.mark.parametrize("config", [{"max_lost_s": 1}, 42, TrackerConfig])
def test_what_is_no_configuration_is_refused(config: Any) -> None:
    with pytest.raises(InputError, match=r"Tracker needs a tracker\.TrackerConfig, got "):
        Tracker(config)


def test_rows_without_an_embedding_are_ignored_whatever_their_dimension() -> None:
    one = Detections([box(0)], embeddings=[unit(1)])
    none = Detections([box(0)], embeddings=[unit(1, 32)], has_embedding=[False])
    tracker, bare = Tracker(), Tracker()
    for each, other in ((tracker, none), (bare, Detections([box(0)]))):
        results = feed(each, [other, one, other, one])
        asked = each.update(other, time_s=1, embed=lambda rows: unit(1)[None])
        assert [r.embedded for r in (*results, asked)] == [0, 1, 0, 1, 1]


@pytest.mark.parametrize("answer", [np.zeros((1, 32)), np.full((1, 32), np.nan), np.eye(2, 32), [[1.0], [1, 2]]])
def test_a_refused_answer_does_not_decide_the_dimension(answer: Any) -> None:
    tracker = Tracker()
    with pytest.raises(InputError, match=r"embed\(rows\) must return"):
        tracker.update(Detections([box(0)]), embed=lambda rows: answer)
    assert tracker.update(Detections([box(0)]), embed=lambda rows: unit(1)[None]).ids.tolist() == [1]


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"rate_hz": 0}, "tracker.rate_hz must be above 0, got 0"),
        ({"max_lost_s": -1}, "tracker.max_lost_s must be a finite number of at least 0, got -1"),
        ({"max_lost_s": "long"}, "tracker.max_lost_s must be a finite number of at least 0, got 'long'"),
        ({"acceleration": float("nan")}, "tracker.acceleration must be a finite number"),
        ({"measurement_std": 0}, "tracker.measurement_std must be above 0"),
        ({"high_score": 0.05}, "tracker.low_score <= tracker.high_score <= tracker.birth_score <= 1 must hold"),
        ({"missed_s": 0}, "tracker.missed_s must be above 0"),
        ({"motion_centre": 1.5}, "tracker.motion_centre must be within 0..1"),
        ({"memory_size": 2.5}, "tracker.memory_size must be a whole number"),
        ({"identify_vectors": 2.5}, "tracker.identify_vectors must be a whole number of at least 1, got 2.5"),
        ({"identify_vectors": 0}, "tracker.identify_vectors must be a whole number of at least 1, got 0"),
        ({"embed": "some"}, "tracker.embed must be all or auto, got 'some'"),
    ],
)
def test_impossible_settings_are_refused(settings_: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TrackerConfig(**settings_)


class Street:
    """A few people who walk about, leave, come back, hide, pass through each other and take each other's places.

    What they look like belongs to them, some are much alike, and crops vary. Between them are false boxes of any size,
    without area too, and times from 0 to longer than anybody is looked for.
    """

    def __init__(self, seed: int) -> None:
        self.rng = rng = np.random.default_rng(seed)
        people, dimension = int(rng.integers(2, 6)), int(rng.integers(4, 24))
        self.looks = rng.normal(size=(people, dimension)) + rng.choice([0.0, 1.0]) * rng.normal(size=dimension)
        self.place, self.speed = rng.uniform(0, 300, (people, 2)), rng.normal(0, 60, (people, 2))
        self.here = rng.random(people) < 0.7
        self.noise = rng.uniform(0.1, 0.8)
        self.config = TrackerConfig(
            embed=str(rng.choice(["all", "auto"])),  # type: ignore[arg-type]
            appearance_limit=float(rng.choice([2, 8])),
            change_evidence=float(rng.choice([2, 12])),
            memory_size=int(rng.choice([0, 1, 1000])),
            settle_s=float(rng.choice([0, 1, 5])),
        )

    def frames(self, count: int) -> Iterator[tuple[float, Detections, bool]]:
        """Times, detections with all their vectors, and whether the tracker has to ask for these."""
        rng, time_s = self.rng, 0.0
        for _ in range(count):
            step_s = float(rng.choice([0.0, 0.01, 0.04, 0.1, 0.5, 5.0], p=[0.03, 0.07, 0.6, 0.2, 0.08, 0.02]))
            time_s += step_s
            self.place += self.speed * min(step_s, 1)
            self.speed[(self.place < 0) | (self.place > 300)] *= -1
            if rng.random() < 0.04:
                one, other = rng.permutation(len(self.place))[:2]
                self.place[[one, other]] = self.place[[other, one]]
            hidden = np.flatnonzero(~self.here)
            self.place[hidden] += rng.normal(0, 25, (len(hidden), 2))  # they come up again anywhere near
            self.here ^= rng.random(len(self.here)) < np.where(self.here, 0.06, 0.15)
            seen = np.flatnonzero(self.here & (rng.random(len(self.here)) > 0.1))
            yield time_s, self.detections(seen), bool(rng.random() < 0.5)

    def detections(self, seen: np.ndarray) -> Detections:
        rng, false = self.rng, int(self.rng.random() < 0.3)
        corner = np.concatenate((self.place[seen], rng.uniform(-50, 350, (false, 2))))
        sides = np.concatenate((np.tile([40.0, 100.0], (len(seen), 1)), rng.uniform(-40, 150, (false, 2)).clip(0)))
        own = np.concatenate((self.looks[seen], rng.normal(size=(false, self.looks.shape[1]))))
        vectors = own + self.noise * rng.normal(size=own.shape)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        n = len(corner)
        scores = np.where(rng.random(n) < 0.8, rng.uniform(0.6, 1, n), rng.random(n))
        return Detections(np.concatenate((corner, corner + sides), 1), scores, rng.integers(0, 2, n), vectors)


def update(tracker: Tracker, time_s: float, all_known: Detections, ask: bool) -> Tracks:
    """Vectors are given, or asked for."""
    if not ask:
        return tracker.update(all_known, time_s=time_s)
    bare = Detections(all_known.boxes, all_known.scores, all_known.classes)
    assert all_known.embeddings is not None
    vectors = all_known.embeddings
    return tracker.update(bare, time_s=time_s, embed=lambda rows: vectors[rows])


class Promises:
    """What every user of numbers relies on."""

    def __init__(self) -> None:
        self.highest, self.kinds = 0, Counter[str]()
        self.known: set[int] = set()
        self.live: set[int] = set()
        """Numbers that somebody has who is seen or looked for."""

    def hold(self, result: Tracks) -> None:
        """Of one more update."""
        events, ids = result.events, result.ids.tolist()
        assert len(set(ids)) == len(ids) == len(set(result.detections.tolist()))
        given_up = {e.replaces for e in events if e.replaces is not None}
        ended = {e.track_id for e in events if e.kind == "ended"}
        assert given_up <= self.live  # of two who swap too, each has had the number that the other takes
        self.live -= given_up
        assert ended <= self.live
        self.live -= ended
        taken = [e.track_id for e in events if e.kind != "ended"]
        assert len(set(taken)) == len(taken)
        new = sorted(set(taken) - self.known)
        assert new == list(range(self.highest + 1, self.highest + 1 + len(new)))  # numbers are dense
        for e in events:
            assert (e.replaces is None) == (e.since_s is None)
            if e.kind == "born":
                assert e.track_id in new
            elif e.kind == "corrected":
                assert e.replaces is not None
                assert e.track_id not in self.live
            elif e.kind == "recalled":
                assert e.track_id in self.known - self.live
            elif e.kind == "recovered":
                assert e.track_id in self.live  # until now a lost track had it
        self.highest += len(new)
        self.known |= set(taken)
        self.live |= set(taken)
        assert set(ids) <= self.live  # nobody is shown under a number that no event gave
        self.kinds.update(e.kind for e in events)


def kept_promises(seed: int, frames: int = 60) -> Counter[str]:
    """Plays a street to two trackers; how many events there were of each kind."""
    street, promises = Street(seed), Promises()
    tracker, twin = Tracker(street.config), Tracker(street.config)
    for time_s, detections, ask in street.frames(frames):
        result, again = (update(each, time_s, detections, ask) for each in (tracker, twin))
        np.testing.assert_array_equal(result.ids, again.ids)  # the same input gives the same output
        np.testing.assert_array_equal(result.boxes, again.boxes)
        assert np.isfinite(result.boxes).all()
        assert (result.boxes[:, 2:] > result.boxes[:, :2]).all()
        assert (detections.scores[result.detections] >= street.config.low_score).all()
        promises.hold(result)
    return promises.kinds


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 100_000))
def test_whatever_comes_the_promises_hold(seed: int) -> None:
    kept_promises(seed)


def test_among_what_comes_is_all_that_can_happen_to_a_number() -> None:
    kinds = sum((kept_promises(seed) for seed in range(20)), Counter[str]())
    assert set(kinds) == set(get_args(TrackEventKind))
    assert min(kinds.values()) > 2

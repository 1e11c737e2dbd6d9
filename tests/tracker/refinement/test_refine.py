from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.errors import ConfigError, InputError
from tracker.evaluation import read_mot_tracks
from tracker.refinement import History, RefinementConfig, refine
from tracker.types import Tracks


def walk(*given, **named):
    return given, named


LINKS_ONLY = RefinementConfig(max_gap_s=0)


def ids_in(refined: History, frame: int) -> list[int]:
    return refined.ids[refined.frame == frame].tolist()


def test_somebody_who_comes_back_looking_the_same_keeps_the_number(history, looking) -> None:
    past = history(walk(1, 1, 60, 200, step=3), walk(2, 75, 140, 420, step=3), walk(3, 1, 140, 800))
    looks = [(1, f, 0) for f in (1, 21, 41)] + [(2, f, 0) for f in (75, 95, 115)] + [(3, f, 1) for f in (1, 41, 81)]
    refined = refine(looking(past, *looks), LINKS_ONLY)
    assert (refined.linked, refined.parted) == (1, 0)
    assert refined.identities == 2
    assert ids_in(refined.history, 140) == [1, 3]


def test_somebody_else_at_the_same_place_keeps_a_number_of_their_own(history, looking) -> None:
    past = history(walk(1, 1, 60, 200, step=3), walk(2, 75, 140, 420, step=3), walk(3, 1, 140, 800))
    looks = [(1, f, 0) for f in (1, 21, 41)] + [(2, f, 2) for f in (75, 95, 115)] + [(3, f, 1) for f in (1, 41, 81)]
    refined = refine(looking(past, *looks), LINKS_ONLY)
    assert refined.linked == 0
    assert refined.identities == 3


@pytest.mark.parametrize("began_s", [-1000.0, -10.0, 1.7e9])
def test_any_clock_gives_the_same(history, looking, began_s: float) -> None:
    past = history(walk(1, 1, 60, 200), walk(1, 80, 140, 900), walk(2, 1, 140, 500))
    looks = [(1, f, 0) for f in (1, 21, 41)] + [(1, f, 2) for f in (80, 100, 120)] + [(2, f, 1) for f in (1, 41, 81)]
    known = looking(past, *looks)
    appearance = replace(known.appearance, times_s=known.appearance.times_s + began_s)
    refined = refine(replace(known, times_s=known.times_s + began_s, appearance=appearance), LINKS_ONLY)
    np.testing.assert_array_equal(refined.history.ids, refine(known, LINKS_ONLY).history.ids)


@pytest.mark.parametrize(("common", "noise"), [(0.0, 0.5), (3.0, 0.2)])
@pytest.mark.parametrize("returned", [True, False])
def test_what_a_cosine_is_worth_is_learned_from_the_video(
    history, looking, common: float, noise: float, returned: bool
) -> None:
    crowd = [walk(number, 1, 140, 80.0 * number) for number in range(3, 11)]
    past = history(walk(1, 1, 60, 100, step=1), walk(2, 75, 140, 175, step=1), *crowd)
    looks = [(1, f, 0) for f in range(1, 61, 10)] + [(2, f, 0 if returned else 11) for f in range(75, 140, 10)]
    looks += [(number, f, number) for number in range(3, 11) for f in range(1, 140, 10)]
    refined = refine(looking(past, *looks, common=common, noise=noise), LINKS_ONLY)
    assert refined.linked == returned


def test_a_return_that_was_somebody_else_is_undone(history, looking) -> None:
    past = history(walk(1, 1, 60, 200), walk(1, 80, 140, 900), walk(2, 1, 140, 500))
    looks = [(1, f, 0) for f in (1, 21, 41)] + [(1, f, 2) for f in (80, 100, 120)] + [(2, f, 1) for f in (1, 41, 81)]
    refined = refine(looking(past, *looks), LINKS_ONLY)
    assert refined.parted == 1
    assert ids_in(refined.history, 10) == [1, 2]
    assert ids_in(refined.history, 100) == [2, 3], "a number that nobody had"


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_whatever_is_linked_rows_stay_and_nobody_is_twice_in_a_frame(history, data: st.DataObject) -> None:
    walks = []
    for track_id in range(1, data.draw(st.integers(1, 8)) + 1):
        begin = 1
        for _ in range(data.draw(st.integers(1, 3))):
            begin += data.draw(st.integers(0, 30))
            end = begin + data.draw(st.integers(0, 30))
            x, step = data.draw(st.floats(0, 1000)), data.draw(st.floats(-10, 10))
            walks.append(walk(track_id, begin, end, x, step=step))
            begin = end + 2
    past = history(*walks)
    eager = RefinementConfig(link_evidence=data.draw(st.floats(-20, 8)), keep_evidence=data.draw(st.floats(-9, 9)))
    refined = refine(past, eager)
    after = refined.history
    assert len(np.unique(np.c_[after.frame, after.ids], axis=0)) == len(after)
    order, seen = np.lexsort((past.boxes[:, 0], past.frame)), after.seen
    again = np.lexsort((after.boxes[seen, 0], after.frame[seen]))
    np.testing.assert_array_equal(after.boxes[seen][again], past.boxes[order])
    assert refined.interpolated == np.count_nonzero(~seen)
    assert refined.identities == len(np.unique(after.ids))
    once_more = refine(past, eager).history
    np.testing.assert_array_equal(once_more.ids, after.ids)


def test_a_mot_file_of_any_tracker(history, tmp_path: Path) -> None:
    source = history(walk(4, 1, 20, 300), walk(4, 23, 40, 300), walk(9, 5, 30, 700))
    path = tmp_path / "tracks.txt"
    path.write_text(source.to_mot(), encoding="ascii")
    read = read_mot_tracks(path)
    refined = refine(History.of(read.frame, read.id, read.boxes, rate_hz=10.0))
    assert refined.interpolated == 2
    path.write_text(refined.history.to_mot(), encoding="ascii")
    assert sorted(zip(*(c.tolist() for c in (read_mot_tracks(path).frame, read_mot_tracks(path).id)), strict=True)) == [
        (frame, who) for frame in range(1, 41) for who in (4, 9) if who == 4 or 5 <= frame <= 30
    ]


def test_frames_in_which_nothing_is_are_not_gone_through_for_a_mot_file(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers, written = [3, 100], []
    monkeypatch.setattr(Tracks, "to_mot", lambda tracks, frame: written.append((frame, *tracks.ids.tolist())) or "")
    History.of(numbers, [7, 7], [[0, 0, 5, 9]] * 2, rate_hz=25.0).to_mot()
    assert written == [(number, 7) for number in numbers]


def test_nothing_at_all() -> None:
    empty = History.of(np.zeros(0), np.zeros(0), np.zeros((0, 4)), rate_hz=25.0)
    refined = refine(empty)
    assert (len(refined.history), refined.identities) == (0, 0)
    assert refined.history.to_mot() == ""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ids": [1]}, r"ids must have shape \(2,\), got \(1,\)"),
        ({"boxes": [[0, 0, 1], [0, 0, 1]]}, "\\(N, 4\\), got"),
        ({"boxes": [[5, 5, 1, 9], [0, 0, 1, 1]]}, "x2 >= x1"),
        ({"boxes": [[0, 0, np.nan, 9], [0, 0, 1, 1]]}, "finite"),
        ({"frame": [0, 1]}, r"frame\[0\] must be 1 to 10000000, got 0"),
        ({"frame": [1, 1.5]}, "frame must be numbers that fit int64"),
        ({"frame": [1, 10_000_001]}, r"frame\[1\] must be 1 to 10000000, got 10000001"),
        ({"frame": [1, 1_700_000_000_000]}, r"frame\[1\] must be 1 to 10000000"),
        ({"ids": [1.2, 1.9]}, "ids must be numbers that fit int64"),
        ({"ids": [1, np.nan]}, "ids must be numbers that fit int64"),
        ({"scores": [np.nan, 7]}, r"scores\[0\] must be within 0..1"),
        ({"frame": [2, 2]}, "an identity must stand once in a frame, 1 is in 2 twice"),
        ({"rate_hz": 0}, "rate_hz must be a finite number above 0, got 0"),
        ({"rate_hz": np.inf}, "rate_hz must be a finite number above 0, got inf"),
        ({"scores": [0.5]}, r"scores must have shape \(2,\), got \(1,\)"),
    ],
)
def test_histories_that_cannot_be(change: dict[str, object], message: str) -> None:
    arguments = {"frame": [1, 2], "ids": [1, 1], "boxes": [[0, 0, 5, 9], [0, 0, 5, 9]], "rate_hz": 25.0, **change}
    with pytest.raises(InputError, match=message):
        History.of(**arguments)


@pytest.mark.parametrize(
    ("field", "value"), [("link_evidence", np.nan), ("keep_evidence", "x"), ("max_gap_s", -1), ("max_link_s", -0.1)]
)
def test_settings_that_mean_nothing(field: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"refinement.{field} must be"):
        RefinementConfig(**{field: value})


def test_without_looks_a_late_return_is_left_as_the_tracker_told_it(history) -> None:
    everybody = [walk(who, 1, 400, 100 * who) for who in range(2, 11)]
    past = history(walk(1, 1, 60, 50), walk(1, 360, 400, 50), *everybody)
    refined = refine(past, LINKS_ONLY)
    assert refined.parted == 0
    assert refined.identities == 10


def test_a_change_of_class_speaks_against_a_link(history) -> None:
    past = history(walk(1, 1, 60, 200, step=3), walk(2, 65, 140, 392, step=3))
    other = replace(past, classes=(past.ids == 2).astype(np.int64))

    def most_evidence(of: History) -> float:
        asked = np.arange(-5, 12, 0.25)
        linked = [refine(of, RefinementConfig(link_evidence=least)).linked for least in asked]
        return float(asked[np.flatnonzero(linked)[-1]])

    assert most_evidence(past) - most_evidence(other) == pytest.approx(2, abs=0.25)

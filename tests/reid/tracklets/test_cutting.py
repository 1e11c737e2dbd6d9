"""Where tracks are cut, and which boxes prove two objects."""

from __future__ import annotations

import numpy as np
import pytest

from reid.errors import InputError
from reid.tracklets import CutConfig, PieceCutter


def box(x, width=20, y=0, height=60):
    return [x, y, x + width, y + height]


def feed(cutter, time_s, boxes, **changes):
    """One frame of {track: box}; the tracklet of each, and the rest."""
    pieces = cutter.update(
        np.array(list(boxes), np.int64), np.array(list(boxes.values()), np.float64), time_s, **changes
    )
    return dict(zip(boxes, pieces.tracklet.tolist(), strict=True)), pieces


def test_a_track_is_one_tracklet_until_a_gap():
    cutter = PieceCutter()
    assert feed(cutter, 0.0, {7: box(0)})[0] == {7: 1}
    assert feed(cutter, 0.5, {7: box(5)})[0] == {7: 1}, "a gap of just the limit"
    got, pieces = feed(cutter, 1.1, {7: box(9)})
    assert got == {7: 2}
    assert pieces.ended == (1,)


def test_frames_without_anybody():
    cutter = PieceCutter(first=0)
    got, pieces = feed(cutter, 0.0, {})
    assert got == {}
    assert pieces.together.shape == (0, 2)
    assert feed(cutter, 0.1, {1: box(0)})[0] == {1: 0}


def test_who_is_seen_apart_is_reported_once():
    cutter = PieceCutter()
    _, pieces = feed(cutter, 0.0, {1: box(0), 2: box(50), 3: box(100)})
    assert pieces.together.tolist() == [[1, 2], [1, 3], [2, 3]]
    got, pieces = feed(cutter, 0.1, {3: box(100), 4: box(200), 1: box(0)})
    assert got == {3: 3, 4: 4, 1: 1}
    assert sorted(pieces.together.tolist()) == [[1, 4], [3, 4]]
    assert feed(cutter, 0.2, {1: box(0), 3: box(100), 4: box(200)})[1].together.shape == (0, 2)


def test_a_box_inside_another_proves_nothing():
    cutter = PieceCutter()
    _, pieces = feed(cutter, 0.0, {1: box(0), 2: box(0, height=20)})
    assert pieces.together.shape == (0, 2), "a person and the upper part of the same one"
    np.testing.assert_allclose(pieces.covered, [1 / 3, 1])
    assert feed(cutter, 0.1, {1: box(0), 2: box(30, height=20)})[1].together.tolist() == [[1, 2]]


def test_a_crossing_ends_both_and_what_follows_is_new():
    cutter = PieceCutter()
    feed(cutter, 0.0, {1: box(0), 2: box(40), 3: box(100)})
    assert feed(cutter, 0.1, {1: box(12), 2: box(24), 3: box(100)})[0] == {1: 1, 2: 2, 3: 3}, "iou 0.25"
    got, pieces = feed(cutter, 0.2, {1: box(15), 2: box(20), 3: box(100)})
    assert got == {1: -1, 2: -1, 3: 3}, "iou 0.6"
    assert sorted(pieces.ended) == [1, 2]
    assert feed(cutter, 0.3, {1: box(18), 2: box(27), 3: box(100)})[0] == {1: -1, 2: -1, 3: 3}, "iou 0.38"
    got, pieces = feed(cutter, 0.4, {1: box(40), 2: box(0), 3: box(100)})
    assert got == {1: 4, 2: 5, 3: 3}, "whoever they are now"
    assert sorted(pieces.together.tolist()) == [[3, 4], [3, 5], [4, 5]]
    assert pieces.ended == ()


def test_a_track_that_goes_on_under_another_number():
    cutter = PieceCutter()
    feed(cutter, 0.0, {5: box(0), 3: box(50)})
    got, pieces = feed(cutter, 0.2, {3: box(2)}, renamed={5: 3})
    assert got == {3: 1}
    assert pieces.ended == (2,), "what was called 3 before"


@pytest.mark.parametrize("renamed", [{1: 2, 2: 1}, {2: 1, 1: 2}])
def test_two_tracks_that_exchange_their_numbers(renamed):
    cutter = PieceCutter()
    feed(cutter, 0.0, {1: box(0), 2: box(50)})
    got, pieces = feed(cutter, 0.1, {2: box(0), 1: box(50)}, renamed=renamed)
    assert got == {2: 1, 1: 2}, "each piece goes on under the other number"
    assert pieces.ended == ()


@pytest.mark.parametrize("renamed", [{3: 1, 1: 2}, {1: 2, 3: 1}])
def test_a_chain_of_numbers(renamed):
    cutter = PieceCutter()
    feed(cutter, 0.0, {1: box(0), 3: box(50)})
    assert feed(cutter, 0.1, {2: box(0), 1: box(50)}, renamed=renamed)[0] == {2: 1, 1: 2}


def test_a_number_that_stands_for_another_piece():
    cutter = PieceCutter()
    feed(cutter, 0.0, {5: box(0), 6: box(50)})
    got, pieces = feed(cutter, 0.1, {5: box(0), 6: box(50)}, broken=[5, 99])
    assert got == {5: 3, 6: 2}
    assert pieces.ended == (1,)
    assert pieces.together.tolist() == [[2, 3]]


def test_memory_is_bounded_by_what_is_seen():
    cutter = PieceCutter()
    for k in range(2000):
        feed(cutter, k * 0.1, {-1: box(500), k: box(0), k + 100000: box(100)})
    assert len(cutter._pieces) < 20
    assert sum(map(len, cutter._partners.values())) < 100
    assert cutter.update(np.zeros(0, np.int64), np.zeros((0, 4)), 1e6).ended


@pytest.mark.parametrize(
    "wrong", [{"longest_gap_s": -1}, {"crossing_iou": 0.2}, {"parted_iou": 0}, {"duplicate_share": 2}]
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(InputError, match=f"{next(iter(wrong))}.* must be"):
        CutConfig(**wrong)

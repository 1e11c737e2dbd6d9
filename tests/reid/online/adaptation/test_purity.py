"""Tracklets cut by what their crops look like."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from reid.errors import InputError
from reid.online.purity import PurityConfig, purify

Vectors = NDArray[np.float32]


def seen(
    people: list[list[int]], *, noise: float = 0.5, seed: int = 0, common: float = 0.0
) -> tuple[Vectors, NDArray[np.int64], NDArray[np.float64]]:
    """Tracklet t shows `people[t]`, crop by crop: vectors (N, 32), tracklet (N,), time (N,).

    `common` is a part that all vectors share, as bad embedders have it.
    """
    rng = np.random.default_rng(seed)
    means = rng.normal(size=(50, 32))
    shared = rng.normal(size=32) * common
    who = np.concatenate([np.array(p) for p in people])
    vectors = means[who] + shared + noise * rng.normal(size=(len(who), 32))
    tracklet = np.repeat(np.arange(len(people)), [len(p) for p in people])
    time_s = np.concatenate([np.arange(len(p)) / 2 for p in people])
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), tracklet, time_s


def everybody(count: int) -> NDArray[np.int64]:
    return np.array([(a, b) for a in range(count) for b in range(a + 1, count)], np.int64)


@pytest.mark.parametrize("common", [0.0, 3.0], ids=["sharp", "dim"])
def test_a_track_that_goes_over_to_somebody_else_is_cut_there_and_nobody_else(common: float) -> None:
    people = [[0] * 20, [1] * 20, [2] * 20, [3] * 8 + [4] * 12, [5] * 20]
    vectors, tracklet, time_s = seen(people, common=common)
    pieces = purify(vectors, tracklet, time_s, everybody(5))
    assert pieces.cut == 1
    assert pieces.tracklet.tolist() == [0, 1, 2, 3, 3, 4]
    changed = pieces.piece[tracklet == 3]
    assert set(changed[:8].tolist()) <= {3, -1}
    assert set(changed[8:].tolist()) <= {4, -1}


@pytest.mark.parametrize(
    ("changing", "lengths"),
    [
        ([3] * 5 + [4] * 8 + [3] * 6, [5, 8, 6]),
        ([3] * 8 + [4] * 4 + [3] * 8, [8, 4, 8]),
        (([3] * 5 + [4] * 5) * 2, [5, 5, 5, 5]),
        ([3, 4] * 10, []),
        ([3, 3, 4, 4] * 5, []),
    ],
    ids=["over and back", "back soon", "twice", "every crop", "every other crop"],
)
@pytest.mark.parametrize("common", [0.0, 3.0], ids=["sharp", "dim"])
def test_a_track_that_goes_over_and_comes_back_is_cut_each_time_or_left_out(
    changing: list[int], lengths: list[int], common: float
) -> None:
    vectors, tracklet, time_s = seen([[0] * 20, [1] * 20, [2] * 20, changing, [5] * 20], noise=0.25, common=common)
    pieces = purify(vectors, tracklet, time_s, everybody(5))
    found = pieces.piece[tracklet == 3]
    runs = np.split(found, np.flatnonzero(np.diff(changing)) + 1)
    assert pieces.tracklet.tolist() == [0, 1, 2, *[3] * len(lengths), 4]
    if not lengths:
        assert (found == -1).all()
        return
    assert [run.tolist() for run in runs] == [[3 + k] * length for k, length in enumerate(lengths)]


@pytest.mark.parametrize("common", [0.0, 3.0], ids=["sharp", "dim"])
def test_a_track_that_goes_over_to_a_third_one_is_cut_there_too(common: float) -> None:
    changing = [3] * 8 + [4] * 8 + [6] * 8
    vectors, tracklet, time_s = seen([[0] * 20, [1] * 20, [2] * 20, changing, [5] * 20], noise=0.25, common=common)
    pieces = purify(vectors, tracklet, time_s, everybody(5))
    assert pieces.piece[tracklet == 3].tolist() == [3] * 8 + [4] * 8 + [5] * 8


def test_of_what_was_cut_a_single_crop_of_somebody_else_is_left_out_as_well() -> None:
    changing = [3] * 10 + [4] * 5 + [6] + [4] * 5
    vectors, tracklet, time_s = seen([[0] * 20, [1] * 20, [2] * 20, changing, [5] * 20], noise=0.25)
    pieces = purify(vectors, tracklet, time_s, everybody(5))
    assert pieces.piece[tracklet == 3].tolist() == [3] * 10 + [4] * 5 + [-1] + [4] * 5


def test_somebody_who_looks_different_from_front_and_back_stays_whole() -> None:
    vectors, tracklet, time_s = seen([[0] * 20, [1] * 20, [2] * 20, [3] * 20], noise=0.25)
    turned = np.flatnonzero(tracklet == 3)[8:14]
    front = vectors[tracklet == 3].mean(axis=0)
    vectors[turned] += 0.6 * (np.roll(front, 5) - front)  # some of the way to somebody else
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    pieces = purify(vectors, tracklet, time_s, everybody(4))
    assert (pieces.cut, pieces.left_out) == (0, 0)
    assert purify(vectors, tracklet, time_s, everybody(4), PurityConfig(cut_at=0.2)).cut == 2


def test_pieces_are_different_only_while_both_were_there() -> None:
    # the two change places after ten crops: the first half of one and the second of the other are one person
    vectors, tracklet, time_s = seen([[0] * 10 + [1] * 10, [1] * 10 + [0] * 10, [2] * 20, [3] * 20, [4] * 20])
    together = np.array([(0, 1), (0, 2), (1, 2)])
    pieces = purify(vectors, tracklet, time_s, np.concatenate((together, [(2, 3), (3, 4)])))
    assert pieces.tracklet.tolist() == [0, 0, 1, 1, 2, 3, 4]
    among = [(0, 2), (0, 4), (1, 3), (1, 4), (2, 4), (3, 4)]
    assert pieces.together.tolist() == [list(pair) for pair in [*among, (4, 5), (5, 6)]]


def test_a_single_crop_of_somebody_else_is_left_out() -> None:
    people = [[0] * 20, [1] * 20, [2] * 9 + [3] + [2] * 10]
    vectors, tracklet, time_s = seen(people, noise=0.4)
    pieces = purify(vectors, tracklet, time_s, everybody(3))
    assert pieces.cut == 0
    assert pieces.piece[49] == -1
    assert pieces.left_out <= 4


def test_an_embedder_that_tells_nobody_apart_cuts_nothing() -> None:
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(60, 8))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    pieces = purify(vectors, np.repeat(np.arange(3), 20), np.tile(np.arange(20.0), 3), everybody(3))
    assert pieces.cut == 0


def test_nobody_seen_beside_anybody_leaves_all_as_it_is() -> None:
    vectors, tracklet, time_s = seen([[0] * 10 + [1] * 10])
    pieces = purify(vectors, tracklet, time_s, np.zeros((0, 2), np.int64))
    assert (pieces.cut, pieces.left_out, pieces.together.shape) == (0, 0, (0, 2))


def test_short_pieces_are_left_out_and_switched_off_nothing_is_cut() -> None:
    vectors, tracklet, time_s = seen([[0] * 10 + [1] * 10, [2] * 20, [3] * 3])
    off = purify(vectors, tracklet, time_s, everybody(3), PurityConfig(enabled=False))
    assert off.cut == 0
    assert off.tracklet.tolist() == [0, 1]
    assert (off.piece[tracklet == 2] == -1).all()


def test_tracklets_of_two_crops_do_not_keep_others_from_being_cut() -> None:
    pairs = [[7 + k] * 2 for k in range(6)]  # more than half of all: they are too short to tell how sure a cut is
    vectors, tracklet, time_s = seen([[0] * 20, [1] * 20, [2] * 20, [3] * 10 + [4] * 10, *pairs])
    pieces = purify(vectors, tracklet, time_s, everybody(10), PurityConfig(least_crops=2))
    assert pieces.cut == 1


def test_settings_are_checked() -> None:
    with pytest.raises(InputError, match="least_crops must be a whole number of at least 2"):
        PurityConfig(least_crops=1)
    with pytest.raises(InputError, match="cut_at must be above 0 and at most 1"):
        PurityConfig(cut_at=0)

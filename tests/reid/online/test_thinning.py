"""Which crops go when there is too much."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from reid.online.thinning import thin


def kept(tracklet, excess, *, few=4, sizes=None, time_s=None, seed=0):
    tracklet = np.asarray(tracklet, np.int64)
    time_s = np.arange(len(tracklet), dtype=np.float64) if time_s is None else time_s
    sizes = np.full(len(tracklet), 10, np.int64) if sizes is None else np.asarray(sizes, np.int64)
    return thin(tracklet, time_s, sizes, excess, few=few, rng=np.random.default_rng(seed))


def counts(tracklet, keep):
    return np.bincount(np.asarray(tracklet)[keep], minlength=max(tracklet) + 1).tolist()


def test_the_longest_tracklets_give_until_they_are_alike():
    tracklet = [0] * 40 + [1] * 20 + [2] * 5
    assert counts(tracklet, kept(tracklet, 100)) == [30, 20, 5]
    assert counts(tracklet, kept(tracklet, 200)) == [20, 20, 5]
    assert sorted(counts(tracklet, kept(tracklet, 310))) == [5, 14, 15], "an odd one out, not both"


def test_what_stays_is_spread_over_the_whole_life():
    time_s = np.sort(np.random.default_rng(1).uniform(0, 100, 200))
    for seed in range(5):
        left = time_s[kept([3] * 200, 1900, time_s=time_s, seed=seed)]
        assert len(left) == 10
        assert np.diff(np.searchsorted(time_s, left)).max() < 40, "one of each tenth"
        assert left[0] < 15
        assert left[-1] > 85


def test_chance_is_seeded():
    first, again, other = (kept([0] * 50, 250, seed=seed) for seed in (7, 7, 8))
    assert (first == again).all()
    assert (first != other).any()


def test_few_crops_of_each_stay_until_whole_tracklets_go_the_oldest_first():
    tracklet = [5] * 8 + [2] * 8 + [9] * 1 + [4] * 3
    assert counts(tracklet, kept(tracklet, 80)) == [0, 0, 4, 0, 3, 4, 0, 0, 0, 1]
    assert counts(tracklet, kept(tracklet, 81)) == [0, 0, 4, 0, 3, 0, 0, 0, 0, 1]
    assert counts(tracklet, kept(tracklet, 121)) == [0, 0, 0, 0, 3, 0, 0, 0, 0, 1]
    assert not kept(tracklet, 10_000).any()


def test_sizes_count_and_not_numbers():
    keep = kept([0] * 10 + [1] * 10, 1000, sizes=[1] * 10 + [500] * 10, few=1)
    assert np.where(keep, 0, [1] * 10 + [500] * 10).sum() >= 1000


def test_nothing_to_thin():
    assert kept([], 100).shape == (0,)
    assert kept([1, 1], 0).all()


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 9)), max_size=60), st.integers(0, 400), st.integers(1, 5))
def test_enough_goes_always(crops, excess, few):
    tracklet = np.array([t for t, _ in crops], np.int64)
    sizes = np.array([s for _, s in crops], np.int64)
    keep = kept(tracklet, excess, few=few, sizes=sizes)
    assert sizes[~keep].sum() >= min(excess, sizes.sum())
    assert keep.all() or excess > 0

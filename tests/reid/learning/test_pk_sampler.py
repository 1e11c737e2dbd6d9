"""The PK sampler: who comes into a batch, which pictures, and going on exactly after a restart."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reid.data import DIFFERENT, Crops
from reid.errors import InputError
from reid.learning.sampling import PkSampler, SamplerConfig


class NoPictures:
    def __init__(self, count):
        self._count = count

    def __len__(self):
        return self._count


def crops(identity, **columns):
    identity = np.asarray(identity)
    names = [str(k) for k in range(identity.max() + 1)]
    return Crops(NoPictures(len(identity)), identity, names, **columns)


def labelled(counts, **columns):
    return crops(np.repeat(np.arange(len(counts)), counts), **columns)


def take(sampler, count):
    return [next(sampler) for _ in range(count)]


class TestBatches:
    def test_have_p_identities_with_k_pictures_each_side_by_side(self):
        data = labelled([9, 5, 4, 7, 3, 8])
        sampler = PkSampler(data, SamplerConfig(identities=4, pictures=3), seed=0)
        assert sampler.batch_size == 12
        for rows in take(sampler, 50):
            assert rows.dtype == np.int64
            names = data.identity[rows].reshape(4, 3)
            assert (names == names[:, :1]).all()
            assert len(np.unique(names)) == 4
            assert len(np.unique(rows)) == 12, "no picture twice where there are enough"

    def test_everybody_comes_once_before_anybody_comes_twice(self):
        data = labelled([4] * 12)
        sampler = PkSampler(data, SamplerConfig(identities=4, pictures=2), seed=1)
        for epoch in range(5):
            seen = np.concatenate([data.identity[rows][::2] for rows in take(sampler, 3)])
            assert sorted(seen.tolist()) == list(range(12)), f"epoch {epoch}"

    def test_nobody_is_twice_in_a_batch_where_epochs_meet(self):
        data = labelled([4] * 7)
        sampler = PkSampler(data, SamplerConfig(identities=5, pictures=2), seed=2)
        count = np.zeros(7, int)
        for rows in take(sampler, 70):
            who = data.identity[rows][::2]
            assert len(np.unique(who)) == 5
            count[who] += 1
        assert count.max() - count.min() <= 1

    def test_epochs_differ(self):
        data = labelled([4] * 40)
        sampler = PkSampler(data, SamplerConfig(identities=40, pictures=2), seed=0)
        first, second = (data.identity[rows].tolist() for rows in take(sampler, 2))
        assert first != second

    def test_fewer_identities_than_p_are_all_in_each(self):
        data = labelled([4, 4, 4])
        sampler = PkSampler(data, SamplerConfig(identities=16, pictures=2), seed=0)
        assert sampler.identities_per_batch == 3
        assert [len(rows) for rows in take(sampler, 3)] == [6, 6, 6]

    def test_the_seed_decides(self):
        data = labelled([9] * 8)
        first, again, other = (np.stack(take(PkSampler(data, seed=s), 5)) for s in (5, 5, 6))
        np.testing.assert_array_equal(first, again)
        assert (first != other).any()

    def test_a_subset_is_drawn_by_its_own_rows(self):
        data = labelled([6, 6, 6, 6])
        part = data.subset(np.flatnonzero(data.identity != 1)[::2])
        sampler = PkSampler(part, SamplerConfig(identities=3, pictures=2), seed=0)
        assert sampler.identities.tolist() == [0, 2, 3]
        rows = np.concatenate(take(sampler, 20))
        assert rows.max() < len(part)
        assert set(part.identity[rows].tolist()) == {0, 2, 3}


class TestShortIdentities:
    def test_repeat_their_pictures_evenly(self):
        data = labelled([2, 3, 9])
        sampler = PkSampler(data, SamplerConfig(identities=3, pictures=8), seed=0)
        for rows in take(sampler, 20):
            for who, most in ((0, 4), (1, 3), (2, 1)):
                count = np.bincount(rows[data.identity[rows] == who])
                count = count[count > 0]
                assert count.sum() == 8
                assert count.max() == most
                assert len(count) == (2, 3, 8)[who]

    def test_singletons_are_left_out_unless_asked_for(self):
        data = labelled([1, 4, 4, 1])
        assert PkSampler(data, seed=0).identities.tolist() == [1, 2]
        sampler = PkSampler(data, SamplerConfig(least_pictures=1, pictures=3, identities=4), seed=0)
        assert sampler.identities.tolist() == [0, 1, 2, 3]
        assert np.bincount(next(sampler)).max() == 3


class TestSpread:
    def test_over_time(self):
        rng = np.random.default_rng(0)
        time_s = rng.permutation(40).astype(float)
        data = labelled([20, 20], time_s=time_s)
        for rows in take(PkSampler(data, SamplerConfig(identities=2, pictures=4), seed=0), 50):
            for who in (0, 1):
                life = np.sort(time_s[data.identity == who])
                place = np.searchsorted(life, np.sort(time_s[rows[data.identity[rows] == who]]))
                assert (place // 5).tolist() == [0, 1, 2, 3]

    def test_every_picture_has_its_turn(self):
        data = labelled([11, 11], time_s=np.arange(22.0))
        rows = np.concatenate(take(PkSampler(data, SamplerConfig(identities=2, pictures=4), seed=0), 200))
        assert (np.bincount(rows, minlength=22) > 20).all()

    def test_not_over_time_where_that_is_not_wanted(self):
        data = labelled([20, 20], time_s=np.arange(40.0))
        config = SamplerConfig(identities=2, pictures=4, spread_time=False)
        rows = np.stack(take(PkSampler(data, config, seed=0), 50)).reshape(-1, 4)
        assert (np.sort(rows % 20) // 5 != np.arange(4)).any()
        assert all(len(set(row)) == 4 for row in rows.tolist())

    @pytest.mark.parametrize("pictures", [2, 3, 4, 6])
    def test_over_cameras(self, pictures):
        camera = np.array([1] * 10 + [2] * 2 + [3] + [1] * 8)
        data = labelled([13, 8], camera=camera)
        config = SamplerConfig(identities=2, pictures=pictures)
        for rows in take(PkSampler(data, config, seed=0), 30):
            first = camera[rows[data.identity[rows] == 0]]
            assert len(np.unique(first)) == min(3, pictures)
            assert (first == 2).sum() <= 2
            assert len(np.unique(rows)) == len(rows)

    def test_not_over_cameras_where_that_is_not_wanted(self):
        data = labelled([40, 4], camera=[1] * 39 + [2] + [1] * 4)
        config = SamplerConfig(identities=2, pictures=2, spread_cameras=False)
        rows = np.concatenate(take(PkSampler(data, config, seed=0), 20))
        assert (rows == 39).sum() < 10


class TestTogether:
    @pytest.fixture
    def tracklets(self):
        """Four scenes of five tracklets that were all seen together, a pair, a chain of three, and two alone."""
        scenes = [(a, b) for s in range(4) for a in range(5 * s, 5 * s + 5) for b in range(a) if b >= 5 * s]
        pairs = [*scenes, (20, 21), (22, 23), (23, 24)]
        return crops(np.repeat(np.arange(27), 4), labelled=False, together=pairs, time_s=np.arange(108.0))

    @pytest.mark.parametrize("identities", [2, 5, 7, 8, 12, 16])
    def test_everybody_has_a_certain_negative(self, tracklets, identities):
        sampler = PkSampler(tracklets, SamplerConfig(identities=identities, pictures=2), seed=0)
        assert sampler.identities.tolist() == list(range(25)), "who was seen with nobody is left out"
        for rows in take(sampler, 60):
            assert len(np.unique(tracklets.identity[rows])) == identities
            assert (tracklets.relations(rows) == DIFFERENT).any(axis=1).all()

    def test_groups_are_cliques(self, tracklets):
        sampler = PkSampler(tracklets, SamplerConfig(identities=5, pictures=2), seed=0)
        whole = 0
        for rows in take(sampler, 40):
            who = tracklets.identity[rows][::2]
            whole += len(np.unique(who // 5)) == 1 and who.max() < 20
        assert whole >= 10

    def test_groups_are_no_larger_than_said(self, tracklets):
        config = SamplerConfig(identities=6, pictures=2, most_together=2)
        for rows in take(PkSampler(tracklets, config, seed=0), 20):
            assert (tracklets.relations(rows) == DIFFERENT).any(axis=1).all()
            who = tracklets.identity[rows][::2].reshape(3, 2)
            assert (tracklets.relations(4 * who[0])[0, 1]) == DIFFERENT

    def test_everybody_comes_in_each_epoch(self, tracklets):
        sampler = PkSampler(tracklets, SamplerConfig(identities=6, pictures=2), seed=0)
        count = np.zeros(27, int)
        while sampler.state()["epoch"] < 8:
            count[np.unique(tracklets.identity[next(sampler)])] += 1
        assert (count[:25] >= 8).all()

    def test_it_may_be_left(self, tracklets):
        config = SamplerConfig(identities=6, pictures=2, together="never")
        assert len(PkSampler(tracklets, config, seed=0).identities) == 27

    @given(st.integers(0, 10**6), st.integers(2, 12), st.integers(2, 12), st.floats(0.05, 1))
    @settings(max_examples=60, deadline=None)
    def test_any_company_gives_whole_batches(self, seed, count, identities, density):
        rng = np.random.default_rng(seed)
        pairs = [(a, b) for a in range(count) for b in range(a) if rng.random() < density]
        data = crops(np.repeat(np.arange(count), 2), labelled=False, together=pairs or [(0, 1)])
        config = SamplerConfig(identities=identities, pictures=2, most_together=int(rng.integers(2, 6)))
        sampler = PkSampler(data, config, seed=seed)
        came = set()
        for rows in take(sampler, 15):
            who = data.identity[rows][::2].tolist()
            assert len(set(who)) == len(who) == min(identities, len(sampler.identities))
            came |= set(who)
        waiting = sampler.state()["waiting"]
        assert len(set(waiting)) == len(waiting)
        if sampler.state()["epoch"] > 0:
            assert came == set(sampler.identities.tolist())

    def test_labelled_identities_of_one_video_belong_together(self):
        data = labelled([4] * 12, group=np.repeat([0, 1, 2], 16))
        auto = PkSampler(data, SamplerConfig(identities=4, pictures=2), seed=0)
        grouped = PkSampler(data, SamplerConfig(identities=4, pictures=2, together="always"), seed=0)

        def videos(sampler):
            return np.mean([len(np.unique(data.group[rows])) for rows in take(sampler, 30)])

        assert videos(grouped) < 1.3 < videos(auto)

    def test_groups_where_nothing_is_known_are_refused(self):
        with pytest.raises(InputError, match=r"two identities or more .* seen together, got 0 of 3"):
            PkSampler(labelled([4, 4, 4]), SamplerConfig(together="always"), seed=0)


class TestResume:
    @pytest.mark.parametrize("done", [0, 1, 3, 4, 17])
    @pytest.mark.parametrize("together", ["never", "always"])
    def test_it_goes_on_exactly(self, done, together):
        data = labelled([5] * 11, group=np.repeat(np.arange(11) // 4, 5), time_s=np.arange(55.0))
        config = SamplerConfig(identities=4, pictures=3, together=together)
        whole = take(PkSampler(data, config, seed=7), done + 20)
        first = PkSampler(data, config, seed=7)
        take(first, done)
        state = json.loads(json.dumps(first.state()))  # a checkpoint may be any plain format
        second = PkSampler(data, config, seed=99)
        take(second, 2)
        second.restore(state)
        np.testing.assert_array_equal(np.stack(take(second, 20)), np.stack(whole[done:]))

    def test_a_state_of_other_data_is_refused(self):
        state = PkSampler(labelled([4, 4, 4]), seed=0).state()
        with pytest.raises(InputError, match="of a sampler over 3 identities, and this one has 2"):
            PkSampler(labelled([4, 4]), seed=0).restore(state)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"identities": 1}, "identities must be a whole number of at least 2, got 1"),
        ({"pictures": 1.5}, r"pictures must be a whole number of at least 2, got 1\.5"),
        ({"least_pictures": 0}, "least_pictures must be a whole number of at least 1, got 0"),
        ({"most_together": True}, "most_together must be a whole number of at least 2, got True"),
        ({"together": "maybe"}, "together must be one of auto, always, never, got 'maybe'"),
    ],
)
def test_impossible_settings_are_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        SamplerConfig(**wrong)


@pytest.mark.parametrize("counts", [[4], [1, 1, 1], [4, 1]])
def test_too_few_identities_are_refused(counts):
    with pytest.raises(InputError, match=f"with at least 2 pictures each, got {sum(c > 1 for c in counts)} of"):
        PkSampler(labelled(counts), seed=0)

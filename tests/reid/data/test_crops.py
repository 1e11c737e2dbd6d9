"""Crops: pixels through the cache, subsets, relations, joining."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from reid.data import DIFFERENT, SAME, UNKNOWN, Crops, join_crops
from reid.data.cache import PixelCache
from reid.errors import DataError, InputError


class Plain:
    """Pictures of one value each, which count how often they are read."""

    def __init__(self, count, failing=()):
        self.reads = np.zeros(count, int)
        self._failing = failing
        self._lock = threading.Lock()

    def __len__(self):
        return len(self.reads)

    def read(self, index, height_px, width_px):
        with self._lock:
            self.reads[index] += 1
        if index in self._failing:
            raise DataError(f"picture {index} is broken")
        return np.full((8, 4, 3), index, np.uint8)

    def name(self, index):
        return f"plain {index}"


def crops(identity, **columns):
    identity = np.asarray(identity)
    return Crops(Plain(len(identity)), identity, [str(k) for k in range(identity.max(initial=-1) + 1)], **columns)


def values(pixels):
    assert pixels.dtype == np.uint8
    assert (pixels == pixels[:, :1, :1, :1]).all()
    return pixels[:, 0, 0, 0].tolist()


class TestPixels:
    def test_come_in_the_order_asked_for_also_twice(self):
        data = crops(np.arange(20) % 4)
        rows = [7, 3, 3, 19, 0, 7, 7, 11, 12, 13]
        assert values(data.pixels(rows, 16, 8)) == rows
        assert data.pixels(rows, 16, 8).shape == (10, 16, 8, 3)
        assert data.pixels([], 16, 8).shape == (0, 16, 8, 3)

    def test_are_read_once_where_the_budget_allows(self):
        pictures = Plain(30)
        data = Crops(pictures, np.zeros(30, int), ["a"], cache=PixelCache(pictures, 30 * 8 * 4 * 3))
        for _ in range(3):
            assert values(data.pixels(np.arange(30), 8, 4)) == list(range(30))
        assert (pictures.reads == 1).all()

    def test_beyond_the_budget_what_came_first_stays(self):
        pictures = Plain(30)
        data = Crops(pictures, np.zeros(30, int), ["a"], cache=PixelCache(pictures, 10 * 8 * 4 * 3 + 5))
        assert values(data.pixels(np.arange(5, 15), 8, 4)) == list(range(5, 15))
        for _ in range(2):
            assert values(data.pixels(np.arange(30), 8, 4)) == list(range(30))
        assert (pictures.reads[5:15] == 1).all()
        assert (pictures.reads[15:] == 2).all()

    def test_a_budget_of_nothing_keeps_nothing(self):
        pictures = Plain(6)
        data = Crops(pictures, np.zeros(6, int), ["a"], cache=PixelCache(pictures, 0))
        data.pixels(np.arange(6), 8, 4)
        assert values(data.pixels(np.arange(6), 8, 4)) == list(range(6))
        assert (pictures.reads == 2).all()

    def test_another_size_is_read_anew(self):
        data = crops(np.zeros(6, int))
        assert data.pixels(np.arange(6), 8, 4).shape == (6, 8, 4, 3)
        assert data.pixels(np.arange(6), 5, 9).shape == (6, 5, 9, 3)
        assert values(data.pixels(np.arange(6), 5, 9)) == list(range(6))

    def test_are_the_callers_to_change(self):
        data = crops(np.zeros(6, int))
        data.pixels(np.arange(6), 8, 4)[:] = 255
        data.pixels(np.arange(6), 8, 4)[:] = 255
        assert values(data.pixels(np.arange(6), 8, 4)) == list(range(6))

    def test_may_be_asked_for_by_several_threads(self):
        data, wrong = crops(np.zeros(200, int)), []

        def ask(seed):
            rng = np.random.default_rng(seed)
            for step in range(20):
                rows = rng.integers(0, 200, 30)
                if values(data.pixels(rows, 8, 4 + (step == 10))) != rows.tolist():
                    wrong.append(seed)

        threads = [threading.Thread(target=ask, args=(k,)) for k in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong

    def test_a_broken_picture_is_named_and_harms_no_other(self):
        data = Crops(Plain(12, failing=(7,)), np.zeros(12, int), ["a"])
        with pytest.raises(DataError, match="picture 7 is broken"):
            data.pixels(np.arange(12), 8, 4)
        assert values(data.pixels([1, 2, 8], 8, 4)) == [1, 2, 8]

    def test_sizes_below_one_are_refused(self):
        with pytest.raises(InputError, match="height_px and width_px must be 1 or more, got 0 and 4"):
            crops([0]).pixels([0], 0, 4)


def test_a_subset_keeps_numbers_names_pictures_and_cache():
    pictures = Plain(6)
    data = Crops(
        pictures, [0, 0, 1, 1, 2, 2], ["a", "b", "c"], camera=[1, 2, 1, 2, 1, 2], time_s=np.arange(6.0), group=[5] * 6,
        together=[(0, 2)], kin=[0, 0, 1], labelled=[True, True, False], licence="CC0",
    )  # fmt: skip
    data.pixels(np.arange(6), 8, 4)
    part = data.subset([5, 2, 0])
    assert part.identity.tolist() == [2, 1, 0]
    assert part.names == data.names
    assert part.camera.tolist() == [2, 1, 1]
    assert part.time_s.tolist() == [5.0, 2.0, 0.0]
    assert part.kin.tolist() == [0, 0, 1]
    assert part.labelled.tolist() == [True, True, False]
    assert part.licence == "CC0"
    assert part.together.tolist() == [[0, 2]]
    assert part.picture_name(1) == "plain 2"
    assert values(part.pixels([0, 1, 2], 8, 4)) == [5, 2, 0]
    assert (pictures.reads == 1).all()
    assert part.subset(part.identity == 1).picture_name(0) == "plain 2"
    assert part.identities.tolist() == [0, 1, 2]


def test_a_subset_with_a_cache_of_its_own_leaves_that_of_the_original_alone():
    pictures = Plain(3)
    data = Crops(pictures, [0, 0, 0], ["a"])
    own, none = data.subset([2, 1], cache_mb=1), data.subset([0], cache_mb=0)
    for _ in range(2):
        assert values(data.pixels([0, 1, 2], 8, 4)) == [0, 1, 2]
        assert values(own.pixels([0, 1], 16, 8)) == [2, 1]
        assert values(none.pixels([0], 5, 9)) == [0]
    assert pictures.reads.tolist() == [1 + 2, 1 + 1, 1 + 1]


class TestRelations:
    def test_of_labelled_identities(self):
        relations = crops([0, 0, 1, 2]).relations([0, 1, 2, 3])
        assert relations.dtype == np.int8
        assert relations.tolist() == [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]

    def test_of_tracklets_are_known_only_where_they_were_seen_together(self):
        data = crops([0, 1, 2, 3], labelled=False, together=[(2, 0), (1, 2), (2, 0)])
        assert data.together.tolist() == [[0, 2], [1, 2]]
        relations = data.relations([3, 0, 1, 2, 0])
        assert relations[1].tolist() == [UNKNOWN, SAME, UNKNOWN, DIFFERENT, SAME]
        assert (relations == relations.T).all()
        assert (relations[0, 1:] == UNKNOWN).all()

    def test_against_the_definition(self):
        rng = np.random.default_rng(0)
        labelled = rng.random(30) < 0.4
        pairs = {tuple(sorted(rng.choice(30, 2, replace=False).tolist())) for _ in range(60)}
        identity = np.r_[np.arange(30), rng.integers(0, 30, 70)]
        data = crops(identity, labelled=labelled, together=sorted(pairs))
        rows = rng.integers(0, 100, 50)
        relations = data.relations(rows)
        for i, a in enumerate(identity[rows]):
            for j, b in enumerate(identity[rows]):
                known = (labelled[a] and labelled[b]) or (min(a, b), max(a, b)) in pairs
                assert relations[i, j] == (SAME if a == b else DIFFERENT if known else UNKNOWN)

    def test_of_no_rows(self):
        assert crops([0, 1]).relations([]).shape == (0, 0)

    def test_values_are_those_of_the_losses(self):
        learning = pytest.importorskip("reid.learning.relations")
        assert (learning.SAME, learning.DIFFERENT, learning.UNKNOWN) == (SAME, DIFFERENT, UNKNOWN)


def test_joined_sets_number_on_and_count_as_different():
    one = crops([0, 1, 1], camera=[0, 1, -1], group=[3, 3, -1], licence="CC0")
    two = crops([0, 0, 1], labelled=False, together=[(0, 1)], camera=[0, 0, 0], licence="MIT")
    three = crops([1, 0])
    data = join_crops([one, two, three])
    assert data.identity.tolist() == [0, 1, 1, 2, 2, 3, 5, 4]
    assert data.names == ("0", "1", "0", "1", "0", "1")
    assert data.camera.tolist() == [0, 1, -1, 2, 2, 2, -1, -1]
    assert data.group.tolist() == [3, 3, -1, -1, -1, -1, -1, -1]
    assert len(set(data.kin.tolist())) == 6
    assert data.labelled.tolist() == [True, True, False, False, True, True]
    assert data.relations([0, 3, 5, 7])[0].tolist() == [SAME, UNKNOWN, UNKNOWN, DIFFERENT]
    assert data.relations([3, 5])[0, 1] == DIFFERENT
    assert values(data.pixels(np.arange(8), 8, 4)) == [0, 1, 2, 0, 1, 2, 0, 1]
    assert data.picture_name(6) == "plain 0"
    assert data.licence is None, "of three nobody said anything"
    assert join_crops([one, two]).licence == "CC0; MIT"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"camera": [1]}, r"camera must have shape \(2,\), got \(1,\)"),
        ({"kin": [0, 1]}, r"kin must have shape \(3,\), got \(2,\)"),
        ({"picture": [0, 2]}, r"picture must be within 0\.\.1, got 0\.\.2"),
        ({"together": [(0, 3)]}, r"together must be within 0\.\.2, got 0\.\.3"),
        ({"together": [(1, 1)]}, "together must be pairs of two different identities"),
    ],
)
def test_columns_that_do_not_fit_are_refused(columns, message):
    with pytest.raises(InputError, match=message):
        Crops(Plain(2), [0, 2], ["a", "b", "c"], **columns)


def test_numbers_without_a_name_are_refused():
    with pytest.raises(InputError, match=r"identity must be within 0\.\.0, got 0\.\.1"):
        Crops(Plain(2), [0, 1], ["a"])
    with pytest.raises(InputError, match="at least one data set"):
        join_crops([])

"""Questions to small arrays, against numpy's own answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.arrays import among, every, find, some


@pytest.mark.parametrize("values", [[], [0], [1], [0.0, 2.0], [3.0, 0.5], [False, False], [True, False], [True, True]])
def test_every_and_some_are_all_and_any(values: list[float]) -> None:
    array = np.array(values)
    assert every(array) == array.all()
    assert some(array) == array.any()


@given(st.lists(st.integers(-5, 5), max_size=12), st.lists(st.integers(-5, 5), max_size=12))
def test_among_is_isin(values: list[int], others: list[int]) -> None:
    a, b = np.array(values, np.int64), np.array(others, np.int64)
    np.testing.assert_array_equal(among(a, b), np.isin(a, b))


@given(st.lists(st.integers(-5, 5), max_size=12), st.lists(st.integers(-5, 5), max_size=12, unique=True))
def test_find_says_where_each_stands(values: list[int], others: list[int]) -> None:
    place, known = find(np.array(values, np.int64), np.array(others, np.int64))
    assert known.tolist() == [value in others for value in values]
    assert place[known].tolist() == [others.index(value) for value in values if value in others]

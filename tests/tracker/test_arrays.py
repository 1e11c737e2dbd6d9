"""Questions to small arrays, against numpy's own answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.arrays import among, every, some


@pytest.mark.parametrize("values", [[], [0], [1], [0.0, 2.0], [3.0, 0.5], [False, False], [True, False], [True, True]])
def test_every_and_some_are_all_and_any(values: list[float]) -> None:
    array = np.array(values)
    assert every(array) == array.all()
    assert some(array) == array.any()


@given(st.lists(st.integers(-5, 5), max_size=12), st.lists(st.integers(-5, 5), max_size=12))
def test_among_is_isin(values: list[int], others: list[int]) -> None:
    a, b = np.array(values, np.int64), np.array(others, np.int64)
    np.testing.assert_array_equal(among(a, b), np.isin(a, b))

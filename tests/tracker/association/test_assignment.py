"""Assignment by shortcuts and a solver against the solver on the whole table."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from tracker.association.assignment import assign


def total_of_solver(rows: np.ndarray, columns: np.ndarray, gain: np.ndarray) -> float:
    table = np.zeros((rows.max() + 1, columns.max() + 1))
    table[rows, columns] = np.maximum(gain, 0)
    return float(table[linear_sum_assignment(table, maximize=True)].sum())


@st.composite
def problems(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(draw(st.integers(0, 100_000)))
    n, m = draw(st.integers(1, 15)), draw(st.integers(1, 15))
    rows, columns = np.nonzero(rng.random((n, m)) < draw(st.sampled_from([0.05, 0.2, 0.5, 1.0])))
    gain = rng.normal(0.5, 1, len(rows))
    if draw(st.booleans()):
        gain = np.round(gain)  # many exact ties
    return rows, columns, gain


@given(problems())
def test_is_one_to_one_and_as_good_as_the_solver(problem: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    rows, columns, gain = problem
    chosen = assign(rows, columns, gain)
    assert len(np.unique(rows[chosen])) == len(chosen) == len(np.unique(columns[chosen]))
    assert (gain[chosen] > 0).all()
    if len(rows):
        np.testing.assert_allclose(gain[chosen].sum(), total_of_solver(rows, columns, gain), atol=1e-9)


def test_a_greedy_choice_would_be_wrong() -> None:
    rows, columns = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    gain = np.array([10.0, 9.0, 9.0, 1.0])  # greedy takes 10 + 1, the optimum is 9 + 9
    np.testing.assert_array_equal(assign(rows, columns, gain), [1, 2])


def test_nothing_to_choose_from() -> None:
    none = np.zeros(0, np.int64)
    assert len(assign(none, none, np.zeros(0))) == 0
    assert len(assign(np.array([0, 1]), np.array([0, 1]), np.array([0.0, -1.0]))) == 0

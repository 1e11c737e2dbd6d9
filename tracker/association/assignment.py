"""The best one-to-one assignment of pairs, solved exactly, most of it without a solver."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from tracker.types import DoubleArray, IntArray


def assign(rows: IntArray, columns: IntArray, gain: DoubleArray) -> IntArray:
    """Choose pairs, each row and column at most once, of greatest total gain.

    Args:
        rows: (P,) of each candidate pair.
        columns: (P,) of each candidate pair; no pair stands twice.
        gain: (P,) what the pair is worth; pairs of 0 or less are never chosen.

    Returns:
        Indices of the chosen pairs, ascending.

    A pair whose gain is at least the sum of the best rival in its row and the best rival in its column belongs to an
    optimal assignment: whatever holds its row and column instead can be swapped for it without loss. Such pairs are
    taken first (pairs without rivals are among them); scipy solves what is left.
    """
    chosen: list[IntArray] = []
    left = np.flatnonzero(gain > 0)
    while len(left):
        r, c, g = rows[left], columns[left], gain[left]
        safe = g >= _best_rival(r, g) + _best_rival(c, g)
        if not safe.any():
            chosen.append(left[_solve(r, c, g)])
            break
        taken = _first_of_ties(left[safe], rows, columns)
        chosen.append(taken)
        left = left[~np.isin(r, rows[taken]) & ~np.isin(c, columns[taken])]
    return np.sort(np.concatenate(chosen)) if chosen else np.zeros(0, np.int64)


def _first_of_ties(pairs: IntArray, rows: IntArray, columns: IntArray) -> IntArray:
    """Of pairs that share a row or column (possible only where gains tie exactly) the first."""
    pairs = pairs[np.unique(rows[pairs], return_index=True)[1]]
    return pairs[np.unique(columns[pairs], return_index=True)[1]]


def _best_rival(group: IntArray, gain: DoubleArray) -> DoubleArray:
    """For each pair the greatest gain among the other pairs of its group, 0 where there is none: (P,) -> (P,)."""
    order = np.lexsort((-gain, group))  # by group, best first
    sorted_group, sorted_gain = group[order], gain[order]
    starts = np.flatnonzero(np.r_[True, sorted_group[1:] != sorted_group[:-1]])
    sizes = np.diff(np.r_[starts, len(group)])
    rival = np.repeat(sorted_gain[starts], sizes)  # everybody's rival is the best of the group ...
    second = np.where(sizes > 1, sorted_gain[np.minimum(starts + 1, len(group) - 1)], 0.0)
    rival[starts] = second  # ... but the best one's is the second
    result = np.empty_like(gain)
    result[order] = rival
    return result


def _solve(rows: IntArray, columns: IntArray, gain: DoubleArray) -> IntArray:
    """The pairs of an optimal assignment. Pairs that are not candidates are worth 0, the same as no match."""
    row_values, r = np.unique(rows, return_inverse=True)
    column_values, c = np.unique(columns, return_inverse=True)
    table = np.zeros((len(row_values), len(column_values)))
    index = np.full(table.shape, -1)
    table[r, c] = gain
    index[r, c] = np.arange(len(gain))
    chosen = index[linear_sum_assignment(table, maximize=True)]
    return np.asarray(chosen[chosen >= 0], np.int64)

"""The best one-to-one assignment of pairs, solved exactly, most of it without a solver."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from tracker.arrays import every
from tracker.types import BoolArray, DoubleArray, IntArray


def without_rival(rows: IntArray, columns: IntArray) -> BoolArray:
    """Which pairs (P,), (P,) share neither row nor column with another."""
    return np.asarray(np.bincount(rows)[rows] + np.bincount(columns)[columns] == 2)


def assign(rows: IntArray, columns: IntArray, gain: DoubleArray, alone: BoolArray | None = None) -> IntArray:
    """Choose pairs, each row and column at most once, of greatest total gain.

    Args:
        rows: (P,) of each candidate pair.
        columns: (P,) of each candidate pair; no pair stands twice.
        gain: (P,) what the pair is worth; pairs of 0 or less are never chosen.
        alone: (P,) which are `without_rival`, where that is known already.

    Returns:
        Indices of the chosen pairs, ascending.

    A pair whose gain is at least the sum of the best rival in its row and the best rival in its column belongs to an
    optimal assignment: whatever holds its row and column instead can be swapped for it without loss. Such pairs are
    taken first (those without any rival cost next to nothing); scipy solves what is left.
    """
    worth = gain > 0
    if alone is None:
        alone = without_rival(rows, columns)
    if every(alone):
        return worth.nonzero()[0]
    chosen = worth & alone
    left = (worth & ~alone).nonzero()[0]
    while len(left):
        r, c = rows[left], columns[left]
        alone = without_rival(r, c)
        chosen[left[alone]] = True
        left = left[~alone]
        if not len(left):
            break
        r, c, g = rows[left], columns[left], gain[left]
        taken = _safe(r, c, g)
        if not len(taken):
            chosen[left[_solve(r, c, g)]] = True
            break
        chosen[left[taken]] = True
        left = left[~(_among(r, r[taken]) | _among(c, c[taken]))]
    return chosen.nonzero()[0]


def _safe(rows: IntArray, columns: IntArray, gain: DoubleArray) -> IntArray:
    """Pairs that gain as much as their best rivals of row and column do together, no two of one row or column."""
    order = (-gain).argsort(kind="stable")
    r, c, g = rows[order], columns[order], gain[order]
    safe = order[g >= _best_rival(r, g) + _best_rival(c, g)]
    # two of a row or column can be safe only where their gains tie exactly: the first of them is taken
    safe = safe[_first_of_each(rows[safe])]
    return safe[_first_of_each(columns[safe])]


def _best_rival(group: IntArray, gain: DoubleArray) -> DoubleArray:
    """For each pair, sorted by falling gain, the greatest gain among the others of its group; 0 without: (P,)."""
    best = _first_of_each(group)  # (P,)
    greatest, second = np.zeros(group.max() + 1), np.zeros(group.max() + 1)
    greatest[group[best]] = gain[best]
    others = (~best).nonzero()[0]
    others = others[_first_of_each(group[others])]
    second[group[others]] = gain[others]
    return np.where(best, second[group], greatest[group])


def _first_of_each(group: IntArray) -> BoolArray:
    """Which members (P,) are the first of their groups."""
    place = np.arange(len(group))
    first = np.zeros(group.max(initial=0) + 1, np.int64)
    first[group[::-1]] = place[::-1]  # of what is written to one place, the last stays
    return np.asarray(first[group] == place)


def _among(values: IntArray, some: IntArray) -> BoolArray:
    """Which values (P,) are among some of them."""
    there = np.zeros(values.max() + 1, bool)
    there[some] = True
    return np.asarray(there[values])


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

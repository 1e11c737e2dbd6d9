"""So many crops of a large harvest: pieces that were seen beside each other, from all over its time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reid.data import Crops
from reid.data.selection import spread_evenly
from reid.online.slices import accompanied


def draw_groups(crops: Crops, most: int, *, each: int, seed: int) -> NDArray[np.int64]:
    """Rows (n,), ascending, of the pieces that were seen beside another one; of all of them where `most` are enough.

    Otherwise a piece keeps `each` crops, spread evenly over its time, so that none of them is too near to all others.
    If those are too many still, pieces are drawn at random, and with each of them all that were seen beside it, as many
    as fit: whoever is left without another crop, or without anybody who is certainly somebody else, says nothing. The
    latest would all be of one hour and one light.

    Args:
        crops: of pieces.
        most: how many.
        each: crops that are enough of a piece.
        seed: of what is drawn.
    """
    rows = np.flatnonzero(np.isin(crops.identity, accompanied(crops)))
    if len(rows) > most:
        rows = rows[spread_evenly(crops.identity[rows], crops.time_s[rows], each)]
    if len(rows) <= most:
        return rows
    pieces, count = np.unique(crops.identity[rows], return_counts=True)
    pairs = np.searchsorted(pieces, crops.together[np.isin(crops.together, pieces).all(axis=1)])  # (m, 2)
    drawn = _drawn(count, pairs, most, np.random.default_rng(seed))
    return rows[np.isin(crops.identity[rows], pieces[drawn])]


def _drawn(
    count: NDArray[np.int64], pairs: NDArray[np.int64], room: int, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """(p,) which of the pieces with so many crops (p,), of which pairs (m, 2) were seen together."""
    both = np.concatenate((pairs, pairs[:, ::-1]))
    both = both[np.argsort(both[:, 0], kind="stable")]
    start = np.searchsorted(both[:, 0], np.arange(len(count) + 1))
    drawn = np.zeros(len(count), np.bool_)
    for first in rng.permutation(len(count)).tolist():
        if room < count.min():
            break
        if drawn[first]:
            continue
        beside = rng.permutation(both[start[first] : start[first + 1], 1])
        group = np.append(first, beside[~drawn[beside]])
        fits = np.cumsum(count[group]) <= room
        if fits[:2].all():  # it alone would have nobody to be told from
            drawn[group[fits]] = True
            room -= int(count[group[fits]].sum())
    return drawn

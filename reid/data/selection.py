"""Fewer crops of those of whom there are many; identities held out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reid.checks import check_number
from reid.data.crops import Crops
from reid.errors import InputError


def spread_evenly(
    identity: NDArray[np.int64], when: NDArray[np.int64] | NDArray[np.float64], most: int
) -> NDArray[np.int64]:
    """Rows, ascending, so that each identity keeps at most `most`, spread evenly over its rows in order of `when`."""
    order = np.lexsort((when, identity))
    starts = np.flatnonzero(np.r_[True, np.diff(identity[order]) > 0]) if len(order) else np.zeros(0, np.int64)
    count = np.diff(np.r_[starts, len(order)])  # (i,)
    rank = np.arange(len(order)) - np.repeat(starts, count)  # (n,) place inside the identity
    total = np.repeat(count, count)
    # of n rows keep those at which floor(rank * most / n) steps up: `most` of them, evenly
    step = rank * most // np.maximum(total, 1) != (rank - 1) * most // np.maximum(total, 1)
    return np.sort(order[(total <= most) | step])


def split_identities(crops: Crops, *, share: float, seed: int) -> tuple[Crops, Crops]:
    """Split by identity: (the rest, to train on; `share` of the identities, held out), both with one or more.

    Tracklets which the tracker took for one object stay on one side. The same seed gives the same split.

    Raises:
        InputError: `share` is not within 0..1 (exclusive), or there are fewer than two identities.
    """
    check_number("share", share, above=0, below=1)
    kin = np.unique(crops.kin[crops.identities])
    if len(kin) < 2:
        raise InputError(f"splitting needs two identities or more, got {len(kin)}")
    count = min(max(round(share * len(kin)), 1), len(kin) - 1)
    held = np.random.default_rng(seed).permutation(kin)[:count]
    out = np.isin(crops.kin[crops.identity], held)
    return crops.subset(~out), crops.subset(out)

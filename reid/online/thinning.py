"""Which crops of a store go when it holds too much: those of the longest tracklets, evenly in time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def thin(
    tracklet: NDArray[np.int64],
    time_s: NDArray[np.float64],
    sizes: NDArray[np.int64],
    excess: int,
    *,
    few: int,
    rng: np.random.Generator,
) -> NDArray[np.bool_]:
    """Which of N crops stay (N,), so that at least `excess` goes.

    Crops go from the tracklet that has most, and of that evenly in time, by chance within each stretch: what stays is
    a sample of the tracklet's whole life. When none has more than `few` crops, whole tracklets go, the oldest first.

    Args:
        tracklet: (N,) which tracklet each is of.
        time_s: (N,) when each was seen.
        sizes: (N,) what each takes, in the unit of `excess`.
        excess: what has to go.
        few: crops that a tracklet keeps as long as others have more.
        rng: chance.
    """
    keep = np.ones(len(tracklet), np.bool_)
    order = np.lexsort((time_s, tracklet))  # (N,) tracklet by tracklet, in order of time
    numbers, start, counts = np.unique(tracklet[order], return_index=True, return_counts=True)  # (T,) each
    wanted = int(np.ceil(excess / max(float(sizes.mean()), 1.0))) if len(sizes) else 0  # crops to drop
    for place, left in enumerate(_shares(counts, wanted, few, rng).tolist()):
        if left < counts[place]:
            mine = order[start[place] : start[place] + counts[place]]
            keep[mine] = False
            keep[mine[_spread(int(counts[place]), left, rng)]] = True
    still = excess - int(sizes[~keep].sum())
    if still > 0:
        oldest = np.argsort(time_s[order][start], kind="stable")  # (T,)
        freed = np.cumsum(np.add.reduceat(np.where(keep, sizes, 0)[order], start)[oldest])  # (T,)
        gone = numbers[oldest[: int(np.searchsorted(freed, still)) + 1]]
        keep &= ~np.isin(tracklet, gone)
    return keep


def _shares(counts: NDArray[np.int64], wanted: int, few: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """How many crops each tracklet keeps (T,) when `wanted` go, each from one that has most by then."""
    level = int(counts.max(initial=0))
    while level > few and np.maximum(counts - level, 0).sum() < wanted:
        level -= 1
    left = np.minimum(counts, level)
    # one level less was too much: so many of those that have most give one crop less
    surplus = int((counts - left).sum()) - wanted
    if surplus > 0:
        most = np.flatnonzero(counts > level)
        left[rng.choice(most, min(surplus, len(most)), replace=False)] += 1
    return left


def _spread(count: int, left: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """(left,) of `count` places in order, one by chance out of each of so many equal stretches."""
    edges = np.arange(left + 1) * count // max(left, 1)  # (left + 1,)
    return np.asarray(rng.integers(edges[:-1], edges[1:]), np.int64)

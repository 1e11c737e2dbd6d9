"""Verification: are two crops of one identity? AUC, and the share recognised where few strangers may pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reid.evaluation.bootstrap import Estimate, Resampling
from reid.evaluation.similarity import GRID

FPR = 1e-3
"""The share of pairs of two identities that may pass."""
LEAST_PASSING = 10
"""Pairs of two identities that must lie above a threshold before a rate at it is more than luck (as calibration has
it): below 10 / FPR such pairs there is no TPR."""

_SAMPLE = 2**16  # pairs of a kind that the bootstrap weighs; the figures themselves are of all pairs
_BINS = 2 * GRID + 1  # one a cosine of the grid
_SPARSE = 0.1  # below this rate it is quicker to draw places of a tile than to list what may be drawn
_AT_ONCE = 16  # replicates
TAIL = 5 * FPR
"""The most alike strangers decide a threshold, so that this share of them is sampled apart, and more densely."""


class _Sample:
    """A random part of the pairs of one kind: their cosines and whom they join.

    Args:
        expected: about how many pairs will come.
        rng: draws.
    """

    def __init__(self, expected: float, rng: np.random.Generator) -> None:
        self._rate = min(1.0, _SAMPLE / max(expected, 1))
        self._rng = rng
        self._cosine: list[NDArray[np.float32]] = []
        self._first: list[NDArray[np.int64]] = []
        self._second: list[NDArray[np.int64]] = []

    def add(
        self,
        chosen: NDArray[np.bool_],
        cosine: NDArray[np.float32],
        first: NDArray[np.int64],
        second: NDArray[np.int64],
    ) -> None:
        """Keep each `chosen` pair (T, G) with the same chance."""
        if self._rate > _SPARSE:
            row, column = np.nonzero(chosen)
            if self._rate < 1:
                keep = self._rng.random(len(row)) < self._rate
                row, column = row[keep], column[keep]
        else:
            flat = self._rng.integers(0, chosen.size, self._rng.binomial(chosen.size, self._rate))  # may repeat one
            flat = flat[chosen.ravel()[flat]]
            row, column = np.divmod(flat, chosen.shape[1])
        self._cosine.append(cosine[row, column])
        self._first.append(first[row])
        self._second.append(second[column])

    def pairs(self) -> _Pairs:
        """What was kept."""
        cosine = np.concatenate(self._cosine)
        weight = np.full(len(cosine), 1 / self._rate, np.float32)
        return _Pairs(cosine, np.concatenate(self._first), np.concatenate(self._second), weight)


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Pairs of one kind; all arrays are (pairs,)."""

    cosine: NDArray[np.float32]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    weight: NDArray[np.float32]
    """How many pairs each stands for."""

    def sorted(self) -> _Pairs:
        """By rising cosine."""
        order = np.argsort(self.cosine, kind="stable")
        return _Pairs(self.cosine[order], self.first[order], self.second[order], self.weight[order])

    def and_also(self, other: _Pairs) -> _Pairs:
        """Both."""
        names = ("cosine", "first", "second", "weight")
        return _Pairs(*(np.concatenate((getattr(self, name), getattr(other, name))) for name in names))


class PairTally:
    """Counts pairs of a query and a crop of its gallery by their cosine, tile by tile.

    Memory is bounded: two histograms over the grid of cosines, and samples of pairs for the intervals.

    Args:
        expected: (same, different) about how many pairs of each kind will come, which sets the rates of sampling.
        tail: a cosine that about `TAIL` of the strangers exceed; where it lies matters little.
        seed: of the samples.
    """

    def __init__(self, expected: tuple[int, int], tail: float, seed: int) -> None:
        self._histograms = np.zeros((2, _BINS), np.int64)  # different, same
        self._tail = np.float32(tail)
        rng = np.random.default_rng((seed, 3))
        same, different = expected
        self._friends, self._strangers = _Sample(same, rng), _Sample(different, rng)
        self._lookalikes = _Sample(TAIL * different, rng)

    def add(
        self,
        cosine: NDArray[np.float32],
        match: NDArray[np.bool_],
        counted: NDArray[np.bool_],
        first: NDArray[np.int64],
        second: NDArray[np.int64],
    ) -> None:
        """A tile of cosines on the grid (T, G).

        `match` (T, G) those of one identity, `counted` (T, G) those that count, `first` (T,) and `second` (G,) the
        numbers of the identities.
        """
        bins = (cosine * GRID).astype(np.int32)
        bins += GRID
        same, different = counted & match, counted & ~match
        for kind, chosen in enumerate((different, same)):
            self._histograms[kind] += np.bincount(bins[chosen], minlength=_BINS)
        alike = cosine >= self._tail
        self._friends.add(same, cosine, first, second)
        self._strangers.add(different & ~alike, cosine, first, second)
        self._lookalikes.add(different & alike, cosine, first, second)

    @property
    def same(self) -> int:
        """Pairs of one identity."""
        return int(self._histograms[1].sum())

    @property
    def different(self) -> int:
        """Pairs of two identities."""
        return int(self._histograms[0].sum())

    def auc(self) -> float | None:
        """Of all pairs, equal cosines counting half; None where a kind is missing."""
        if not self.same or not self.different:
            return None
        different, same = self._histograms
        below = np.cumsum(different) - different  # (bins,) strangers that are less alike than this bin
        return float((same * (below + 0.5 * different)).sum() / (float(self.same) * self.different))

    def tpr(self) -> float | None:
        """At FPR, as `metrics.tpr_at_fpr` has it; None where fewer than `LEAST_PASSING` strangers would pass."""
        allowed = int(FPR * self.different + 1e-9)
        if allowed < LEAST_PASSING or not self.same:
            return None
        passing = np.append(np.cumsum(self._histograms[0][::-1])[::-1], 0)  # (bins + 1,) strangers at or above each
        threshold = int(np.argmax(passing <= allowed))  # the lowest cosine that lets no more pass
        return float(self._histograms[1][threshold:].sum() / self.same)

    def estimates(self, resampling: Resampling) -> tuple[Estimate | None, Estimate | None]:
        """AUC and TPR with intervals over identities, whose numbers must be those of `resampling`; -1 has weight 1."""
        auc, tpr = self.auc(), self.tpr()
        if auc is None:
            return None, None
        if not len(resampling.counts):
            return Estimate(auc), None if tpr is None else Estimate(tpr)
        same = self._friends.pairs().sorted()
        different = self._strangers.pairs().and_also(self._lookalikes.pairs()).sorted()
        starts = range(0, len(resampling.counts), _AT_ONCE)
        parts = [_replicates(resampling.counts[start : start + _AT_ONCE], same, different) for start in starts]
        auc_replicates, tpr_replicates = np.concatenate(parts, axis=1)  # each (R,)
        return Estimate.of(auc, auc_replicates), None if tpr is None else Estimate.of(tpr, tpr_replicates)


def _replicates(counts: NDArray[np.uint16], same: _Pairs, different: _Pairs) -> NDArray[np.float64]:
    """AUC and TPR of the replicates with these weights (r, I) -> (2, r)."""
    # a column a replicate, so that what is fetched of one identity lies side by side
    weights = np.concatenate((counts.T, np.ones((1, len(counts))))).astype(np.float32)  # (I + 1, r), -1 is the last
    stranger = weights[different.first] * weights[different.second]  # (D, r)
    stranger *= different.weight[:, None]
    friend = weights[same.first]  # (S, r) an identity drawn twice brings its pairs twice
    below = np.zeros((len(different.cosine) + 1, len(counts)))
    np.cumsum(stranger, axis=0, out=below[1:], dtype=np.float64)  # (D + 1, r) strangers below each place
    left, right = (np.searchsorted(different.cosine, same.cosine, side) for side in ("left", "right"))  # (S,)
    friends, strangers = friend.sum(axis=0, dtype=np.float64), below[-1]  # (r,)
    out = np.full((2, len(counts)), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):  # a replicate of one identity has no strangers: NaN
        area = np.einsum("sr,sr->r", friend, below[left]) + np.einsum("sr,sr->r", friend, below[right])
        out[0] = area / (2 * friends * strangers)
        for r in range(len(counts)):
            # the highest stranger that must not pass: those above it weigh at most the allowed share
            place = int(np.searchsorted(below[:, r], strangers[r] * (1 - FPR) - 1e-9))
            barrier = different.cosine[max(place - 1, 0)]
            passing = int(np.searchsorted(same.cosine, barrier, "right"))
            out[1, r] = friend[passing:, r].sum(dtype=np.float64) / friends[r]
    out[:, strangers == 0] = np.nan
    return out

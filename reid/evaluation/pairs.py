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

_SAMPLE = 2**17  # pairs of a kind that the bootstrap weighs; the figures themselves are of all pairs
_BINS = 2 * GRID + 1  # one a cosine of the grid
_SPARSE = 0.1  # below this rate it is quicker to draw places of a tile than to list what may be drawn
_AT_ONCE = 16  # replicates


@dataclass(slots=True)
class _Sample:
    """Pairs of one kind: their cosines and whom they join."""

    cosine: list[NDArray[np.float32]]
    first: list[NDArray[np.int64]]
    second: list[NDArray[np.int64]]

    def sorted(self) -> _Sorted:
        cosine = np.concatenate(self.cosine)
        order = np.argsort(cosine, kind="stable")
        return _Sorted(cosine[order], np.concatenate(self.first)[order], np.concatenate(self.second)[order])


@dataclass(frozen=True, slots=True)
class _Sorted:
    """Pairs of one kind by rising cosine; all arrays are (pairs,)."""

    cosine: NDArray[np.float32]
    first: NDArray[np.int64]
    second: NDArray[np.int64]


class PairTally:
    """Counts pairs of a query and a crop of its gallery by their cosine, tile by tile.

    Memory is bounded: two histograms over the grid of cosines, and a sample of pairs for the intervals.

    Args:
        expected: (same, different) about how many pairs of each kind will come, which sets the rate of sampling.
        seed: of the sample.
    """

    def __init__(self, expected: tuple[int, int], seed: int) -> None:
        self._histograms = np.zeros((2, _BINS), np.int64)  # different, same
        self._samples = (_Sample([], [], []), _Sample([], [], []))
        same, different = expected
        self._rates = tuple(min(1.0, _SAMPLE / max(count, 1)) for count in (different, same))
        self._rng = np.random.default_rng((seed, 3))

    def add(
        self,
        cosine: NDArray[np.float32],
        match: NDArray[np.bool_],
        ignored: NDArray[np.bool_],
        first: NDArray[np.int64],
        second: NDArray[np.int64],
    ) -> None:
        """A tile: cosines on the grid, `match`, `ignored`, all (T, G); identities `first` (T,) and `second` (G,)."""
        bins = (cosine * GRID).astype(np.int32)
        bins += GRID
        for kind, chosen in enumerate((~(match | ignored), match)):
            self._histograms[kind] += np.bincount(bins[chosen], minlength=_BINS)
            row, column = self._draw(chosen, self._rates[kind])
            sample = self._samples[kind]
            sample.cosine.append(cosine[row, column])
            sample.first.append(first[row])
            sample.second.append(second[column])

    def _draw(self, chosen: NDArray[np.bool_], rate: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows and columns of the chosen pairs, all of them or each with the same small chance."""
        if rate > _SPARSE:
            row, column = np.nonzero(chosen)
            keep = self._rng.random(len(row)) < rate
            return row[keep], column[keep]
        flat = self._rng.integers(0, chosen.size, self._rng.binomial(chosen.size, rate))  # may name one twice
        flat = flat[chosen.ravel()[flat]]
        return np.divmod(flat, chosen.shape[1])

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
        different, same = (sample.sorted() for sample in self._samples)
        starts = range(0, len(resampling.counts), _AT_ONCE)
        parts = [_replicates(resampling.counts[start : start + _AT_ONCE], same, different) for start in starts]
        auc_replicates, tpr_replicates = np.concatenate(parts, axis=1)  # each (R,)
        return Estimate.of(auc, auc_replicates), None if tpr is None else Estimate.of(tpr, tpr_replicates)


def _replicates(counts: NDArray[np.uint16], same: _Sorted, different: _Sorted) -> NDArray[np.float64]:
    """AUC and TPR of the replicates with these weights (r, I) -> (2, r)."""
    # a column a replicate, so that what is fetched of one identity lies side by side
    weights = np.concatenate((counts.T, np.ones((1, len(counts))))).astype(np.float32)  # (I + 1, r), -1 is the last
    stranger = weights[different.first] * weights[different.second]  # (D, r)
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

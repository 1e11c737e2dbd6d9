"""How far a figure might have fallen otherwise: identities drawn again, with replacement, many times."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from reid.errors import InputError

CONFIDENCE = 0.95
"""Of every interval."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its bootstrap interval."""

    value: float
    """As measured."""
    low: float | None = None
    """Lower end of the 95 % percentile interval; None where no replicates were asked for."""
    high: float | None = None
    """Upper end."""
    replicates: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0), repr=False, compare=False)
    """(R,) the figure of each replicate; NaN where a replicate drew nothing to measure."""

    @classmethod
    def of(cls, value: float, replicates: NDArray[np.float64]) -> Estimate:
        """With the interval between the percentiles of the replicates (Efron and Tibshirani 1993, chapter 13)."""
        if not np.isfinite(replicates).any():
            return cls(float(value), None, None, replicates)
        tail = (1 - CONFIDENCE) / 2
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            low, high = np.nanquantile(replicates, (tail, 1 - tail))
        return cls(float(value), float(low), float(high), replicates)

    def minus(self, other: Estimate) -> Estimate:
        """The paired difference: both were measured in the same replicates, so that what they share cancels out.

        Raises:
            InputError: the numbers of replicates differ.
        """
        if self.replicates.shape != other.replicates.shape:
            raise InputError(
                f"paired figures must have the same replicates, got {len(self.replicates)} and {len(other.replicates)}"
            )
        return Estimate.of(self.value - other.value, self.replicates - other.replicates)


class Resampling:
    """R draws of I identities out of I, with replacement.

    What an identity contributes is weighted by how often it was drawn: its queries by that number, a pair of two
    identities by the product of both. The gallery of a query stays whole: those whom it is searched among are not drawn
    with it, so that intervals of figures of queries are too narrow where few share a gallery, as tracklets do that were
    seen together. Where nothing had changed, the lower end of a difference of such mean average precisions was above 0
    in 6 to 9 % of simulated harvests, where 2.5 % would be nominal.
    """

    def __init__(self, identities: int, replicates: int, seed: int) -> None:
        rng = np.random.default_rng((seed, 2))
        self.counts: NDArray[np.uint16] = np.zeros((replicates, identities), np.uint16)
        """(R, I) how often each identity was drawn."""
        for row in self.counts:
            row[:] = np.bincount(rng.integers(0, identities, identities), minlength=identities)

    def mean(self, values: NDArray[np.float64], identity: NDArray[np.int64]) -> Estimate:
        """The mean of `values` (Q,), each of one of the identities 0..I-1; NaN values are left out."""
        known = ~np.isnan(values)
        size = self.counts.shape[1]
        number = np.bincount(identity[known], minlength=size).astype(np.float64)  # (I,)
        total = np.bincount(identity[known], values[known], minlength=size)  # (I,)
        weights = self.counts.astype(np.float64)  # (R, I)
        with np.errstate(invalid="ignore", divide="ignore"):  # a replicate may draw nobody who was measured: NaN
            return Estimate.of(float(total.sum() / number.sum()), (weights @ total) / (weights @ number))

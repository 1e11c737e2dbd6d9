"""What a cosine is worth: learned from the running stream, beginning with the embedder's calibration if it has one."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from tracker.types import CalibrationLike, DoubleArray


class _Samples:
    """Mean and variance of a stream of numbers, of which those long ago fade."""

    LONGEST = 5000.0  # samples after which old ones begin to fade, so that a slow change of light is followed

    def __init__(self) -> None:
        self.count = self.mean = self.variance = 0.0

    def add(self, values: DoubleArray, weights: DoubleArray | None = None) -> None:
        """Numbers (n,), each of which counts as many times as its weight (n,) says; None: once."""
        n = len(values) if weights is None else float(weights.sum())
        if not n:
            return
        mean = float(np.add.reduce(values) if weights is None else weights @ values) / n
        share = n / (self.count + n)
        shift = mean - self.mean
        centred = values - mean
        spread = float(centred.dot(centred if weights is None else weights * centred)) / n
        # parallel variance: (Chan, Golub, LeVeque 1979)
        self.variance = (1 - share) * self.variance + share * spread + share * (1 - share) * shift**2
        self.mean += share * shift
        self.count = min(self.count + n, self.LONGEST)


class _Fit(NamedTuple):
    """What the samples say so far."""

    same: float
    """Mean of the cosines of one object."""
    different: float
    """Mean of those of two."""
    same_std: float
    """Standard deviation of the former."""
    variance: float
    """Of either kind."""
    belief: float
    """How much of the evidence is believed, 0..1."""


class StreamCalibration:
    """Cosine -> log-likelihood ratio of same against different identity, as it is in this stream.

    Two kinds of cosines are learned from, of crops with the mean appearance of their own track and of another that is
    in the same frame. Both are taken for Gaussians of one common variance, which makes the ratio linear (linear
    discriminant analysis, Fisher 1936): llr = (s - d) / var * (cosine - (s + d) / 2), with s and d the means of same
    and different. An embedder that cannot tell objects apart has s = d, and its ratio is 0.

    The embedder's own calibration, where it has one, is what is believed at first; light, camera and the people who
    happen to be there move both distributions, and the stream soon knows better. The cosines of one embedder spread
    over .9 and of another over .1, so that nothing here but `LEAST_VARIANCE` and the belief about an unknown embedder
    depends on their scale.
    """

    PRIOR_COUNT = 5.0  # samples of each kind that the belief at the start is worth
    PRIOR_DISTANCE = 2.4  # s - d in standard deviations; typical of re-ID embedders
    PRIOR_CENTRE = 0.65  # of both kinds with an embedder of which nothing is known, until both were seen
    LEAST_VARIANCE = 1e-4  # of cosines of one kind, however alike they were so far
    GAP_LOSS = 0.3  # of the distance s - d, lost at most by the mean cosine of one object after a long time unseen
    GAP_TIME_S = 1.0  # how fast it is lost
    CAUTION = 1.0  # squared distance, in standard deviations, at which half of the evidence is believed

    def __init__(self, prior: CalibrationLike | None = None) -> None:
        self._centre: float | None = None
        self._half, self._distance = 0.0, self.PRIOR_DISTANCE
        centre, slope = (1.0, 0.0) if prior is None else _line_of(prior)
        if slope > 0 and centre < 1:  # else there is no card, or one that tells nothing
            # slope = (s - d) / var = distance^2 / (s - d). A flat one means little distance: cosines end at 1
            self._centre, widest = centre, (1 - centre) / 2
            self._half = min(self.PRIOR_DISTANCE**2 / slope / 2, widest)
            self._distance = (2 * self._half * slope) ** 0.5
        self._same, self._different = _Samples(), _Samples()
        self._fit: _Fit | None = None  # of the samples, once it is asked for

    def observe_same(self, cosine: DoubleArray, weights: DoubleArray | None = None) -> None:
        """Cosines (n,) of crops with the mean appearance of tracks that they surely continue by where they are.

        Whatever appearance then says of these: were only those counted that it let pass, all would seem alike.

        Each counts as many times as its weight (n,) says; None: once.
        """
        self._same.add(cosine, weights)
        self._fit = None

    def observe_different(self, cosine: DoubleArray) -> None:
        """Cosines (n,) of crops with the mean appearance of others that are in the same frame.

        Not of crops with crops: noise is averaged out of a mean, which is thus more alike to everybody. (Simulated
        MOT17, mean IDF1, with a very poor embedder: 45 where crops were compared with crops, 55 so.)
        """
        self._different.add(cosine)
        self._fit = None

    @property
    def same_mean(self) -> float:
        """Mean cosine of a crop with the mean appearance of its own object."""
        return self._fitted().same

    @property
    def different_mean(self) -> float:
        """Mean cosine of a crop with the mean appearance of another object."""
        return self._fitted().different

    @property
    def same_std(self) -> float:
        """Standard deviation of those cosines."""
        return self._fitted().same_std

    def log_likelihood_ratio(self, cosine: DoubleArray, gap_s: DoubleArray | float = 0.0) -> DoubleArray:
        """Elementwise; `gap_s` is how long the track had not been seen.

        How much likeness is lost meanwhile is not known but bounded, so that the mean of the same object's cosines is
        taken to be where it fits best within these bounds (a generalised likelihood ratio).

        The ratio is exact for crops as easy as those it was learned from, one by one. A tracker asks about harder ones,
        and crops of successive frames share their errors. So less of it is believed the less the embedder can tell
        apart here: a share of d^2 / (d^2 + CAUTION), with d the distance s - d in standard deviations.
        """
        same, different, _, variance, belief = self._fitted()
        distance = same - different
        if distance <= 0:
            return np.zeros_like(cosine)
        lost = self.GAP_LOSS * distance * (1 - np.exp(gap_s / -self.GAP_TIME_S))
        expected = np.minimum(np.maximum(cosine, same - lost), same)
        ratio = (expected - different) / variance * (cosine - (expected + different) / 2)
        return np.asarray(ratio * belief, np.float64)

    @property
    def greatest(self) -> float:
        """The log-likelihood ratio of a cosine of 1, whatever the gap."""
        same, different, _, variance, belief = self._fitted()
        if same <= different:
            return 0.0
        expected = min(1.0, same)
        return (expected - different) / variance * (1 - (expected + different) / 2) * belief

    def cosine_of(self, evidence: float) -> float:
        """The cosine whose log-likelihood ratio is `evidence`, for tracks just seen; -inf where none tells anything."""
        same, different, _, variance, belief = self._fitted()
        slope = (same - different) / variance * belief
        return (same + different) / 2 + evidence / slope if same > different and slope > 0 else -math.inf

    def _fitted(self) -> _Fit:
        if self._fit is None:
            same, different = self._mean(self._same, self._half), self._mean(self._different, -self._half)
            distance = same - different
            own, others = self._variance(self._same, distance), self._variance(self._different, distance)
            variance = max((own + others) / 2, self.LEAST_VARIANCE)
            apart = distance**2 / variance
            belief = apart / (apart + self.CAUTION)
            self._fit = _Fit(same, different, math.sqrt(max(own, self.LEAST_VARIANCE)), variance, belief)
        return self._fit

    def _mean(self, seen: _Samples, half: float) -> float:
        """Of one kind, begun `half` above or below the centre.

        Without a card both begin at the middle of what was seen, so that however unequal the samples of the two kinds
        are in number, the beginning makes no difference of them. As long as one kind was not seen at all (one object at
        a time, say), PRIOR_CENTRE stands for it.
        """
        centre = self._centre
        if centre is None:
            both = self._same.count and self._different.count
            centre = (self._same.mean + self._different.mean) / 2 if both else self.PRIOR_CENTRE
        return (self.PRIOR_COUNT * (centre + half) + seen.count * seen.mean) / (self.PRIOR_COUNT + seen.count)

    def _variance(self, seen: _Samples, distance: float) -> float:
        """Of one kind; the belief at the start is relative to the distance, whatever scale the cosines have."""
        prior = (distance / self._distance) ** 2
        return (self.PRIOR_COUNT * prior + seen.count * seen.variance) / (self.PRIOR_COUNT + seen.count)


def _line_of(calibration: CalibrationLike) -> tuple[float, float]:
    """Where a calibration crosses 0, and its slope there."""
    cosine = np.linspace(-1, 1, 2001)
    ratio = np.asarray(calibration.log_likelihood_ratio(cosine), np.float64)
    crossing = int(np.clip(np.searchsorted(ratio, 0.0), 1, len(ratio) - 1))
    slope = (ratio[crossing] - ratio[crossing - 1]) / (cosine[1] - cosine[0])
    return float(cosine[crossing]), float(slope)

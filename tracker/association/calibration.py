"""What a cosine is worth: learned from the running stream, for embedders that come without a calibration."""

from __future__ import annotations

import numpy as np

from tracker.types import CalibrationLike, DoubleArray


class _Gaussian:
    """Mean and variance of a stream of numbers, begun with a prior belief worth `prior_count` samples."""

    LONGEST = 5000.0  # samples after which old ones begin to fade, so that a slow change of light is followed

    def __init__(self, mean: float, std: float, prior_count: float) -> None:
        self.count, self.mean, self.variance = prior_count, mean, std**2

    def add(self, values: DoubleArray) -> None:
        n = len(values)
        if not n:
            return
        mean = float(values.sum()) / n
        share = n / (self.count + n)
        shift = mean - self.mean
        centred = values - mean
        spread = float(centred @ centred) / n
        # parallel variance: (Chan, Golub, LeVeque 1979)
        self.variance = (1 - share) * self.variance + share * spread + share * (1 - share) * shift**2
        self.mean += share * shift
        self.count = min(self.count + n, self.LONGEST)


class StreamCalibration:
    """Cosine -> log-likelihood ratio of same against different identity, as it is in this stream.

    Objects seen in one frame are different; a detection that overlaps one track alone, and the track no other
    detection, is the same. Both kinds of cosines are taken for Gaussians of one common variance, which makes the ratio
    linear (linear discriminant analysis, Fisher 1936): llr = (s - d) / var * (cosine - (s + d) / 2), with s and d the
    means of same and different. An embedder that cannot tell objects apart has s = d, and its ratio is 0.

    The embedder's own calibration, where it has one, is what is believed at first; light, camera and the people who
    happen to be there move both distributions, and the stream soon knows better.
    """

    PRIOR_COUNT = 30.0
    PRIOR_STD = 0.12  # of cosines of one kind; typical of re-ID embedders
    PRIOR_CENTRE, PRIOR_SLOPE = 0.65, 20.0  # of an embedder of which nothing is known
    LEAST_VARIANCE = 1e-4  # of cosines of one kind, however alike they were so far
    GAP_LOSS = 0.3  # of the distance s - d, lost at most by the mean cosine of one object after a long time unseen
    GAP_TIME_S = 1.0  # how fast it is lost
    CAUTION = 1.0  # squared distance, in standard deviations, at which half of the evidence is believed

    def __init__(self, prior: CalibrationLike | None = None) -> None:
        centre, slope = (self.PRIOR_CENTRE, self.PRIOR_SLOPE) if prior is None else _line_of(prior)
        half = slope * self.PRIOR_STD**2 / 2  # (s - d) / 2, from slope = (s - d) / var
        self._same = _Gaussian(centre + half, self.PRIOR_STD, self.PRIOR_COUNT)
        self._different = _Gaussian(centre - half, self.PRIOR_STD, self.PRIOR_COUNT)

    def observe_same(self, cosine: DoubleArray) -> None:
        """Cosines (n,) of sure matches."""
        self._same.add(cosine)

    def observe_different(self, cosine: DoubleArray) -> None:
        """Cosines (n,) of objects seen apart in one frame."""
        self._different.add(cosine)

    @property
    def same_mean(self) -> float:
        """Mean cosine of a crop with the mean appearance of its own object."""
        return self._same.mean

    @property
    def same_std(self) -> float:
        """Standard deviation of those cosines."""
        return float(np.sqrt(max(self._same.variance, self.LEAST_VARIANCE)))

    def log_likelihood_ratio(self, cosine: DoubleArray, gap_s: DoubleArray | float = 0.0) -> DoubleArray:
        """Elementwise; `gap_s` is how long the track had not been seen.

        How much likeness is lost meanwhile is not known but bounded, so that the mean of the same object's cosines is
        taken to be where it fits best within these bounds (a generalised likelihood ratio).

        The ratio is exact for crops as easy as those it was learned from, one by one. A tracker asks about harder ones,
        and crops of successive frames share their errors. So less of it is believed the less the embedder can tell
        apart here: a share of d^2 / (d^2 + CAUTION), with d the distance s - d in standard deviations. (Simulated
        MOT17, mean IDF1: 64.1 to 64.2 with an embedder that tells people apart easily, 56.2 to 59.9 with a very poor
        one, 56.6 to 57.7 with random vectors. CAUTION 4 gains a little more there, but costs 2 on rendered clips
        followed by a colour histogram, where 1 costs nothing.)
        """
        same, different = self._same, self._different
        separation = same.mean - different.mean
        if separation <= 0:
            return np.zeros_like(cosine)
        variance = max((same.variance + different.variance) / 2, self.LEAST_VARIANCE)
        lost = self.GAP_LOSS * separation * (1 - np.exp(-gap_s / self.GAP_TIME_S))
        expected = np.minimum(np.maximum(cosine, same.mean - lost), same.mean)
        ratio = (expected - different.mean) / variance * (cosine - (expected + different.mean) / 2)
        apart = separation**2 / variance
        return np.asarray(ratio * (apart / (apart + self.CAUTION)), np.float64)


def _line_of(calibration: CalibrationLike) -> tuple[float, float]:
    """Where a calibration crosses 0, and its slope there."""
    cosine = np.linspace(-1, 1, 2001)
    ratio = np.asarray(calibration.log_likelihood_ratio(cosine), np.float64)
    crossing = int(np.clip(np.searchsorted(ratio, 0.0), 1, len(ratio) - 1))
    slope = (ratio[crossing] - ratio[crossing - 1]) / (cosine[1] - cosine[0])
    return float(cosine[crossing]), float(slope)

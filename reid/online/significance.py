"""Two tests that hold their error rate on what a camera sees: events that come in bunches, figures that go together."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

_DEVIATIONS = 3.4
"""How many standard deviations tell what is found: those of a chance of 1 in 3000 at each look and measure."""
LEAST_GROUPS = 12
"""Groups of blocks of which a spread can be told."""
_TINY = 1e-9  # what rounding makes of means of equal values


def more_often(
    events: NDArray[np.float64],
    exposure: NDArray[np.float64],
    later_events: float,
    later_exposure: float,
    ratio: float,
) -> float:
    """How likely so many later events are, were they at most `ratio` times as frequent as before: a p-value.

    Given their sum, the later one of two Poisson counts is binomial, with the share ratio * t1 / (t0 + ratio * t1) of
    the exposures t0 and t1 (Przyborowski and Wilenski 1940): exact, whatever the rate is. Events that come in bunches
    vary more. The counts are divided by how many times more (quasi-likelihood, McCullagh and Nelder 1989, section 6.2),
    rounded against finding anything.

    Args:
        events: (n,) of each block before.
        exposure: (n,) of each block before, in which they may have happened.
        later_events: how many there were later.
        later_exposure: in which they may have happened.
        ratio: so many times as often is not too often.
    """
    if later_exposure <= 0 or exposure.sum() <= 0:
        return 1.0
    bunched = dispersion(events, exposure)
    before, later = math.ceil(float(events.sum()) / bunched), math.floor(later_events / bunched)
    share = ratio * later_exposure / (float(exposure.sum()) + ratio * later_exposure)
    return _binomial_tail(later, before + later, share)


def lower(values: NDArray[np.float64], later: NDArray[np.float64], loss: float) -> float:
    """How likely so low later values are, were they at most `loss` lower than before: a p-value.

    Means are compared, by Student's t, since with more or fewer people values spread less or more and their median
    moves, and the mean does not. The larger one of both variances is taken for either. Blocks near each other in time
    show the same people: the variance is taken as many times as large as means over several blocks vary more than
    single blocks would make them (the design effect, Kish 1965), and the blocks as so many times fewer.

    Args:
        values: (n,) of each block before.
        later: (m,) of each block later.
        loss: so much less is not too little.
    """
    n, m = len(values), len(later)
    if n < LEAST_GROUPS or m < 2:
        return 1.0
    fall = float(values.mean() - later.mean()) - loss
    effect = max(_design_effect(values), _design_effect(later))
    error = math.sqrt(max(values.var(ddof=1), later.var(ddof=1)) * effect * (1 / n + 1 / m))
    if error < _TINY:
        return float(fall <= _TINY)
    return float(stdtr(max((n + m) / effect - 2, 1.0), -fall / error))


def dispersion(events: NDArray[np.float64], exposure: NDArray[np.float64]) -> float:
    """How many times more counts (n,) vary than Poisson counts of these exposures (n,) would, at least 1.

    By Pearson's statistic over groups of 1, 2, 4, ... blocks, of which the largest counts: what comes in bunches longer
    than a block shows in long groups alone. That it is estimated from a few groups is made up for by the factor by
    which Student's t exceeds the normal distribution, (1 + (z^2 + 1) / 4n)^2 (Abramowitz and Stegun 1964, 26.7.5).
    """
    most = 1.0
    for size in _group_sizes(len(events)):
        count, time = _sums(events, size), _sums(exposure, size)
        expected = count.sum() * time / max(time.sum(), 1e-12)
        seen = expected > 0
        freedom = int(seen.sum()) - 1
        if freedom > 0:
            statistic = float(((count[seen] - expected[seen]) ** 2 / expected[seen]).sum())
            # Poisson counts exceed this in a tenth of all cases: normal approximation of the chi-squared distribution
            if statistic > freedom + 1.28 * math.sqrt(2 * freedom):
                most = max(most, statistic / freedom * (1 + (_DEVIATIONS**2 + 1) / (4 * freedom)) ** 2)
    return most


def _design_effect(values: NDArray[np.float64]) -> float:
    """How many times more means over neighbours vary than those over blocks drawn at random would, at least 1."""
    single = float(values.var(ddof=1))
    if single <= 0:
        return 1.0
    sizes = _group_sizes(len(values))
    return max([1.0, *(size * float((_sums(values, size) / size).var(ddof=1)) / single for size in sizes)])


def _group_sizes(blocks: int) -> list[int]:
    """1, 2, 4, ... as long as there are enough groups."""
    return [1 << k for k in range(20) if blocks >> k >= LEAST_GROUPS]


def _sums(values: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Of each `size` neighbours; what is left over at the beginning goes."""
    rest = len(values) % size
    return np.asarray(values[rest:].reshape(-1, size).sum(axis=1))


def _binomial_tail(least: int, n: int, share: float) -> float:
    """P(X >= least) of a binomial X of n draws."""
    if least <= 0:
        return 1.0
    k = np.arange(least, n + 1)
    log_factorial = np.concatenate(([0.0], np.log(np.arange(1, n + 1)).cumsum()))
    log_p = (
        log_factorial[n] - log_factorial[k] - log_factorial[n - k] + k * math.log(share) + (n - k) * math.log1p(-share)
    )
    return float(min(1.0, np.exp(log_p).sum()))

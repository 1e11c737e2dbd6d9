"""From a cosine to evidence: how much likelier it is among crops of one identity than among crops of two."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid.errors import InputError

_NEWTON_STEPS = 100
_RIDGE = 1e-6  # keeps the slope finite where the two kinds of pairs do not overlap at all


@dataclass(frozen=True, slots=True)
class Calibration:
    """A monotone map of cosines to log-likelihood ratios, fitted for one model. See `fit_calibration`."""

    slope: float
    """Nats a unit of cosine; positive."""
    offset: float
    """Nats at cosine 0."""
    limit: float | None = None
    """Largest evidence either way in nats, as much as the data behind the fit can support; None is unbounded."""
    threshold_fpr_1e2: float | None = None
    """Cosine that 1 in 100 pairs of different identities exceeds; None where unknown."""
    threshold_fpr_1e3: float | None = None
    """Cosine that 1 in 1000 pairs of different identities exceeds; None where unknown."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.slope) and self.slope > 0):
            raise InputError(f"calibration.slope must be a finite number above 0, got {self.slope!r}")
        if not math.isfinite(self.offset):
            raise InputError(f"calibration.offset must be a finite number, got {self.offset!r}")
        if self.limit is not None and not (math.isfinite(self.limit) and self.limit > 0):
            raise InputError(f"calibration.limit must be None or a finite number above 0, got {self.limit!r}")
        for name in ("threshold_fpr_1e2", "threshold_fpr_1e3"):
            value = getattr(self, name)
            if value is not None and not -1 <= value <= 1:
                raise InputError(f"calibration.{name} must be None or a cosine within -1..1, got {value!r}")

    def log_likelihood_ratio(self, cosine: NDArray[np.float64]) -> NDArray[np.float64]:
        """Elementwise log p(cosine | same) - log p(cosine | different), any shape; 0 where both are equally likely."""
        ratio = self.slope * np.asarray(cosine, np.float64) + self.offset
        if self.limit is not None:
            ratio = np.clip(ratio, -self.limit, self.limit)
        return np.asarray(ratio, np.float64)


def fit_calibration(cosine: ArrayLike, same: ArrayLike, *, limit: float | None = None) -> Calibration:
    """Fit by logistic regression with a balanced prior, so that the logit is the log-likelihood ratio itself.

    `cosine` (P,) of pairs of crops, `same` (P,) bool: of one identity. A threshold at a false-positive rate is given
    only where at least ten pairs of different identities lie above it.

    Source: Brummer and du Preez 2006, "Application-independent evaluation of speaker detection" (prior-weighted
    logistic regression as calibration); Newton's method on the two parameters.

    Raises:
        InputError: lengths differ, a cosine is not finite, a kind of pair is missing, or same pairs are no more alike.
    """
    x, y = np.asarray(cosine, np.float64), np.asarray(same, np.bool_)
    if x.ndim != 1 or x.shape != y.shape:
        raise InputError(f"cosine and same must be two arrays of shape (P,), got {x.shape} and {y.shape}")
    if not np.isfinite(x).all():
        raise InputError(f"cosine[{int(np.flatnonzero(~np.isfinite(x))[0])}] must be finite")
    if not (y.any() and (~y).any()):
        raise InputError(f"pairs of both kinds are needed, got {int(y.sum())} same and {int((~y).sum())} different")
    slope, offset = _logistic_newton(x, y)
    if slope <= 0:
        raise InputError("pairs of one identity must be more alike than others: this model cannot be calibrated")
    different = np.sort(x[~y])
    return Calibration(slope, offset, limit, _threshold(different, 1e-2), _threshold(different, 1e-3))


def _threshold(different: NDArray[np.float64], rate: float) -> float | None:
    """The cosine that a share `rate` of `different` (sorted) exceeds; None for fewer than 10 such pairs."""
    if len(different) * rate < 10:
        return None
    return float(np.clip(np.quantile(different, 1 - rate), -1, 1))


def _logistic_newton(x: NDArray[np.float64], y: NDArray[np.bool_]) -> tuple[float, float]:
    weight = np.where(y, 0.5 / y.sum(), 0.5 / (~y).sum())  # (P,) both kinds count half
    design = np.stack((x, np.ones_like(x)), axis=1)  # (P, 2)
    parameters = np.zeros(2)
    for _ in range(_NEWTON_STEPS):
        probability = 0.5 * (1 + np.tanh(0.5 * (design @ parameters)))  # (P,) logistic, without overflow
        gradient = design.T @ (weight * (probability - y)) + _RIDGE * parameters
        hessian = (design * (weight * probability * (1 - probability))[:, None]).T @ design + _RIDGE * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        step *= min(
            1.0, 20.0 / max(float(np.abs(step).max()), 1e-12)
        )  # a full Newton step may overshoot far from the optimum
        parameters = parameters - step
        if np.abs(step).max() < 1e-9:
            break
    return float(parameters[0]), float(parameters[1])

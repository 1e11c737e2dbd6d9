"""From a cosine to evidence: how much likelier it is among crops of one identity than among crops of two."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

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
    interval_fpr_1e2: tuple[float, float] | None = None
    """Where `threshold_fpr_1e2` lies in 95 of 100 draws of the identities; None where unknown."""
    interval_fpr_1e3: tuple[float, float] | None = None
    """The same of `threshold_fpr_1e3`."""
    identities: int | None = None
    """How many identities it was fitted on; None where unknown."""
    data: str | None = None
    """The crops that it was fitted on, in a few words: what it says holds among such crops; None where unknown."""
    caution: str | None = None
    """What to mind where crops are of another kind than those, in a line; None for nothing."""

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
        for name in ("interval_fpr_1e2", "interval_fpr_1e3"):
            object.__setattr__(self, name, _check_interval(name, getattr(self, name)))
        whole = isinstance(self.identities, int) and not isinstance(self.identities, bool)
        if self.identities is not None and not (whole and self.identities >= 2):
            raise InputError(f"calibration.identities must be None or a whole number above 1, got {self.identities!r}")
        for name in ("data", "caution"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, str) and value):
                raise InputError(f"calibration.{name} must be None or a text that is not empty, got {value!r}")

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
    slope, offset = balanced_logistic(x, y)
    if slope <= 0:
        raise InputError("pairs of one identity must be more alike than others: this model cannot be calibrated")
    different = np.sort(x[~y])
    return Calibration(slope, offset, limit, _threshold(different, 1e-2), _threshold(different, 1e-3))


def _threshold(different: NDArray[np.float64], rate: float) -> float | None:
    """The cosine that a share `rate` of `different` (sorted) exceeds; None for fewer than 10 such pairs."""
    if len(different) * rate < 10:
        return None
    return float(np.clip(np.quantile(different, 1 - rate), -1, 1))


def _check_interval(name: str, value: Any) -> tuple[float, float] | None:
    """A pair of cosines in order; JSON has it as a list."""
    if value is None:
        return None
    numbers = isinstance(value, tuple | list) and len(value) == 2 and all(isinstance(v, int | float) for v in value)
    if not numbers or not -1 <= value[0] <= value[1] <= 1:
        raise InputError(f"calibration.{name} must be None or two cosines within -1..1 in order, got {value!r}")
    return (float(value[0]), float(value[1]))


def balanced_logistic(
    x: NDArray[np.float64], y: NDArray[np.bool_], weight: NDArray[np.float64] | None = None
) -> tuple[float, float]:
    """Slope and offset of the logistic regression of `y` (P,) on `x` (P,) where both kinds count half.

    `weight` (P,) is how much each pair counts among its kind; all the same by default.
    """
    weight = np.ones(len(x)) if weight is None else weight
    weight = 0.5 * weight / np.where(y, weight[y].sum(), weight[~y].sum())  # (P,) both kinds count half
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

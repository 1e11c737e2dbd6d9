"""Two pictures: are they of one identity?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reid.calibration import Calibration
from reid.checks import check_number
from reid.errors import InputError
from reid.evaluation.collection import CropEmbedder

Rule = Literal["auto", "even", "fpr_1e2", "fpr_1e3"]
_BEYOND = 2.0  # no cosine is there


@dataclass(frozen=True, slots=True)
class Verification:
    """What the model says of two pictures."""

    cosine: float
    """Of the two vectors, -1..1."""
    log_likelihood_ratio: float | None
    """Evidence for one identity against two, in nats; None where the card has no calibration."""
    probability: float | None
    """That it is one identity, given the prior; None where the card has no calibration."""
    threshold: float | None
    """The cosine from which on they count as the same, outside of -1..1 where the prior outweighs all evidence; None
    where neither the card nor the caller gave one."""
    threshold_is: str
    """Where the threshold comes from, in words."""
    same: bool | None
    """The verdict; None without a threshold."""
    caution: str | None = None
    """What to mind where the pictures are of another kind than those behind the calibration; None for nothing."""


def verify(
    embedder: CropEmbedder,
    first: NDArray[np.uint8],
    second: NDArray[np.uint8],
    *,
    threshold: float | Rule = "auto",
    prior: float | None = None,
) -> Verification:
    """Compare two pictures (h, w, 3) uint8 BGR, each filled by its object.

    `threshold` is a cosine, or a rule that takes it from the card's calibration: `fpr_1e3` and `fpr_1e2` let 1 in 1000
    or 100 pairs of strangers pass among crops like those that it was fitted on, whatever the prior; `even` is where the
    probability is one half; and `auto` is `even` where a prior is given, else the first of these that the card has.
    `prior` is the probability of one identity before looking, one half by default.

    Raises:
        InputError: the prior is not within 0..1 (exclusive), the threshold not within -1..1, or it names a rule for
            which the card has no threshold.
        ModelError: the model failed.
    """
    calibration: Calibration | None = embedder.card.calibration
    if prior is not None:
        check_number("prior", prior, above=0, below=1)
        threshold = "even" if threshold == "auto" and calibration is not None else threshold
    odds = 0.0 if prior is None else math.log(prior / (1 - prior))
    cut, words = _threshold(threshold, calibration, odds)
    if prior is not None and calibration is not None and threshold != "even":
        words += "; the prior changes the probability alone"
    a, b = embedder.crops([first, second]).astype(np.float64)  # (2, D)
    cosine = float(np.clip(a @ b, -1, 1))
    ratio = None if calibration is None else float(calibration.log_likelihood_ratio(np.array([cosine]))[0])
    probability = None if ratio is None else _logistic(ratio + odds)
    caution = None if calibration is None else calibration.caution
    return Verification(cosine, ratio, probability, cut, words, None if cut is None else cosine >= cut, caution)


def probabilities(
    calibration: Calibration | None, cosine: NDArray[np.float64], prior: float = 0.5
) -> NDArray[np.float64] | None:
    """Elementwise probability of one identity; None without a calibration."""
    if calibration is None:
        return None
    odds = calibration.log_likelihood_ratio(cosine) + math.log(prior / (1 - prior))
    return np.asarray(0.5 * (1 + np.tanh(0.5 * odds)), np.float64)


def _threshold(given: float | Rule, calibration: Calibration | None, odds: float) -> tuple[float | None, str]:
    if not isinstance(given, str):
        if not -1 <= given <= 1:
            raise InputError(f"threshold must be a cosine within -1..1, got {given!r}")
        return float(given), "as given"
    if given not in ("auto", "even", "fpr_1e2", "fpr_1e3"):
        raise InputError(f"threshold must be a cosine, auto, even, fpr_1e2 or fpr_1e3, got {given!r}")
    if calibration is None:
        if given != "auto":
            raise InputError(f"threshold {given} needs a card with a calibration, and this model's has none")
        return None, "the model's card has no calibration"
    where = calibration.data or "data that the card does not name"
    rules: dict[str, tuple[float | None, str]] = {
        "fpr_1e3": (calibration.threshold_fpr_1e3, f"1 in 1000 pairs of strangers passes in {where}"),
        "fpr_1e2": (calibration.threshold_fpr_1e2, f"1 in 100 pairs of strangers passes in {where}"),
        "even": (_even_cosine(calibration, odds), "where the probability is one half"),
    }
    chosen = (
        next((rule for rule in rules.values() if rule[0] is not None), (None, "")) if given == "auto" else rules[given]
    )
    if chosen[0] is None:
        raise InputError(f"threshold {given} is not on the model's card: its data could not support one")
    return chosen


def _even_cosine(calibration: Calibration, odds: float) -> float:
    """Where evidence and prior balance: slope * cosine + offset + logit(prior) = 0. Evidence has its limit."""
    if calibration.limit is not None and abs(odds) > calibration.limit:
        return math.copysign(_BEYOND, -odds)
    return -(calibration.offset + odds) / calibration.slope


def _logistic(x: float) -> float:
    return 0.5 * (1 + math.tanh(0.5 * x))

"""Calibration: an oracle, monotony, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reid import Calibration, InputError, fit_calibration


def two_bells(count: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Cosines of same pairs around .6 and of different pairs around .2, both of standard deviation .1."""
    rng = np.random.default_rng(3)
    same = np.arange(4 * count) < count
    return np.clip(np.where(same, rng.normal(0.6, 0.1, 4 * count), rng.normal(0.2, 0.1, 4 * count)), -1, 1), same


def test_the_fit_finds_the_true_log_likelihood_ratio() -> None:
    # two bells of equal width s around a and b: log ratio = (a - b) / s^2 * (x - (a + b) / 2) = 40 x - 16
    fit = fit_calibration(*two_bells())
    assert fit.slope == pytest.approx(40, rel=0.05)
    assert fit.offset == pytest.approx(-16, rel=0.05)
    assert fit.log_likelihood_ratio(np.array(0.4)) == pytest.approx(0, abs=0.2)


def test_the_prior_of_the_pairs_does_not_matter() -> None:
    cosine, same = two_bells()
    few = np.concatenate((np.flatnonzero(same)[::10], np.flatnonzero(~same)))
    all_pairs, some = fit_calibration(cosine, same), fit_calibration(cosine[few], same[few])
    assert some.slope == pytest.approx(all_pairs.slope, rel=0.1)
    assert some.offset == pytest.approx(all_pairs.offset, rel=0.1)


def test_thresholds_are_exceeded_at_their_rate_or_unknown() -> None:
    cosine, same = two_bells()
    fit = fit_calibration(cosine, same)
    assert fit.threshold_fpr_1e2 is not None
    assert (cosine[~same] > fit.threshold_fpr_1e2).mean() == pytest.approx(1e-2, rel=0.05)
    assert fit_calibration(cosine[:9000], same[:9000]).threshold_fpr_1e3 is None  # 5 pairs would decide it


@given(
    slope=st.floats(0.1, 50),
    offset=st.floats(-30, 30),
    limit=st.none() | st.floats(0.1, 10),
    a=st.floats(-1, 1),
    b=st.floats(-1, 1),
)
def test_monotone_and_bounded(slope: float, offset: float, limit: float | None, a: float, b: float) -> None:
    low, high = Calibration(slope, offset, limit).log_likelihood_ratio(np.array([[min(a, b)], [max(a, b)]]))
    assert low <= high
    assert limit is None or abs(low) <= limit >= abs(high)


def test_any_shape_and_float64() -> None:
    out = Calibration(2.0, -1.0).log_likelihood_ratio(np.ones((2, 3), np.float32))
    assert out.shape == (2, 3)
    assert out.dtype == np.float64
    assert (out == 1).all()


def test_separable_pairs_give_a_finite_slope() -> None:
    fit = fit_calibration([0.1, 0.2, 0.8, 0.9], [False, False, True, True])
    assert np.isfinite([fit.slope, fit.offset]).all()
    assert (fit.log_likelihood_ratio(np.array([0.1, 0.9])) * [-1, 1] > 0).all()


@pytest.mark.parametrize(
    ("cosine", "same", "message"),
    [
        ([0.1, 0.2], [True], r"two arrays of shape \(P,\)"),
        ([0.1, np.nan], [True, False], r"cosine\[1\] must be finite"),
        ([0.1, 0.2], [True, True], "2 same and 0 different"),
        ([0.1, 0.9], [True, False], "cannot be calibrated"),
    ],
)
def test_unfit_pairs_are_refused(cosine: Any, same: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        fit_calibration(cosine, same)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"slope": 0.0, "offset": 0.0}, "slope must be a finite number above 0"),
        ({"slope": 1.0, "offset": np.inf}, "offset must be a finite number"),
        ({"slope": 1.0, "offset": 0.0, "limit": -1.0}, "limit must be None or a finite number above 0"),
        ({"slope": 1.0, "offset": 0.0, "threshold_fpr_1e2": 2.0}, "threshold_fpr_1e2 must be None or a cosine"),
    ],
)
def test_impossible_calibrations_are_refused(values: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Calibration(**values)

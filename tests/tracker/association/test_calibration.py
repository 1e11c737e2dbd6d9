"""What a cosine is worth, learned from a stream."""

from __future__ import annotations

import numpy as np
import pytest

from tracker.association.calibration import StreamCalibration

STD = 0.08


class Line:
    """A calibration as a card has it: `slope` nats a unit of cosine, 0 at `centre`."""

    def __init__(self, centre: float, slope: float) -> None:
        self.centre, self.slope = centre, slope

    def log_likelihood_ratio(self, cosine: np.ndarray) -> np.ndarray:
        return self.slope * (cosine - self.centre)


def learned(distance: float) -> StreamCalibration:
    """A stream whose same and different cosines are so many standard deviations apart, seen long enough."""
    calibration, rng = StreamCalibration(), np.random.default_rng(0)
    for _ in range(50):
        calibration.observe_same(0.5 + distance * STD + rng.normal(0, STD, 100))
        calibration.observe_different(0.5 + rng.normal(0, STD, 100))
    return calibration


def at_the_mean_of_same(distance: float) -> float:
    return float(learned(distance).log_likelihood_ratio(np.array([0.5 + distance * STD]))[0])


@pytest.mark.parametrize(("distance", "share"), [(6.0, 0.97), (4.0, 0.94), (2.0, 0.8), (1.0, 0.5)])
def test_the_less_an_embedder_can_tell_apart_the_less_of_its_evidence_is_believed(
    distance: float, share: float
) -> None:
    # of two Gaussians of one variance: the ratio at the mean of the one is d^2 / 2
    assert at_the_mean_of_same(distance) == pytest.approx(share * distance**2 / 2, rel=0.12)


def test_vectors_that_tell_nothing_are_worth_nothing() -> None:
    ratio = learned(0.0).log_likelihood_ratio(np.linspace(-1, 1, 21))
    assert np.abs(ratio).max() < 0.05


def test_likeness_lost_while_unseen_is_not_held_against_the_same_object() -> None:
    calibration = learned(5.0)
    cosine = np.array([0.5 + 0.75 * 5 * STD])
    assert calibration.log_likelihood_ratio(cosine, 10.0) > calibration.log_likelihood_ratio(cosine, 0.0)


def test_an_embedder_whose_vectors_have_much_in_common_is_worth_as_much() -> None:
    """A constant part of all vectors presses the cosines together, and changes nothing of what they tell."""
    rng = np.random.default_rng(1)
    plain, pressed = StreamCalibration(), StreamCalibration()
    same, different = 0.8 + rng.normal(0, STD, (20, 20)), 0.4 + rng.normal(0, STD, (20, 20))
    for s, d in zip(same, different, strict=True):
        for calibration, share in ((plain, 1.0), (pressed, 0.3)):
            calibration.observe_same(1 - share * (1 - s))
            calibration.observe_different(1 - share * (1 - d))
    cosine = np.array([0.5, 0.75])
    expected = plain.log_likelihood_ratio(cosine)
    assert pressed.log_likelihood_ratio(1 - 0.3 * (1 - cosine)) == pytest.approx(expected, rel=0.25)


def test_at_first_the_card_of_the_embedder_is_believed_whatever_its_scale() -> None:
    for centre, slope in ((0.5, 15.0), (0.9, 120.0)):  # of 2.4 standard deviations from kind to kind
        calibration = StreamCalibration(Line(centre, slope))
        above, below = calibration.log_likelihood_ratio(np.array([centre + 1 / slope, centre - 1 / slope]))
        share = 2.4**2 / (2.4**2 + StreamCalibration.CAUTION)
        assert (above, below) == pytest.approx((share, -share), rel=0.03)
        assert centre < calibration.same_mean < 1


def test_an_unknown_embedder_that_tells_nothing_is_worth_nothing_from_the_first_frame_on() -> None:
    """Sure matches are rarer than strangers: what is believed at first must not look like a difference of the two."""
    rng, calibration = np.random.default_rng(2), StreamCalibration()
    for _ in range(50):
        calibration.observe_same(rng.normal(0, STD, 1))
        calibration.observe_different(rng.normal(0, STD, 8))
        assert np.abs(calibration.log_likelihood_ratio(np.linspace(-0.2, 0.2, 9))).max() < 0.5


@pytest.mark.parametrize("slope", [8.0, 3.0, 0.5])
def test_a_card_of_little_worth_is_believed_little(slope: float) -> None:
    calibration = StreamCalibration(Line(0.5, slope))
    assert 0.5 < calibration.same_mean <= 0.75
    assert 0 < calibration.log_likelihood_ratio(np.ones(1))[0] <= slope * 0.5


@pytest.mark.parametrize("card", [Line(0.5, 0.0), Line(1.0, 20.0)])
def test_a_card_that_tells_nothing_is_none(card: Line) -> None:
    cosine = np.linspace(-1, 1, 9)
    calibration, without = StreamCalibration(card), StreamCalibration()
    for each in (calibration, without):
        each.observe_same(np.full(20, 0.9))
        each.observe_different(np.full(20, 0.4))
    assert calibration.log_likelihood_ratio(cosine).tolist() == without.log_likelihood_ratio(cosine).tolist()

"""Verification and search on pictures."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from reid import Calibration
from reid.errors import DataError, InputError
from reid.evaluation.search import gallery_pictures, read_picture, search
from reid.evaluation.verification import verify

CALIBRATED = Calibration(20.0, -12.0, threshold_fpr_1e2=0.7, threshold_fpr_1e3=0.8)


class Fixed:
    """Two vectors with the cosine that is wanted."""

    def __init__(self, cosine: float, calibration: Calibration | None) -> None:
        self.cosine = cosine
        self.card = type("Card", (), {"calibration": calibration})()

    def crops(self, pixels: object) -> np.ndarray:
        return np.array([[1, 0], [self.cosine, math.sqrt(1 - self.cosine**2)]], np.float32)


def verdict(cosine: float, calibration: Calibration | None = CALIBRATED, **options: object):
    blank = np.zeros((4, 4, 3), np.uint8)
    return verify(Fixed(cosine, calibration), blank, blank, **options)  # type: ignore[arg-type]


def test_probability_is_the_calibrations_and_the_strictest_threshold_decides() -> None:
    likely = verdict(0.75)
    assert likely.cosine == pytest.approx(0.75)
    assert likely.log_likelihood_ratio == pytest.approx(3.0, abs=1e-4)
    assert likely.probability == pytest.approx(1 / (1 + math.exp(-3)), abs=1e-4)
    assert (likely.threshold, likely.same) == (0.8, False)
    assert verdict(0.81).same is True


@pytest.mark.parametrize(
    ("threshold", "expected"), [("fpr_1e2", 0.7), ("fpr_1e3", 0.8), ("even", 0.6), (0.1, 0.1), ("auto", 0.8)]
)
def test_thresholds_by_name_and_number(threshold: float | str, expected: float) -> None:
    result = verdict(0.65, threshold=threshold)
    assert result.threshold == pytest.approx(expected)
    assert result.same == (expected <= 0.65)


def test_a_threshold_names_the_data_that_it_holds_for() -> None:
    named = replace(CALIBRATED, data="crops of cows", caution="cows alone")
    strict, lax = verdict(0.75, named), verdict(0.75, named, threshold="fpr_1e2")
    assert strict.threshold_is == "1 in 1000 pairs of strangers passes in crops of cows"
    assert lax.threshold_is == "1 in 100 pairs of strangers passes in crops of cows"
    assert verdict(0.75).threshold_is == "1 in 1000 pairs of strangers passes in data that the card does not name"
    assert (strict.caution, lax.caution) == ("cows alone", "cows alone")
    assert (verdict(0.75).caution, verdict(0.75, None).caution) == (None, None)


def test_auto_takes_what_the_card_has() -> None:
    assert verdict(0.5, Calibration(20.0, -12.0, threshold_fpr_1e2=0.7)).threshold == 0.7
    assert verdict(0.5, Calibration(20.0, -12.0)).threshold == pytest.approx(0.6)


def test_a_prior_moves_the_probability_and_the_even_threshold() -> None:
    rare = verdict(0.65, threshold="even", prior=0.01)
    assert rare.probability is not None
    assert rare.probability < 0.05
    assert rare.threshold == pytest.approx(0.6 + math.log(99) / 20)
    assert rare.same is False


def test_a_verdict_agrees_with_the_probability_where_a_prior_is_given() -> None:
    assert verdict(0.85).same is True
    for prior in (1e-4, 0.01, 0.5, 0.9):
        result = verdict(0.85, prior=prior)
        assert result.probability is not None
        assert result.same is (result.probability >= 0.5)
        assert result.threshold_is == "where the probability is one half"
    assert verdict(0.9, None, prior=0.01).same is None


@pytest.mark.parametrize("threshold", ["fpr_1e3", 0.8])
def test_a_threshold_that_was_asked_for_stands_against_a_prior_and_says_so(threshold: float | str) -> None:
    result = verdict(0.81, threshold=threshold, prior=1e-4)
    assert result.probability is not None
    assert result.probability < 0.01
    assert (result.threshold, result.same) == (0.8, True)
    assert result.threshold_is.endswith("; the prior changes the probability alone")
    assert "prior" not in verdict(0.81, threshold=threshold).threshold_is


@pytest.mark.parametrize(("prior", "same"), [(0.001, False), (0.999, True)])
def test_where_the_prior_outweighs_all_evidence_the_cosine_decides_nothing(prior: float, same: bool) -> None:
    limited = Calibration(20.0, -12.0, limit=3.0)
    for cosine in (-0.5, 0.6, 1.0):
        result = verdict(cosine, limited, threshold="even", prior=prior)
        assert result.probability is not None
        assert (result.probability > 0.5) is result.same is same
    assert verdict(0.9, limited, threshold="even", prior=0.05).same is True


def test_without_a_calibration_there_is_a_cosine_and_no_verdict() -> None:
    result = verdict(0.9, None)
    assert result.cosine == pytest.approx(0.9)
    assert (result.probability, result.threshold, result.same) == (None, None, None)
    assert "no calibration" in result.threshold_is
    assert verdict(0.9, None, threshold=0.5).same is True


@pytest.mark.parametrize(
    ("options", "calibration", "message"),
    [
        ({"prior": 0.0}, CALIBRATED, "prior must be above 0 and below 1"),
        ({"threshold": 1.5}, CALIBRATED, "threshold must be a cosine within"),
        ({"threshold": "low"}, CALIBRATED, "threshold must be a cosine, auto"),
        ({"threshold": "even"}, None, "needs a card with a calibration"),
        ({"threshold": "fpr_1e3"}, Calibration(20.0, -12.0), "is not on the model's card"),
    ],
)
def test_what_cannot_be_said_is_refused(options: dict, calibration: Calibration | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        verdict(0.5, calibration, **options)


def test_pictures_are_found_in_all_folders_but_the_query_itself(people_folder: Path) -> None:
    (people_folder / ".hidden").mkdir()
    (people_folder / "notes.txt").write_text("no picture")
    (people_folder / "person0" / "back").symlink_to(people_folder, target_is_directory=True)
    found = gallery_pictures(people_folder, without=people_folder / "person0" / ".." / "person1" / "2.png")
    assert len(found) == 23
    assert people_folder / "person1" / "2.png" not in found
    assert found == sorted(found)
    with pytest.raises(DataError, match="must hold pictures"):
        gallery_pictures(people_folder / ".hidden")


def test_the_nearest_come_first(people_folder: Path, embedder, caplog: pytest.LogCaptureFixture) -> None:
    (people_folder / "person9").mkdir()
    (people_folder / "person9" / "broken.jpg").write_bytes(b"no picture")
    query = people_folder / "person3" / "1.png"
    steps: list[tuple[int, int]] = []
    with caplog.at_level(logging.WARNING, "reid"):
        result = search(
            embedder,
            read_picture(query),
            gallery_pictures(people_folder, without=query),
            top=5,
            progress=lambda *step: steps.append(step),
        )
    found = result.matches
    assert result.searched == 23, "what cannot be read is not searched"
    assert [match.path.parent.name for match in found[:3]] == ["person3"] * 3
    assert [match.cosine for match in found] == sorted((match.cosine for match in found), reverse=True)
    assert all(match.probability is None for match in found)
    assert "broken.jpg" in caplog.text
    assert steps[-1] == (24, 24)


def test_a_gallery_that_cannot_be_read_is_an_error(tmp_path: Path, embedder) -> None:
    (tmp_path / "a.png").write_bytes(b"nothing")
    with pytest.raises(DataError, match="none of 1 pictures can be read"):
        search(embedder, np.zeros((4, 4, 3), np.uint8), [tmp_path / "a.png"])
    with pytest.raises(InputError, match="top must be 1 or more"):
        search(embedder, np.zeros((4, 4, 3), np.uint8), [tmp_path / "a.png"], top=0)
    with pytest.raises(DataError, match="cannot be decoded"):
        read_picture(tmp_path / "a.png")


def test_a_large_picture_is_read_in_full_size(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "large.jpg"), np.zeros((900, 700, 3), np.uint8))
    assert read_picture(tmp_path / "large.jpg").shape == (900, 700, 3)

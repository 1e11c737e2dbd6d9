"""The sweep against the table of all pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker import Detections
from tracker.association.evidence import Boxes, Candidates, candidates, covered_share, shows_object
from tracker.association.pairs import overlapping
from tracker.boxes import coverage, intersection, iou, xyxy_to_cxcywh


def scatter(seed: int, n: int, spread: float = 300) -> np.ndarray:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, spread, (n, 2))
    return np.concatenate((corner, corner + rng.uniform(0, 80, (n, 2))), axis=1)


def of_one_class(corners: np.ndarray) -> Boxes:
    """Detections (N, 4) xyxy that all hide others."""
    n = len(corners)
    return Boxes(corners.T, corners[:, 2:].T - corners[:, :2].T, np.zeros(n, np.int64), np.ones(n, bool))


def found_among(tracks: np.ndarray, std: np.ndarray, detections: np.ndarray) -> tuple[Candidates, np.ndarray]:
    """`candidates` of boxes (T, 4) and (N, 4), all xyxy."""
    return candidates(xyxy_to_cxcywh(tracks).T, std, of_one_class(detections), 0.7)


@given(st.integers(0, 10_000), st.integers(0, 40), st.integers(0, 40))
def test_finds_exactly_the_overlapping_pairs(seed: int, n: int, m: int) -> None:
    a, b = scatter(seed, n), scatter(seed + 1, m)
    rows, columns, common = overlapping(a.T, b.T)
    expected = intersection(a, b)
    found = np.zeros((n, m))
    found[rows, columns] = common
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert (common > 0).all()
    assert (np.diff(rows) >= 0).all()


@given(st.integers(0, 10_000), st.integers(0, 30), st.integers(0, 30))
def test_without_uncertainty_overlap_is_iou_times_agreement_of_heights(seed: int, n: int, m: int) -> None:
    a, b = scatter(seed, n), scatter(seed + 1, m)
    pairs, covered = found_among(a, np.zeros(n), b)
    ha, hb = a[:, None, 3] - a[:, None, 1], b[None, :, 3] - b[None, :, 1]
    expected = iou(a, b) * np.minimum(ha, hb) / np.maximum(np.maximum(ha, hb), 1e-9)
    found = np.zeros((n, m))
    found[pairs.tracks, pairs.detections] = pairs.overlap
    np.testing.assert_allclose(found, expected, atol=1e-9)
    np.testing.assert_array_equal(covered, covered_share(of_one_class(b), 0.7))


def test_an_uncertain_track_reaches_boxes_that_a_certain_one_does_not() -> None:
    track, beside = np.array([[0.0, 0, 40, 100]]), np.array([[60.0, 0, 100, 100]])
    assert len(found_among(track, np.array([0.05]), beside)[0].tracks) == 0
    assert found_among(track, np.array([0.3]), beside)[0].overlap[0] > 0


@given(st.integers(0, 10_000), st.integers(0, 30), st.integers(0, 30))
def test_uncertain_tracks_overlap_as_boxes_that_are_both_widened(seed: int, n: int, m: int) -> None:
    a, b = scatter(seed, n), scatter(seed + 1, m)
    std = np.random.default_rng(seed).uniform(0, 0.7, n)
    pairs, _ = found_among(a, std, b)
    found = np.zeros((n, m))
    found[pairs.tracks, pairs.detections] = pairs.overlap
    for i in range(n):
        height = a[i, 3] - a[i, 1]
        outwards = min(std[i], 0.5) * height * np.array([-1, -1, 1, 1])
        other = b[:, 3] - b[:, 1]
        agreement = np.minimum(height, other) / np.maximum(np.maximum(height, other), 1e-9)
        np.testing.assert_allclose(found[i], iou(a[i : i + 1] + outwards, b + outwards)[0] * agreement, atol=1e-9)


@given(st.integers(0, 10_000), st.integers(1, 30))
def test_covered_share_is_the_largest_coverage_by_another(seed: int, n: int) -> None:
    b = scatter(seed, n)
    share = coverage(b, b)
    np.fill_diagonal(share, 0)
    np.testing.assert_allclose(covered_share(of_one_class(b), 0.7), share.max(axis=1), atol=1e-9)


@pytest.mark.parametrize(
    ("other", "score", "class_", "shows"),
    [
        ((20, 0, 60, 100), 0.9, 0, False),
        ((20, 0, 60, 100), 0.9, 1, False),  # somebody on a bicycle
        ((20, 0, 60, 100), 0.4, 0, False),
        ((20, 0, 60, 100), 0.2, 0, True),
        ((0, 0, 1900, 1000), 0.2, 1, True),
        ((0, 0, 1900, 1000), 0.9, 1, False),
        ((2, 0, 42, 100), 0.9, 0, False),  # two who stand close together
        ((2, 0, 42, 100), 0.9, 1, True),  # one object, taken for either
        ((2, 0, 42, 100), 0.4, 1, True),
        ((2, 0, 42, 100), 0.05, 0, True),
    ],
)
def test_boxes_hide_others_unless_they_score_too_low_or_show_the_same_object(
    other: tuple[float, ...], score: float, class_: int, shows: bool
) -> None:
    found = Detections([(0, 0, 40, 100), other], [0.9, score], [0, class_])
    assert shows_object(found)[0] == shows

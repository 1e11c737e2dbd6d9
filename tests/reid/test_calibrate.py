"""A calibration from vectors: fair, with honest intervals, and none where the data are too few."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from reid import Calibration, InputError, calibrate
from reid.calibration import fit_calibration


def crowd(identities: int, each: int, *, spread: float = 0.5, seed: int = 0, dimension: int = 16) -> Any:
    """Unit vectors around one centre an identity, and the identities."""
    rng = np.random.default_rng(seed)
    names = np.repeat(np.arange(identities), each)
    centres = rng.normal(size=(identities, dimension))
    rows = centres[names] + spread * rng.normal(size=(len(names), dimension))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True), names


def pairs_of(vectors: np.ndarray, names: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    upper = np.triu_indices(len(names), 1)
    return (vectors @ vectors.T)[upper], names[upper[0]] == names[upper[1]]


def test_identities_of_equal_size_give_the_plain_fit_over_all_pairs() -> None:
    vectors, names = crowd(60, 6)
    got, plain = calibrate(vectors, names), fit_calibration(*pairs_of(vectors, names))
    assert got is not None
    assert (got.slope, got.offset) == pytest.approx((plain.slope, plain.offset), rel=1e-6)
    assert got.limit == pytest.approx(np.log(60))
    assert got.identities == 60
    assert got.data is None
    assert calibrate(vectors, names, data="a crowd") == replace(got, data="a crowd")


def test_thresholds_are_exceeded_at_their_rate_on_new_identities_within_their_intervals() -> None:
    got = calibrate(*crowd(120, 5))
    assert got is not None
    assert got.interval_fpr_1e2 is not None
    assert got.interval_fpr_1e3 is not None
    cosine, same = pairs_of(*crowd(400, 2, seed=1))
    for rate, threshold, (low, high) in (
        (1e-2, got.threshold_fpr_1e2, got.interval_fpr_1e2),
        (1e-3, got.threshold_fpr_1e3, got.interval_fpr_1e3),
    ):
        assert threshold is not None
        assert low < threshold < high
        assert low <= np.quantile(cosine[~same], 1 - rate) <= high


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    cosine, same = pairs_of(*crowd(1500, 2, seed=99, dimension=8))
    truth = np.quantile(cosine[~same], 0.99)
    covered = 0
    for seed in range(40):
        got = calibrate(*crowd(40, 4, seed=seed, dimension=8), seed=seed, resamples=100)
        assert got is not None
        assert got.interval_fpr_1e2 is not None
        covered += got.interval_fpr_1e2[0] <= truth <= got.interval_fpr_1e2[1]
    assert covered >= 33  # of 40; 38 would be 95 %, percentile intervals of few identities are a little narrow


def test_an_identity_of_many_vectors_counts_like_one_of_few() -> None:
    vectors, names = crowd(30, 3)
    rng = np.random.default_rng(2)
    blurred = vectors[:1] + 0.8 * rng.normal(size=(200, 16))  # one identity whose 200 pictures are hardly alike
    blurred /= np.linalg.norm(blurred, axis=1, keepdims=True)
    all_vectors, all_names = np.concatenate((vectors, blurred)), np.concatenate((names, np.full(200, 30)))
    fair, plain = calibrate(all_vectors, all_names), fit_calibration(*pairs_of(all_vectors, all_names))
    clean = calibrate(vectors, names)
    assert fair is not None
    assert clean is not None
    assert abs(np.log(fair.slope / clean.slope)) < abs(np.log(plain.slope / clean.slope)) / 2


def test_unknown_pairs_are_left_out() -> None:
    vectors, names = crowd(40, 4)
    relations = (names[:, None] == names[None]).astype(np.int8)
    twice = np.concatenate((vectors, vectors))  # tracklets: every one has a twin of which nobody knows
    labels = np.concatenate((names, names + 40))
    known = np.full((320, 320), -1, np.int8)
    known[:160, :160] = known[160:, 160:] = relations
    got, wanted = calibrate(twice, labels, relations=lambda rows: known[np.ix_(rows, rows)]), calibrate(vectors, names)
    misled = calibrate(twice, labels)
    assert got is not None
    assert wanted is not None
    assert misled is not None
    assert (got.slope, got.offset) == pytest.approx((wanted.slope, wanted.offset), rel=1e-6)
    assert got.threshold_fpr_1e2 == pytest.approx(wanted.threshold_fpr_1e2, abs=1e-9)
    assert misled.slope < got.slope


@pytest.mark.parametrize("related", [False, True])
def test_distractors_are_strangers_to_the_others_and_to_each_other_nobody_knows(related: bool) -> None:
    vectors, names = crowd(40, 4)
    rows = np.concatenate((vectors, np.repeat(crowd(5, 1, seed=1)[0], 8, axis=0)))  # five of nobody, 8 pictures of each
    labels = np.concatenate((names, np.repeat(-np.arange(1, 6), 8)))
    apart = np.where(labels < 0, 40 + np.arange(200), labels)  # each a stranger of its own
    upper = np.triu_indices(200, 1)
    known = ~((labels[upper[0]] < 0) & (labels[upper[1]] < 0))
    cosine, same = pairs_of(rows, apart)
    plain = fit_calibration(cosine[known], same[known])
    table = (apart[:, None] == apart).astype(np.int8)  # as of labelled data: two distractors are different there
    got = calibrate(rows, labels, relations=(lambda kept: table[np.ix_(kept, kept)]) if related else None)
    assert got is not None
    assert (got.slope, got.offset) == pytest.approx((plain.slope, plain.offset), rel=1e-6)
    assert got.identities == 40
    assert got.threshold_fpr_1e2 == pytest.approx(plain.threshold_fpr_1e2, abs=1e-3)


@pytest.mark.parametrize("names", [["a"] * 80, [0.5] * 80, [np.nan] * 80, [None] * 80])
def test_identities_that_are_no_whole_numbers_are_refused(names: list[Any]) -> None:
    with pytest.raises(InputError, match="identity must be whole numbers, got "):
        calibrate(crowd(20, 4)[0], names)


def test_strangers_of_distractors_make_intervals_narrower() -> None:
    vectors, names = crowd(40, 4)
    nobody, _ = crowd(100, 1, seed=1)  # they are in every draw of the identities
    got = calibrate(np.concatenate((vectors, nobody)), np.concatenate((names, np.full(100, -1))))
    alone = calibrate(vectors, names)
    assert got is not None
    assert alone is not None
    assert got.interval_fpr_1e2 is not None
    assert alone.interval_fpr_1e2 is not None
    assert np.ptp(got.interval_fpr_1e2) < 0.6 * np.ptp(alone.interval_fpr_1e2)


def test_nobody_but_distractors_gives_none() -> None:
    vectors, _ = crowd(20, 4)
    assert calibrate(vectors, np.full(80, -1)) is None


def test_relations_are_asked_of_no_more_rows_than_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reid.calibration_fit._MOST_ROWS", 100)
    vectors, names = crowd(40, 4)
    asked = []

    def known(rows: np.ndarray) -> np.ndarray:
        asked.append(len(rows))
        return (names[rows, None] == names[rows]).astype(np.int8)

    assert calibrate(vectors, names, relations=known) == calibrate(vectors, names)
    assert asked == [100]


def test_thresholds_need_ten_pairs_of_ten_pairs_of_identities() -> None:
    few = calibrate(*crowd(12, 4))  # 1056 different pairs: 10 above 1e-2, 1 above 1e-3
    assert few is not None
    assert few.threshold_fpr_1e3 is None
    assert few.interval_fpr_1e3 is None
    vectors, names = crowd(
        12, 30, spread=0.05
    )  # 59400 pairs, but of 66 pairs of identities: one of them has the top 1 %
    many = calibrate(vectors, names)
    assert many is not None
    assert many.threshold_fpr_1e2 is None


def test_data_that_cannot_support_a_calibration_give_none() -> None:
    assert calibrate(*crowd(9, 6)) is None  # nine identities
    vectors, names = crowd(40, 1)
    assert calibrate(vectors, names) is None  # nobody twice
    rng = np.random.default_rng(0)
    assert calibrate(crowd(30, 4)[0], rng.permutation(np.repeat(np.arange(30), 4))) is None  # labels of no meaning


def test_the_same_seed_gives_the_same_and_the_result_does_not_hang_on_it() -> None:
    data = crowd(50, 4)
    assert calibrate(*data, seed=1) == calibrate(*data, seed=1)
    one, other = calibrate(*data, seed=1), calibrate(*data, seed=2)
    assert one is not None
    assert other is not None
    assert (one.slope, one.threshold_fpr_1e2) == (other.slope, other.threshold_fpr_1e2)


def test_very_many_pairs_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    data = crowd(60, 6)
    whole = calibrate(*data)
    monkeypatch.setattr("reid.calibration_fit._MOST_DIFFERENT_PAIRS", 20000)
    part = calibrate(*data)
    assert whole is not None
    assert part is not None
    assert part.slope == pytest.approx(whole.slope, rel=0.05)
    assert part.threshold_fpr_1e2 == pytest.approx(whole.threshold_fpr_1e2, abs=0.02)


def test_very_many_vectors_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, names = crowd(100, 6)
    whole = calibrate(vectors, names)
    monkeypatch.setattr("reid.calibration_fit._MOST_ROWS", 400)
    part = calibrate(vectors, names)
    known = calibrate(vectors, names, relations=lambda rows: (names[rows, None] == names[rows]).astype(np.int8))
    assert whole is not None
    assert part is not None
    assert part == known
    assert part.slope == pytest.approx(whole.slope, rel=0.1)


@pytest.mark.parametrize(
    ("vectors", "identity", "options", "message"),
    [
        (np.eye(3), [0, 1], {}, r"vectors must be \(N, D\) and identity \(N,\).*got \(3, 3\) and \(2,\)"),
        (np.zeros((0, 3)), [], {}, "N above 0"),
        (np.eye(3) * [[1], [2], [1]], [0, 0, 1], {}, r"vectors\[1\] must be finite and of unit length, got length 2"),
        (np.eye(3) * np.nan, [0, 0, 1], {}, r"vectors\[0\] must be finite"),
        (np.eye(3), [0, 0, 1], {"resamples": 10}, "resamples must be a whole number of at least 40"),
        (
            np.eye(3),
            [0, 0, 1],
            {"relations": lambda rows: np.zeros((2, 2), np.int8)},
            r"\(3, 3\) for 3 rows, got \(2, 2\)",
        ),
    ],
)
def test_unfit_arguments_are_refused(vectors: Any, identity: Any, options: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        calibrate(vectors, identity, **options)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"interval_fpr_1e2": (0.5, 0.4)}, "interval_fpr_1e2 must be None or two cosines"),
        ({"interval_fpr_1e3": (0.5, 1.4)}, "interval_fpr_1e3 must be None or two cosines"),
        ({"interval_fpr_1e3": 0.5}, "must be None or two cosines"),
        ({"identities": 1}, "identities must be None or a whole number above 1"),
    ],
)
def test_impossible_intervals_are_refused(values: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Calibration(1.0, 0.0, **values)

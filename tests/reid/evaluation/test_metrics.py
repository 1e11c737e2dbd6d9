"""The measures against their definitions written out, and against scikit-learn where the definitions coincide."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from reid.errors import InputError
from reid.evaluation.metrics import auc, cmc, mean_average_precision, minp, tpr_at_fpr
from reid.evaluation.ranking import score_queries


def drawn(seed: int, queries: int, gallery: int, levels: int | None) -> tuple[NDArray, NDArray, NDArray]:
    """Similarities (with ties where there are few levels), matches and ignored ones."""
    rng = np.random.default_rng(seed)
    similarity = rng.uniform(-1, 1, (queries, gallery)).astype(np.float32)
    if levels is not None:
        similarity = np.round(similarity * levels).astype(np.float32) / levels
    match = rng.random((queries, gallery)) < rng.uniform(0.05, 0.5)
    ignored = rng.random((queries, gallery)) < 0.2
    return similarity, match & ~ignored, ignored


def plain(similarity: NDArray, match: NDArray, ignored: NDArray) -> list[tuple[float, int, float]]:
    """Average precision, rank of the first match and INP of each query that has a match, word for word."""
    scores = []
    for row in range(len(similarity)):
        ranked = [
            (float(s), bool(m)) for s, m, i in zip(similarity[row], match[row], ignored[row], strict=True) if not i
        ]
        hits = [s for s, m in ranked if m]
        if not hits:
            continue
        precision = []
        for hit in hits:
            at_least_as_near = [m for s, m in ranked if s >= hit]
            precision.append(sum(at_least_as_near) / len(at_least_as_near))
        first = 1 + sum(1 for s, m in ranked if not m and s >= max(hits))
        last = len(hits) + sum(1 for s, m in ranked if not m and s >= min(hits))
        scores.append((sum(precision) / len(hits), first, len(hits) / last))
    return scores


@pytest.mark.parametrize("levels", [None, 4, 1], ids=["no ties", "ties", "mostly ties"])
@pytest.mark.parametrize("seed", range(6))
def test_measures_are_their_definitions(seed: int, levels: int | None) -> None:
    similarity, match, ignored = drawn(seed, 25, 30, levels)
    expected = plain(similarity, match, ignored)
    assert mean_average_precision(similarity, match, ignored) == pytest.approx(np.mean([s[0] for s in expected]))
    assert minp(similarity, match, ignored) == pytest.approx(np.mean([s[2] for s in expected]))
    shares = [np.mean([s[1] <= rank for s in expected]) for rank in (1, 2, 5, 10)]
    assert cmc(similarity, match, ignored, ranks=(1, 2, 5, 10)) == pytest.approx(shares)


@pytest.mark.parametrize("levels", [None, 8, 2], ids=["no ties", "ties", "mostly ties"])
@pytest.mark.parametrize("seed", range(4))
def test_average_precision_is_scikit_learns_also_with_ties(seed: int, levels: int | None) -> None:
    similarity, match, _ = drawn(seed, 20, 60, levels)
    rows = np.flatnonzero(match.any(axis=1))
    ours = score_queries(similarity, match, np.zeros_like(match)).average_precision
    theirs = [average_precision_score(match[row], similarity[row]) for row in rows]
    np.testing.assert_allclose(ours[rows], theirs, atol=1e-12)


@pytest.mark.parametrize("levels", [None, 5])
def test_auc_and_tpr_are_scikit_learns(levels: int | None) -> None:
    rng = np.random.default_rng(3)
    same = rng.random(3000) < 0.3
    cosine = rng.normal(0.5 * same, 0.4)
    if levels:
        cosine = np.round(cosine * levels) / levels
    assert auc(cosine, same) == pytest.approx(roc_auc_score(same, cosine), abs=1e-12)
    false_rate, true_rate, _ = roc_curve(same, cosine, drop_intermediate=False)
    for fpr in (0.0, 1e-3, 0.05, 0.5, 1.0):
        assert tpr_at_fpr(cosine, same, fpr=fpr) == pytest.approx(true_rate[false_rate <= fpr].max())


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_no_measure_depends_on_the_order_of_the_gallery(seed: int) -> None:
    similarity, match, ignored = drawn(seed, 6, 15, 3)
    order = np.random.default_rng(seed + 1).permutation(15)
    for measure in (mean_average_precision, minp, cmc):
        before, after = (
            measure(similarity, match, ignored),
            measure(*(a[:, order] for a in (similarity, match, ignored))),
        )
        np.testing.assert_allclose(before, after, equal_nan=True)


def test_a_collapsed_model_scores_as_chance_and_not_by_luck_of_the_order() -> None:
    match = np.zeros((4, 20), np.bool_)
    match[:, :5] = True
    same = np.ones((4, 20))
    assert mean_average_precision(same, match) == pytest.approx(5 / 20)
    assert cmc(same, match, ranks=(1, 15, 16)) == (0.0, 0.0, 1.0)
    assert minp(same, match) == pytest.approx(5 / 20)
    assert auc(np.ones(20), np.arange(20) < 5) == 0.5
    assert tpr_at_fpr(np.ones(20), np.arange(20) < 5) == 0.0


def test_zero_and_minus_zero_are_equally_near() -> None:
    scores = score_queries(np.array([[-0.0, 0.0]], np.float32), np.array([[False, True]]), np.zeros((1, 2), np.bool_))
    assert scores.first_hit.tolist() == [2]


def test_queries_without_a_match_are_left_out() -> None:
    similarity = np.array([[0.9, 0.1], [0.9, 0.1]])
    match = np.array([[True, False], [False, False]])
    assert mean_average_precision(similarity, match) == 1
    assert cmc(similarity, match) == (1, 1, 1)
    none = np.zeros((2, 2), np.bool_)
    assert np.isnan([mean_average_precision(similarity, none), minp(similarity, none), *cmc(similarity, none)]).all()
    assert np.isnan(mean_average_precision(np.zeros((0, 3)), np.zeros((0, 3))))


def test_a_match_that_is_ignored_is_no_match() -> None:
    similarity, match = np.array([[0.9, 0.5, 0.1]]), np.array([[True, False, True]])
    assert mean_average_precision(similarity, match, np.array([[True, False, False]])) == pytest.approx(1 / 2)


def test_a_kind_of_pair_that_is_missing_leaves_no_number() -> None:
    assert np.isnan([auc([0.5], [True]), auc([0.5], [False]), tpr_at_fpr([0.5], [False]), auc([], [])]).all()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="one shape"):
        mean_average_precision(np.zeros((2, 3)), np.zeros((3, 2)))
    with pytest.raises(InputError, match=r"similarity\[0, 1\] must be finite"):
        cmc([[0.0, np.nan]], [[True, False]])
    with pytest.raises(InputError, match="ranks must be whole numbers"):
        cmc([[0.0]], [[True]], ranks=(0,))
    with pytest.raises(InputError, match="fpr must be within"):
        tpr_at_fpr([0.1], [True], fpr=2)
    with pytest.raises(InputError, match=r"shape \(P,\)"):
        auc([0.1, 0.2], [True])
    with pytest.raises(InputError, match=r"cosine\[1\] must be finite"):
        auc([0.1, np.inf], [True, False])

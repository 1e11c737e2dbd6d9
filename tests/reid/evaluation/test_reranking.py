"""k-reciprocal re-ranking, against the paper's equations written out as loops."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

import reid.evaluation.reranking as module
from reid.errors import InputError
from reid.evaluation import EvaluationConfig, evaluate
from reid.evaluation.reranking import Reranked


def plain(vectors: NDArray, k1: int, k2: int, weight: float) -> NDArray[np.float64]:
    """(N, N) of 1 - d*."""
    n = len(vectors)
    cosine = np.round((vectors @ vectors.T).astype(np.float64) * 2**19) / 2**19
    distance = 2 - 2 * cosine
    distance /= distance.max(axis=1, keepdims=True)
    ranked = [sorted(range(n), key=lambda j, i=i: (j != i, -cosine[i, j], j)) for i in range(n)]

    def reciprocal(i: int, k: int) -> set[int]:
        return {j for j in ranked[i][: k + 1] if i in ranked[j][: k + 1]}

    encoding = np.zeros((n, n))
    for i in range(n):
        first = reciprocal(i, k1)
        whole = set(first)
        for q in first:
            half = reciprocal(q, round(k1 / 2))
            if 3 * len(first & half) >= 2 * len(half):
                whole |= half
        for j in whole:
            encoding[i, j] = np.exp(-min(max(distance[i, j], 0), 1))
        encoding[i] /= encoding[i].sum()
    if k2 > 1:
        encoding = np.array([encoding[ranked[i][:k2]].mean(axis=0) for i in range(n)])
    out = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            smaller, larger = np.minimum(encoding[i], encoding[j]).sum(), np.maximum(encoding[i], encoding[j]).sum()
            out[i, j] = 1 - ((1 - weight) * (1 - smaller / larger) + weight * min(max(distance[i, j], 0), 1))
    return out


def scattered(seed: int, crops: int, identities: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    identity = np.arange(crops) % identities
    vectors = rng.normal(size=(identities, 8))[identity] + 0.9 * rng.normal(size=(crops, 8))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), identity


@pytest.mark.parametrize(("k1", "k2", "weight"), [(6, 3, 0.3), (5, 1, 0.0), (20, 6, 0.3), (4, 6, 0.7), (1, 1, 1.0)])
@pytest.mark.parametrize("seed", [0, 1])
def test_it_is_the_papers_definition(
    k1: int, k2: int, weight: float, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAIRS_AT_ONCE", 300)  # several parts
    vectors, _ = scattered(seed, 36, 6)
    reranked = Reranked(vectors, np.arange(36), k1=k1, k2=k2, weight=weight)
    np.testing.assert_allclose(reranked(np.arange(36)), plain(vectors, k1, k2, weight), atol=1e-5)


def test_some_queries_and_a_gallery_are_parts_of_the_whole() -> None:
    vectors, _ = scattered(2, 30, 5)
    whole = Reranked(vectors, np.arange(30))(np.arange(30))
    gallery, queries = np.array([3, 1, 20, 7]), np.array([5, 29])
    np.testing.assert_array_equal(Reranked(vectors, gallery)(queries), whole[np.ix_(queries, gallery)])


def test_fewer_crops_than_neighbours_and_equal_vectors_work() -> None:
    same = np.tile(np.eye(3, dtype=np.float32)[:1], (4, 1))
    assert np.isfinite(Reranked(same, np.arange(4))(np.arange(4))).all()


def test_it_raises_map_where_identities_have_many_crops_and_leaves_auc_alone() -> None:
    vectors, identity = scattered(3, 200, 10)
    before = evaluate(vectors, identity, config=EvaluationConfig(replicates=0))
    after = evaluate(vectors, identity, config=EvaluationConfig(replicates=0, rerank=True))
    assert after.mean_average_precision.value > before.mean_average_precision.value + 0.05
    assert after.auc == before.auc


def test_numbers_out_of_range_are_refused() -> None:
    vectors, _ = scattered(4, 10, 2)
    with pytest.raises(InputError, match="k1 and k2 must be 1 or more"):
        Reranked(vectors, np.arange(10), k1=0)
    with pytest.raises(InputError, match="weight must be within"):
        Reranked(vectors, np.arange(10), weight=1.5)

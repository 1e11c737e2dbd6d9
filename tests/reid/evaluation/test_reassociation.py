"""Found again later: against the definition written out."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

import reid.evaluation.reassociation as module
from reid.evaluation import EvaluationConfig, evaluate
from reid.evaluation.bootstrap import Resampling
from reid.evaluation.reassociation import reassociation
from reid.evaluation.sightings import Sightings


def plain(
    vectors: NDArray, identity: NDArray, time_s: NDArray, group: NDArray, later_s: float, window_s: float
) -> list[tuple[bool, int]]:
    """Whether it was found, and how many there were, of each crop that counts."""
    cosine = np.round((vectors @ vectors.T).astype(np.float64) * 2**19) / 2**19
    results = []
    for q in range(len(identity)):
        if identity[q] < 0 or group[q] < 0 or np.isnan(time_s[q]):
            continue
        nearest: dict[int, tuple[float, float, int]] = {}
        for c in range(len(identity)):
            if identity[c] < 0 or group[c] != group[q] or np.isnan(time_s[c]):
                continue
            off = abs(time_s[c] - time_s[q] - later_s)
            key = (round(off, 5), time_s[c], c)
            if off <= window_s + 1e-6 and key < nearest.get(int(identity[c]), (np.inf, 0, 0)):
                nearest[int(identity[c])] = key
        mine = nearest.pop(int(identity[q]), None)
        if mine is None or not nearest:
            continue
        best_other = max(cosine[q, other[2]] for other in nearest.values())
        results.append((bool(cosine[q, mine[2]] > best_other), 1 + len(nearest)))
    return results


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("window_s", [0.0, 0.25, 1.0])
def test_it_is_its_definition(seed: int, window_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAIRS_AT_ONCE", 50)  # several parts
    rng = np.random.default_rng(seed)
    n = 160
    identity = rng.integers(-1, 8, n)
    group = rng.integers(-1, 3, n)
    time_s = np.where(rng.random(n) < 0.1, np.nan, rng.integers(0, 40, n) / 4)
    vectors = rng.normal(size=(n, 5))
    vectors[rng.integers(0, n, 20)] = vectors[0]  # ties
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    sightings = Sightings.of(identity, None, time_s, group)
    found = reassociation(vectors, sightings, 2.0, window_s, identity, Resampling(8, 10, 0))
    expected = plain(vectors, identity, time_s, group, 2.0, window_s)
    assert found is not None
    assert found.queries == len(expected)
    assert found.rank_1.value == pytest.approx(np.mean([right for right, _ in expected]))
    assert found.chance == pytest.approx(np.mean([1 / size for _, size in expected]))
    assert found.candidates == pytest.approx(np.mean([size for _, size in expected]))


def test_a_walk_of_two_people() -> None:
    vectors = np.eye(3)[[0, 1, 0, 1, 0]]  # A and B at 0 s and at 1 s; A alone at 2 s
    report = evaluate(vectors, [0, 1, 0, 1, 0], time_s=[0, 0, 1, 1, 2], config=EvaluationConfig(later_s=(1.0, 2.0)))
    assert [(part.later_s, part.queries, part.rank_1.value) for part in report.reassociation] == [(1.0, 2, 1.0)]
    swapped = evaluate(
        np.eye(3)[[0, 1, 1, 0, 0]], [0, 1, 0, 1, 0], time_s=[0, 0, 1, 1, 2], config=EvaluationConfig(later_s=(1.0,))
    )
    assert swapped.reassociation[0].rank_1.value == 0


def test_who_looks_exactly_like_another_is_not_found() -> None:
    report = evaluate(np.ones((4, 1)), [0, 1, 0, 1], time_s=[0, 0, 1, 1], config=EvaluationConfig(later_s=(1.0,)))
    assert report.reassociation[0].rank_1.value == 0
    assert report.reassociation[0].chance == 0.5


def test_without_times_there_is_none() -> None:
    assert evaluate(np.eye(2)[[0, 0, 1, 1]], [0, 0, 1, 1]).reassociation == ()


def test_frame_times_that_are_sums_of_floats_still_meet() -> None:
    time_s = np.tile(np.cumsum(np.full(31, 1 / 30)), 2)  # 30 steps of 1 / 30 s are not exactly 1 s
    identity = np.repeat((0, 1), 31)
    report = evaluate(
        np.eye(2)[identity], identity, time_s=time_s, config=EvaluationConfig(later_s=(1.0,), window_s=0.0)
    )
    assert [part.queries for part in report.reassociation] == [2]


def test_a_tracklet_that_may_be_the_same_object_is_no_rival() -> None:
    vectors = np.eye(3)[[0, 1, 1, 0, 1]]  # A, B; at 1 s A, a new tracklet C, and B
    identity, time_s = np.array([0, 1, 0, 2, 1]), [0, 0, 1, 1, 1]
    config = EvaluationConfig(later_s=(1.0,))

    def unknown(rows: NDArray, gallery: NDArray) -> NDArray:
        a, b = identity[rows][:, None], identity[gallery]
        return (a + b == 2) & (a != b)  # A and C were never seen together

    both = evaluate(vectors, identity, time_s=time_s, config=config).reassociation[0]
    known = evaluate(vectors, identity, time_s=time_s, config=config, unknown=unknown).reassociation[0]
    assert (both.queries, both.candidates) == (2, 3)
    assert (known.queries, known.candidates) == (2, 2.5), "A has B alone to be told from"

    def nothing(rows: NDArray, gallery: NDArray) -> NDArray:
        return identity[rows][:, None] != identity[gallery]

    assert evaluate(vectors, identity, time_s=time_s, config=config, unknown=nothing).reassociation == ()

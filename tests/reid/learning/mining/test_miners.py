"""Miners by themselves: what they choose, how they draw, by name or as objects."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="needs the extra [train]")

from reid import InputError  # noqa: E402 after the skip
from reid.learning.mining import (  # noqa: E402
    MINING,
    BatchAll,
    DistanceWeighted,
    EasyPositive,
    Hard,
    Miner,
    Random,
    SemiHard,
    TensorFlowAddonsSemiHard,
    open_miner,
    pairs_of,
)

pytestmark = pytest.mark.torch


def pairs(rows: int, dimension: int = 6, *, seed: int = 0, unknown: float = 0.0, distance: Any = "euclidean") -> Any:
    """Unit vectors of four identities, some relations hidden."""
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.nn.functional.normalize(torch.randn(rows, dimension, generator=generator).double(), dim=1)
    labels = torch.randint(0, 4, (rows,), generator=generator)
    relations = (labels[:, None] == labels[None, :]).to(torch.int8)
    relations[torch.rand(rows, rows, generator=generator) < unknown] = -1
    return pairs_of(embeddings, relations=relations, distance=distance)


def listed(miner: Any, seen: Any) -> set[tuple[int, ...]]:
    triplets = miner.listed(seen) if isinstance(miner, BatchAll | Hard) else miner(seen).listed()
    found = [tuple(row) for row in triplets.tolist()]
    assert len(found) == len(set(found)) or isinstance(miner, Random)
    return set(found)


def candidates(seen: Any) -> list[tuple[int, int, int]]:
    same, different, rows = seen.same.tolist(), seen.different.tolist(), range(len(seen.same))
    return [(a, p, n) for a in rows for p in rows for n in rows if same[a][p] and different[a][n]]


@pytest.mark.parametrize("name", MINING)
@given(seed=st.integers(0, 10**6), rows=st.integers(1, 16), unknown=st.sampled_from([0.0, 0.4]))
@settings(max_examples=15, deadline=None)
def test_what_is_chosen_is_valid(name: Any, seed: int, rows: int, unknown: float) -> None:
    seen = pairs(rows, seed=seed, unknown=unknown)
    assert listed(open_miner(name), seen) <= set(candidates(seen))


@given(seed=st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_every_and_every_hard_triplet(seed: int) -> None:
    seen = pairs(12, seed=seed, unknown=0.2)
    d = seen.distances
    assert listed(BatchAll(), seen) == set(candidates(seen))
    assert listed(Hard(), seen) == {(a, p, n) for a, p, n in candidates(seen) if d[a, n] <= d[a, p]}


@given(seed=st.integers(0, 10**6), margin=st.sampled_from([0.05, 0.3, float("inf")]))
@settings(max_examples=25, deadline=None)
def test_semi_hard_negatives_lie_in_the_band(seed: int, margin: float) -> None:
    seen = pairs(14, seed=seed)
    d, found = seen.distances.tolist(), listed(SemiHard(margin=margin), seen)
    expected = set()
    for a, p in {(a, p) for a, p, _ in candidates(seen)}:
        negatives = [n for n in range(14) if seen.different[a, n]]
        band = [n for n in negatives if d[a][p] < d[a][n] < d[a][p] + margin]
        expected |= {(a, p, min(band, key=d[a].__getitem__))} if band else set()
    assert found == expected


def test_a_negative_as_far_as_the_positive_is_hard_and_not_semi_hard() -> None:
    embeddings = torch.tensor([[0.0], [1.0], [-1.0], [4.0]], dtype=torch.float64)
    seen = pairs_of(embeddings, torch.tensor([0, 0, 1, 1]))
    assert (0, 1, 2) in listed(Hard(), seen)
    assert (0, 1, 3) in listed(SemiHard(margin=10), seen)
    assert (0, 1, 3) in listed(TensorFlowAddonsSemiHard(), seen)
    assert (2, 3, 1) in listed(TensorFlowAddonsSemiHard(), seen)  # none is farther than 5: the farthest, 2 away


@pytest.mark.parametrize("dimension", [3, 16, 512])
@pytest.mark.parametrize("distance", ["euclidean", "squared_euclidean", "cosine"])
def test_distance_weights_are_one_over_the_density(dimension: int, distance: Any) -> None:
    seen = pairs(20, dimension, distance=distance)
    miner = DistanceWeighted(cutoff=0.6, nonzero_loss_cutoff=1.39)
    weights = miner.weights(seen)
    euclidean = pairs(20, dimension).distances
    for a in range(20):
        inside = [n for n in range(20) if seen.different[a, n] and max(euclidean[a, n].item(), 0.6) < 1.39]
        logs = {}
        for n in inside:
            d = max(euclidean[a, n].item(), 0.6)
            # Wu et al. 2017, section 4: q(d) ~ d^(n-2) (1 - d^2 / 4)^((n-3) / 2)
            logs[n] = -(dimension - 2) * np.log(d) - (dimension - 3) / 2 * np.log(1 - d * d / 4)
        top = max(logs.values(), default=0.0)
        expected = [np.exp(logs[n] - top) if n in logs else 0.0 for n in range(20)]
        np.testing.assert_allclose(weights[a].numpy(), expected, rtol=1e-6, atol=1e-12)


def test_negatives_are_drawn_by_their_weights() -> None:
    seen = pairs(12, 4)
    miner = DistanceWeighted(seed=3)
    weights = miner.weights(seen)
    counts = torch.zeros(12, 12)
    for _ in range(1200):
        triplets = miner(seen)
        assert torch.equal(triplets.valid.any(dim=1), seen.same.any(dim=1) & (weights.sum(dim=1) > 0))
        rows = triplets.listed()
        counts.index_put_((rows[:, 0], rows[:, 2]), torch.ones(len(rows)), accumulate=True)
    for a in range(12):
        total = counts[a].sum().item()
        if total:
            share = (weights[a] / weights[a].sum()).numpy()
            deviation = np.abs(counts[a].numpy() / total - share)
            assert (deviation <= 5 * np.sqrt(share * (1 - share) / total) + 1e-9).all()  # 5 standard errors


def test_512_dimensions_do_not_underflow() -> None:
    # one anchor among near negatives, one among far ones: the weights differ by more than float32 can hold
    generator = torch.Generator().manual_seed(1)
    far = torch.nn.functional.normalize(torch.randn(6, 512, generator=generator), dim=1)
    near = torch.nn.functional.normalize(far[0] + 0.02 * torch.randn(6, 512, generator=generator), dim=1)
    seen = pairs_of(torch.cat((far, near)), torch.arange(12) // 2)
    weights = DistanceWeighted(nonzero_loss_cutoff=1.5).weights(seen)
    assert torch.isfinite(weights).all()
    assert torch.equal(weights.amax(dim=1), torch.ones(12))


def test_random_draws_are_even() -> None:
    seen = pairs(10, seed=5)
    miner = Random(per_anchor=50, seed=1)
    counts: dict[tuple[int, ...], int] = {}
    for _ in range(60):
        for row in miner(seen).listed().tolist():
            counts[tuple(row)] = counts.get(tuple(row), 0) + 1
    possible = candidates(seen)
    assert set(counts) == set(possible)
    for a in {a for a, _, _ in possible}:
        of_anchor = [counts[t] for t in possible if t[0] == a]
        expected = 3000 / len(of_anchor)
        assert max(abs(count - expected) for count in of_anchor) < 5 * np.sqrt(expected)


@pytest.mark.parametrize("miner", [Random, DistanceWeighted])
def test_a_seed_repeats_the_draws(miner: Any) -> None:
    seen = pairs(30)
    drawn = [miner(seed=7)(seen).listed().tolist() for _ in range(2)]
    assert drawn[0] == drawn[1] != miner(seed=8)(seen).listed().tolist()


def test_a_copy_draws_what_the_original_would_have_drawn() -> None:
    seen, miner = pairs(30), Random(seed=7)
    miner(seen)
    other = copy.deepcopy(miner)
    assert miner(seen).listed().tolist() == other(seen).listed().tolist()


def test_names_and_objects() -> None:
    for name in MINING:
        miner = open_miner(name)
        assert isinstance(miner, Miner | BatchAll | Hard)
        assert open_miner(miner) is miner
    assert open_miner("semi_hard", margin=0.7) == SemiHard(margin=0.7)
    assert open_miner("semi_hard", margin="soft") == SemiHard(margin=float("inf"))
    assert open_miner("random", seed=5).seed == 5  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: open_miner("semihard"), "mining must be a miner or one of .* got 'semihard'"),  # type: ignore[arg-type]
        (lambda: open_miner(3), "mining must be a miner or one of .* got 3"),  # type: ignore[arg-type]
        (lambda: SemiHard(margin=0), "margin must be above 0, got 0"),
        (lambda: SemiHard(fallback="easy"), "fallback must be one of none, hardest, farthest, got 'easy'"),  # type: ignore[arg-type]
        (lambda: EasyPositive(negative="easy"), "negative must be hard or semi_hard, got 'easy'"),  # type: ignore[arg-type]
        (lambda: Random(per_anchor=0), "per_anchor must be at least 1, got 0"),
        (lambda: DistanceWeighted(cutoff=1.5), "0 < cutoff < nonzero_loss_cutoff <= 2, got 1.5 and 1.4"),
        (lambda: DistanceWeighted(nonzero_loss_cutoff=2.1), "got 0.5 and 2.1"),
    ],
)
def test_bad_settings_are_refused(make: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_a_state_of_another_kind_of_device_begins_anew() -> None:
    seen = pairs(12)
    fresh, moved, again = DistanceWeighted(seed=3), DistanceWeighted(seed=3), DistanceWeighted(seed=3)
    for miner in (moved, again):  # as a GPU's generator has it
        miner.load_state_dict({"_extra_state": torch.arange(16, dtype=torch.uint8)})
    assert len(moved.state_dict()["_extra_state"]) == 16, "nothing was drawn yet"
    drawn = moved(seen).negative
    assert torch.equal(drawn, again(seen).negative)
    assert not torch.equal(drawn, fresh(seen).negative)

"""Batch-hard triplets against the definition written as loops, and where it must not break."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="needs the extra [train]")

from reid import InputError  # noqa: E402 after the skip
from reid.learning.distances import pairwise_euclidean, pairwise_squared_euclidean  # noqa: E402
from reid.learning.losses import batch_hard_triplet_loss  # noqa: E402

pytestmark = pytest.mark.torch


def by_definition(embeddings: np.ndarray, labels: np.ndarray, margin: Any) -> float:
    """Hermans et al. 2017, eq. 5, word for word: farthest positive, nearest negative."""
    terms = []
    for a in range(len(labels)):
        positives = [
            np.linalg.norm(embeddings[a] - embeddings[p]) for p in np.flatnonzero(labels == labels[a]) if p != a
        ]
        negatives = [np.linalg.norm(embeddings[a] - embeddings[n]) for n in np.flatnonzero(labels != labels[a])]
        if positives and negatives:
            difference = max(positives) - min(negatives)
            terms.append(np.logaddexp(0, difference) if margin == "soft" else max(0.0, difference + margin))
    return float(np.mean(terms)) if terms else 0.0


@given(
    seed=st.integers(0, 10**6), batch=st.integers(1, 16), names=st.integers(1, 6), margin=st.sampled_from([0.3, "soft"])
)
@settings(max_examples=60, deadline=None)
def test_the_loss_is_its_definition(seed: int, batch: int, names: int, margin: Any) -> None:
    rng = np.random.default_rng(seed)
    embeddings, labels = rng.normal(size=(batch, 5)), rng.integers(0, names, batch)
    loss = batch_hard_triplet_loss(torch.tensor(embeddings), torch.tensor(labels), margin=margin)
    assert float(loss) == pytest.approx(by_definition(embeddings, labels, margin), abs=1e-9)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_the_order_of_the_batch_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    embeddings, labels = torch.tensor(rng.normal(size=(12, 4))), torch.tensor(rng.integers(0, 4, 12))
    order = torch.tensor(rng.permutation(12))
    shuffled = batch_hard_triplet_loss(embeddings[order], labels[order])
    assert float(shuffled) == pytest.approx(float(batch_hard_triplet_loss(embeddings, labels)), abs=1e-12)


@pytest.mark.parametrize("margin", [0.3, "soft"])
def test_gradients_are_those_of_finite_differences(margin: Any) -> None:
    embeddings = torch.randn(8, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True)
    labels = torch.tensor([0, 0, 0, 1, 1, 2, 2, 3])
    assert torch.autograd.gradcheck(lambda e: batch_hard_triplet_loss(e, labels, margin=margin), (embeddings,))


@pytest.mark.parametrize("labels", [[0, 1, 2, 3], [0, 0, 0, 0]])
def test_nothing_to_compare_gives_zero_with_a_gradient_path(labels: list[int]) -> None:
    embeddings = torch.randn(4, 3, generator=torch.Generator().manual_seed(2)).requires_grad_()
    loss = batch_hard_triplet_loss(embeddings, torch.tensor(labels))
    loss.backward()
    assert float(loss.detach()) == 0
    assert embeddings.grad is not None
    assert (embeddings.grad == 0).all()


def test_equal_embeddings_have_a_finite_gradient() -> None:
    embeddings = torch.ones(6, 4, requires_grad=True)
    loss = batch_hard_triplet_loss(embeddings, torch.tensor([0, 0, 1, 1, 2, 2]))
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0.3)
    assert embeddings.grad is not None
    assert torch.isfinite(embeddings.grad).all()


def test_distances_stay_in_float32_under_autocast() -> None:
    rows = torch.nn.functional.normalize(torch.randn(8, 64, generator=torch.Generator().manual_seed(3)))
    exact = pairwise_squared_euclidean(rows.double())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        squared = pairwise_squared_euclidean(rows)
        assert batch_hard_triplet_loss(rows.bfloat16(), torch.arange(8) // 2).dtype == torch.float32
    assert squared.dtype == torch.float32
    torch.testing.assert_close(squared.double(), exact, atol=1e-5, rtol=0)


def test_the_distance_is_that_of_torch() -> None:
    rows = torch.randn(9, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(pairwise_euclidean(rows), torch.cdist(rows, rows), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("shape", "labels", "margin", "message"),
    [
        ((4,), [0, 0, 1, 1], 0.3, r"embeddings must be \(B, D\)"),
        ((4, 2), [0, 0, 1], 0.3, r"labels \(B,\), got \(4, 2\) and \(3,\)"),
        ((4, 2), [0, 0, 1, 1], 0.0, 'margin must be "soft" or a finite number above 0'),
        ((4, 2), [0, 0, 1, 1], "hard", 'margin must be "soft"'),
    ],
)
def test_bad_arguments_are_refused(shape: Any, labels: Any, margin: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        batch_hard_triplet_loss(torch.zeros(shape), torch.tensor(labels), margin=margin)

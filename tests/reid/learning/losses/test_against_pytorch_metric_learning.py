"""The values and gradients of pytorch-metric-learning 2.9 where it defines the same, and a sentence where it does not.

Not compared, for it has nothing of the kind: mean_triplet_loss, the hierarchical and the upper bound loss with classes
of their own, relations with unknown pairs. `distance_weighted` differs on purpose: there, weights are scaled by the
largest of the whole batch, so that in many dimensions whole rows of them underflow and their anchors drop out; ours are
scaled row by row. `semi_hard` differs for more than one semi-hard negative a pair: there the miner lists them all.
"""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra [train]")
pytest.importorskip("pytorch_metric_learning", reason="needs the extra [dev]")

from pytorch_metric_learning import distances, losses, miners, reducers  # noqa: E402 after the skip

from reid.learning.losses import (  # noqa: E402
    CrossBatchMemory,
    TripletLoss,
    constellation_loss,
    contrastive_loss,
    hierarchical_triplet_loss,
)
from reid.learning.mining import EasyPositive, SemiHard  # noqa: E402

pytestmark = pytest.mark.torch

DISTANCES: dict[str, Any] = {
    "euclidean": distances.LpDistance(normalize_embeddings=False),
    "squared_euclidean": distances.LpDistance(normalize_embeddings=False, power=2),
    # theirs is the cosine itself, with the sign of its margin turned: d(a, p) - d(a, n) is the same number
    "cosine": distances.CosineSimilarity(),
}


def agree(ours: Any, theirs: Any, embeddings: Any) -> None:
    (gradient,) = torch.autograd.grad(ours, embeddings)
    (expected,) = torch.autograd.grad(theirs, embeddings)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-7)
    torch.testing.assert_close(gradient, expected, atol=1e-9, rtol=1e-6)


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("reduction", ["mean", "nonzero"])
@pytest.mark.parametrize("mining", ["batch_hard", "batch_all", "hard", "easy_positive"])
def test_triplets(mining: Any, distance: Any, reduction: Any, draw: Any) -> None:
    embeddings, labels, _ = draw(1, 40, dimension=8, names=9)
    measure = DISTANCES[distance]
    reducer = reducers.AvgNonZeroReducer() if reduction == "nonzero" else reducers.MeanReducer()
    loss = losses.TripletMarginLoss(margin=0.4, distance=measure, reducer=reducer)
    if mining == "easy_positive":  # their default is a semi-hard negative
        miner = miners.BatchEasyHardMiner(pos_strategy="easy", neg_strategy="hard", distance=measure)
        chosen = miner(embeddings, labels)
        chosen = (chosen[0], chosen[1], chosen[3])
    elif mining == "hard":
        chosen = miners.TripletMarginMiner(margin=0.4, type_of_triplets="hard", distance=measure)(embeddings, labels)
    else:
        chosen = None if mining == "batch_all" else miners.BatchHardMiner(distance=measure)(embeddings, labels)
    agree(
        TripletLoss(0.4, mining, distance, reduction)(embeddings, labels), loss(embeddings, labels, chosen), embeddings
    )


@pytest.mark.parametrize("mining", ["batch_hard", "batch_all"])
def test_the_soft_margin_is_their_smooth_loss_without_a_margin(mining: Any, draw: Any) -> None:
    embeddings, labels, _ = draw(2, 32, dimension=8, names=7)
    measure = DISTANCES["euclidean"]
    loss = losses.TripletMarginLoss(margin=0, smooth_loss=True, distance=measure)
    chosen = None if mining == "batch_all" else miners.BatchHardMiner(distance=measure)(embeddings, labels)
    agree(TripletLoss("soft", mining)(embeddings, labels), loss(embeddings, labels, chosen), embeddings)


def test_semi_hard_with_one_positive_each(draw: Any) -> None:
    embeddings, _, _ = draw(3, 32, dimension=8)
    labels = torch.arange(32) // 2  # the hardest positive is then the only one
    measure = DISTANCES["euclidean"]
    miner = miners.BatchEasyHardMiner(pos_strategy="hard", neg_strategy="semihard", distance=measure)
    a, p, _, n = miner(embeddings, labels)
    theirs = losses.TripletMarginLoss(margin=5.0, distance=measure)(embeddings, labels, (a, p, n))
    agree(TripletLoss(5.0, SemiHard(margin=float("inf")))(embeddings, labels), theirs, embeddings)


def test_easy_positives_with_semi_hard_negatives(draw: Any) -> None:
    embeddings, labels, _ = draw(4, 40, dimension=8, names=9)
    measure = DISTANCES["euclidean"]
    a, p, _, n = miners.BatchEasyHardMiner(distance=measure)(embeddings, labels)
    theirs = losses.TripletMarginLoss(margin=0.4, distance=measure, reducer=reducers.MeanReducer())
    ours = TripletLoss(0.4, EasyPositive(negative="semi_hard"))(embeddings, labels)
    agree(ours, theirs(embeddings, labels, (a, p, n)), embeddings)


def test_contrastive_without_squares(draw: Any) -> None:
    embeddings, labels, _ = draw(5, 30, dimension=8, names=6)
    loss = losses.ContrastiveLoss(pos_margin=0.2, neg_margin=4.0, distance=DISTANCES["euclidean"])
    ours = contrastive_loss(embeddings, labels, margin=4.0, positive_margin=0.2, squared=False, reduction="nonzero")
    agree(ours, loss(embeddings, labels), embeddings)


def test_constellation_with_one_positive_each_is_their_ntxent(draw: Any) -> None:
    embeddings, _, _ = draw(6, 20, dimension=4)
    loss = losses.NTXentLoss(temperature=0.5, distance=distances.DotProductSimilarity(normalize_embeddings=False))
    labels = torch.arange(20) // 2
    agree(constellation_loss(embeddings, labels, scale=2.0), loss(embeddings, labels), embeddings)


def test_hierarchical_with_equal_margins_is_half_of_batch_all(draw: Any) -> None:
    embeddings, labels, _ = draw(7, 30, dimension=8, names=6)
    measure = DISTANCES["squared_euclidean"]
    loss = losses.TripletMarginLoss(margin=0.7, distance=measure, reducer=reducers.MeanReducer())
    margins = torch.full((30, 30), 0.7, dtype=torch.float64)
    ours = hierarchical_triplet_loss(embeddings, labels, margins=margins)
    agree(2 * ours, loss(embeddings, labels), embeddings)


def test_cross_batch_memory_has_their_values(draw: Any) -> None:
    # values alone: theirs compares a batch with its own detached copy in the memory, ours with itself and its gradients
    measure = DISTANCES["euclidean"]
    theirs = losses.CrossBatchMemory(losses.TripletMarginLoss(margin=0.4, distance=measure), 6, memory_size=24)
    ours = CrossBatchMemory(TripletLoss(0.4, "batch_all", reduction="nonzero"), dimension=6, size=24).double()
    for step in range(3):
        embeddings, labels, _ = draw(20 + step, 8, dimension=6)
        expected = theirs(embeddings.detach(), labels).item()
        assert ours(embeddings, labels).item() == pytest.approx(expected, rel=1e-6)

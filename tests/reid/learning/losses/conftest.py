"""The losses written out as plain loops over Python numbers and 0-d tensors, as the papers define them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra [train]")


def measure(first: Any, second: Any, distance: str) -> Any:
    """Distance of two vectors; a length of zero has the gradient zero."""
    if distance == "cosine":
        lengths = first.square().sum().sqrt() * second.square().sum().sqrt()
        return 1 - (first * second).sum() / lengths
    squared = (first - second).square().sum()
    if distance == "squared_euclidean":
        return squared
    return squared.sqrt() if squared.item() > 0 else squared


def table(embeddings: Any, distance: str) -> list[list[Any]]:
    """All distances."""
    return [[measure(a, b, distance) for b in embeddings] for a in embeddings]


def partners(relations: Any, anchor: int) -> tuple[list[int], list[int]]:
    """Positives and negatives of an anchor."""
    others = [j for j in range(len(relations)) if j != anchor]
    positives = [j for j in others if int(relations[anchor][j]) == 1]
    return positives, [j for j in others if int(relations[anchor][j]) == 0]


def select(mining: str, d: list[list[Any]], relations: Any, margin: Any) -> list[tuple[int, int, int]]:
    """Triplets that a miner must choose; of equally good ones the first."""
    chosen: list[tuple[int, int, int]] = []
    width = float("inf") if margin == "soft" else margin
    for a in range(len(d)):
        positives, negatives = partners(relations, a)
        if not positives or not negatives:
            continue
        far = max(positives, key=lambda j: d[a][j].item())
        near = min(negatives, key=lambda j: d[a][j].item())
        if mining == "batch_hard":
            chosen.append((a, far, near))
        elif mining == "easy_positive":
            chosen.append((a, min(positives, key=lambda j: d[a][j].item()), near))
        else:
            for p in positives:
                chosen += [(a, p, n) for n in negatives_of_pair(mining, d[a], p, negatives, near, width)]
    return chosen


def negatives_of_pair(mining: str, d: list[Any], p: int, negatives: list[int], near: int, width: float) -> list[int]:
    """Negatives that go with one positive pair."""
    if mining == "batch_all":
        return negatives
    if mining == "hard":
        return [n for n in negatives if d[n].item() <= d[p].item()]
    if mining == "all_positives_hard_negative":
        return [near]
    beyond = [n for n in negatives if d[n].item() > d[p].item()]
    if mining == "semi_hard":
        band = [n for n in beyond if d[n].item() < d[p].item() + width]
        return [min(band, key=lambda n: d[n].item())] if band else []
    assert mining == "semi_hard_tensorflow_addons"
    if beyond:
        return [min(beyond, key=lambda n: d[n].item())]
    return [max(negatives, key=lambda n: d[n].item())]


def penalty(difference: Any, margin: Any) -> Any:
    """Hinge or softplus."""
    if margin == "soft":
        return torch.logaddexp(torch.zeros_like(difference), difference)
    return torch.clamp(difference + margin, min=0)


def triplet_loss(
    embeddings: Any, relations: Any, *, mining: str, margin: Any, distance: str, reduction: str = "mean"
) -> Any:
    """The triplet loss, word for word."""
    d = table(embeddings, distance)
    losses = [penalty(d[a][p] - d[a][n], margin) for a, p, n in select(mining, d, relations, margin)]
    if reduction == "nonzero":
        losses = [x for x in losses if x.item() > 0]
    return sum(losses) / len(losses) if losses else 0.0 * embeddings.sum()


@pytest.fixture(scope="session")
def loops() -> SimpleNamespace:
    """The definitions by name."""
    return SimpleNamespace(
        triplet_loss=triplet_loss, table=table, partners=partners, penalty=penalty, select=select, measure=measure
    )


@pytest.fixture(scope="session")
def draw() -> Any:
    """draw(seed, rows, dimension=5, unknown=0.0): float64 embeddings that want a gradient, labels, relations."""

    def make(seed: int, rows: int, *, dimension: int = 5, names: int = 4, unknown: float = 0.0) -> tuple[Any, Any, Any]:
        generator = torch.Generator().manual_seed(seed)
        embeddings = torch.randn(rows, dimension, dtype=torch.float64, generator=generator)
        labels = torch.randint(0, names, (rows,), generator=generator)
        relations = (labels[:, None] == labels[None, :]).to(torch.int8)
        hidden = torch.rand(rows, rows, generator=generator) < unknown  # relations need not be symmetric
        relations[hidden] = -1
        return embeddings.requires_grad_(), labels, relations

    return make

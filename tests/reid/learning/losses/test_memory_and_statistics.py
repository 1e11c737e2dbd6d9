"""The cross-batch memory, and what a batch says of the training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra [train]")

from reid.learning.losses import CrossBatchMemory, TripletLoss, contrastive_loss  # noqa: E402 after the skip

pytestmark = pytest.mark.torch


def agree(ours: Any, theirs: Any, embeddings: Any) -> None:
    (gradient,) = torch.autograd.grad(ours, embeddings)
    (expected,) = torch.autograd.grad(theirs, embeddings)
    assert ours.item() == pytest.approx(theirs.item(), abs=1e-9)
    torch.testing.assert_close(gradient, expected, atol=1e-8, rtol=1e-7)


def test_the_memory_is_further_rows(draw: Any) -> None:
    memory = CrossBatchMemory(TripletLoss(0.5, "batch_all"), dimension=5, size=10).double()
    seen: list[tuple[Any, Any]] = []
    for step in range(4):
        embeddings, labels, _ = draw(30 + step, 4)
        earlier = seen[max(0, len(seen) - 10) :]
        loss = memory(embeddings, labels)
        rows = torch.stack([*embeddings, *(row for row, _ in earlier)])
        names = torch.cat((labels, torch.tensor([y for _, y in earlier], dtype=torch.int64)))
        relations = (labels[:, None] == names[None, :]).to(torch.int8)
        relations[torch.arange(4), torch.arange(4)] = -1
        agree(loss, TripletLoss(0.5, "batch_all")(embeddings, relations=relations, reference=rows), embeddings)
        seen += [(row.detach(), int(y)) for row, y in zip(embeddings, labels, strict=True)]
    memory.clear()
    embeddings, labels, _ = draw(40, 4)
    agree(memory(embeddings, labels), TripletLoss(0.5, "batch_all")(embeddings, labels), embeddings)


def test_the_memory_takes_relations_and_comes_back_from_a_checkpoint(draw: Any) -> None:
    first, second = (CrossBatchMemory(contrastive_loss, dimension=5, size=8).double() for _ in range(2))
    embeddings, labels, relations = draw(50, 6)
    with_empty_slots = torch.cat((relations, torch.ones(6, 8, dtype=torch.int8)), dim=1)
    by_relations = first(embeddings, relations=with_empty_slots, keys=torch.arange(100, 106))
    agree(by_relations, contrastive_loss(embeddings, labels), embeddings)
    assert first.keys.tolist() == [*range(100, 106), 0, 0]
    assert first.filled.tolist() == [True] * 6 + [False] * 2
    second.load_state_dict(first.state_dict())
    embeddings, labels, _ = draw(51, 6)
    assert first(embeddings, labels).item() == second(embeddings, labels).item()
    assert first.cursor.item() == 4


def test_rows_with_a_negative_label_are_remembered_as_nobody(draw: Any) -> None:
    memory, without = (CrossBatchMemory(TripletLoss(0.5, "batch_all"), dimension=5, size=16).double() for _ in range(2))
    for step in range(2):
        embeddings, labels, _ = draw(52 + step, 8)
        labels = labels.clone()
        labels[5:] = -1
        agree(memory(embeddings, labels), without(embeddings[:5], labels[:5]), embeddings)


@pytest.mark.parametrize("margin", [0.5, "soft"])
@pytest.mark.parametrize("mining", ["batch_hard", "batch_all", "semi_hard"])
def test_statistics(mining: Any, margin: Any, draw: Any, loops: Any) -> None:
    embeddings, labels, relations = draw(60, 20)
    loss = TripletLoss(margin, mining)
    value, found = loss.with_statistics(embeddings, labels)
    assert value.item() == loss(embeddings, labels).item()
    d = loops.table(embeddings.detach(), "euclidean")
    differences = [(d[a][p] - d[a][n]).item() for a, p, n in loops.select(mining, d, relations, margin)]
    active = [x for x in differences if x >= 0] if margin == "soft" else [x for x in differences if x + margin > 0]
    pairs = [(a, b) for a in range(20) for b in range(20) if a != b]
    unit = torch.nn.functional.normalize(embeddings.detach(), dim=1)
    expected = {
        "active_share": len(active) / len(differences),
        "mean_positive_distance": np.mean([d[a][b].item() for a, b in pairs if labels[a] == labels[b]]),
        "mean_negative_distance": np.mean([d[a][b].item() for a, b in pairs if labels[a] != labels[b]]),
        "mean_cosine": np.mean([(unit[a] @ unit[b]).item() for a, b in pairs]),
    }
    for name, number in expected.items():
        found_value = getattr(found, name)
        assert found_value.shape == ()
        assert not found_value.requires_grad
        assert found_value.item() == pytest.approx(number, abs=1e-9), name


def test_statistics_of_a_collapse_and_of_a_single_row() -> None:
    collapsed = TripletLoss().statistics(torch.ones(6, 4), torch.arange(6) // 2)
    assert collapsed.mean_cosine.item() == pytest.approx(1, abs=1e-6)
    assert collapsed.active_share.item() == 1
    alone = TripletLoss().statistics(torch.ones(1, 4), torch.zeros(1))
    assert [getattr(alone, name).item() for name in vars(alone)] == [0, 0, 0, 0]


def test_statistics_leave_the_draws_alone(draw: Any) -> None:
    embeddings, labels, _ = draw(61, 24)
    one, other = (TripletLoss(mining="random", seed=4) for _ in range(2))
    for _ in range(3):
        one.statistics(embeddings, labels)
        assert one(embeddings, labels).item() == other(embeddings, labels).item()

"""The losses beside TripletLoss against their definitions written as loops, and their own promises."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra [train]")

from reid import InputError  # noqa: E402 after the skip
from reid.learning.losses import (  # noqa: E402
    CrossBatchMemory,
    HierarchicalTripletLoss,
    IdentityLoss,
    TripletLoss,
    centroid_bound_loss,
    class_tree,
    constellation_loss,
    contrastive_loss,
    hierarchical_triplet_loss,
    mean_triplet_loss,
    relational_distillation_loss,
    upper_bound_triplet_loss,
)

pytestmark = pytest.mark.torch


def agree(ours: Any, theirs: Any, embeddings: Any) -> None:
    (gradient,) = torch.autograd.grad(ours, embeddings)
    (expected,) = torch.autograd.grad(theirs, embeddings)
    assert ours.item() == pytest.approx(theirs.item(), abs=1e-9)
    torch.testing.assert_close(gradient, expected, atol=1e-8, rtol=1e-7)


@pytest.mark.parametrize("margin", [0.5, "soft"])
@pytest.mark.parametrize("reduction", ["mean", "nonzero"])
@pytest.mark.parametrize("unknown", [0.0, 0.4])
def test_mean_triplet(margin: Any, reduction: Any, unknown: float, draw: Any, loops: Any) -> None:
    embeddings, _, relations = draw(1, 18, unknown=unknown)
    d = loops.table(embeddings, "euclidean")
    losses = []
    for a in range(18):
        positives, negatives = loops.partners(relations, a)
        if positives and negatives:
            near = sum(d[a][p] for p in positives) / len(positives)
            far = sum(d[a][n] for n in negatives) / len(negatives)
            losses.append(loops.penalty(near - far, margin))
    if reduction == "nonzero":
        losses = [x for x in losses if x > 0]
    ours = mean_triplet_loss(embeddings, relations=relations, margin=margin, reduction=reduction)
    agree(ours, sum(losses) / len(losses), embeddings)


def test_mean_triplet_is_not_batch_all() -> None:
    # one near negative, and one so far that the mean forgives it
    embeddings = torch.tensor([[0.0], [1.0], [0.5], [9.0]], dtype=torch.float64)
    labels = torch.tensor([0, 0, 1, 2])
    assert mean_triplet_loss(embeddings, labels, margin=0.2).item() == 0
    assert TripletLoss(0.2, "batch_all")(embeddings, labels).item() > 0


@pytest.mark.parametrize("squared", [True, False])
@pytest.mark.parametrize("reduction", ["mean", "nonzero"])
def test_contrastive(squared: bool, reduction: Any, draw: Any, loops: Any) -> None:
    embeddings, _, relations = draw(2, 16, unknown=0.2)
    d = loops.table(embeddings, "euclidean")
    near = [torch.relu(d[a][p] - 0.5) for a in range(16) for p in loops.partners(relations, a)[0]]
    far = [torch.relu(3.0 - d[a][n]) for a in range(16) for n in loops.partners(relations, a)[1]]
    if reduction == "nonzero":
        near, far = [x for x in near if x > 0], [x for x in far if x > 0]
    power = 2 if squared else 1
    expected = sum(x**power for x in near) / len(near) + sum(x**power for x in far) / len(far)
    ours = contrastive_loss(
        embeddings, relations=relations, margin=3.0, positive_margin=0.5, squared=squared, reduction=reduction
    )
    agree(ours, expected, embeddings)


def test_constellation(draw: Any, loops: Any) -> None:
    embeddings, _, relations = draw(3, 16, unknown=0.3)
    losses = []
    for a in range(16):
        positives, negatives = loops.partners(relations, a)
        if positives and negatives:
            anchor = embeddings[a]
            terms = [
                (2 * (anchor @ embeddings[n] - anchor @ embeddings[p])).exp() for p in positives for n in negatives
            ]
            losses.append(torch.log(1 + sum(terms)))
    agree(constellation_loss(embeddings, relations=relations, scale=2.0), sum(losses) / len(losses), embeddings)


def test_constellation_does_not_overflow() -> None:
    embeddings = torch.tensor([[300.0, 0.0], [-300.0, 0.0], [300.0, 1.0], [0.0, 5.0]], requires_grad=True)
    loss = constellation_loss(embeddings, torch.tensor([0, 0, 1, 1]))
    (gradient,) = torch.autograd.grad(loss, embeddings)
    assert torch.isfinite(loss)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("margin", [None, 0.5])
@pytest.mark.parametrize("given", [False, True])
def test_the_bound_within_a_batch(margin: Any, given: bool, draw: Any, loops: Any) -> None:
    embeddings, labels, relations = draw(4, 15, names=4)
    centres = (
        torch.randn(4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(4))[labels] if given else None
    )
    rows = centres if given else torch.stack([embeddings[labels == y].mean(dim=0) for y in labels])
    d = loops.table(embeddings, "euclidean")
    sides, true = [], []
    for a in range(15):
        positives, negatives = loops.partners(relations, a)
        for p, n in itertools.product(positives, negatives):
            own, other = rows[a], rows[n]
            side = loops.measure(embeddings[a], own, "euclidean") + loops.measure(embeddings[p], own, "euclidean")
            side = side + loops.measure(embeddings[n], other, "euclidean")
            side = side - loops.measure(embeddings[a], other, "euclidean")
            difference = d[a][p] - d[a][n]
            assert side.item() >= difference.item() - 1e-12  # the triangle inequality of every triplet
            sides.append(side if margin is None else torch.relu(side + margin))
            true.append(difference if margin is None else torch.relu(difference + margin))
    ours = upper_bound_triplet_loss(embeddings, labels, centroids=centres, margin=margin)
    agree(ours, sum(sides) / len(sides), embeddings)
    assert ours.item() >= (sum(true) / len(true)).item()


def test_the_bound_of_the_paper(draw: Any, loops: Any) -> None:
    embeddings, _, _ = draw(5, 12)
    labels, centroids = torch.arange(12) // 3, torch.eye(4, 5, dtype=torch.float64)
    losses = []
    for row, y in zip(embeddings, labels.tolist(), strict=True):
        to = [loops.measure(row, c, "euclidean") for c in centroids]
        losses.append(to[y] - sum(x for m, x in enumerate(to) if m != y) / (3 * 3))
    ours = centroid_bound_loss(embeddings, labels, centroids=centroids)
    agree(ours, sum(losses) / len(losses), embeddings)
    # 3 times it is the bound within a balanced batch, if the centres are the same
    within = upper_bound_triplet_loss(embeddings, labels, centroids=centroids[labels])
    assert 3 * ours.item() == pytest.approx(within.item(), abs=1e-9)


def test_hierarchical(draw: Any, loops: Any) -> None:
    embeddings, _, relations = draw(6, 16, unknown=0.2)
    margins = torch.randn(16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(6))
    d = loops.table(embeddings, "squared_euclidean")
    losses = []
    for a in range(16):
        positives, negatives = loops.partners(relations, a)
        losses += [torch.relu(d[a][p] - d[a][n] + margins[a, n]) for p in positives for n in negatives]
    ours = hierarchical_triplet_loss(embeddings, relations=relations, margins=margins)
    agree(ours, sum(losses) / len(losses) / 2, embeddings)


def test_the_tree_of_classes() -> None:
    generator = torch.Generator().manual_seed(7)
    centres = torch.tensor([[1.0, 0, 0], [0.9, 0.3, 0], [0, 0, 1.0], [-1.0, 0, 0]], dtype=torch.float64)
    labels = torch.arange(40) % 4
    rows = torch.nn.functional.normalize(centres[labels] + 0.05 * torch.randn(40, 3, generator=generator), dim=1)
    tree = class_tree(3 * rows, labels)  # lengths do not matter
    between = torch.cdist(rows, rows).square()
    for p in range(4):
        own = between[labels == p][:, labels == p]
        assert tree.within[p].item() == pytest.approx(own.sum().item() / (10 * 9), abs=1e-9)
        for q in range(4):
            expected = between[labels == p][:, labels == q].mean().item()
            assert tree.between[p, q].item() == pytest.approx(expected, abs=1e-9)
    width = tree.within.mean().item()
    levels = [width + level * (4 - width) / 16 for level in range(17)]
    assert tree.merged_at[0, 1].item() == pytest.approx(next(x for x in levels if x > tree.between[0, 1].item()))
    assert tree.merged_at[0, 1] < tree.merged_at[0, 2] <= tree.merged_at[0, 3] <= 4
    margins = tree.margins(torch.tensor([0, 1, 3]), slack=0.2)
    assert margins[0, 1].item() == pytest.approx(0.2 + (tree.merged_at[0, 1] - tree.within[0]).item())
    assert margins[2, 1].item() == pytest.approx(0.2 + (tree.merged_at[3, 1] - tree.within[3]).item())


def test_neighbours_in_the_tree_come_together() -> None:
    centres = torch.tensor([[1.0, 0, 0], [0.95, 0.3, 0], [0, 0, 1.0], [0, 0.3, 0.95], [-1.0, 0, 0], [-0.95, -0.3, 0]])
    tree = class_tree(centres.repeat_interleave(2, dim=0), torch.arange(12) // 2)
    for seed in range(6):
        chosen = tree.neighbourhood(anchors=1, neighbours=2, rng=np.random.default_rng(seed)).tolist()
        assert chosen in ([0, 1], [2, 3], [4, 5])
    with pytest.raises(InputError, match="anchors and neighbours must be from 1 to 6, got 7 and 1"):
        tree.neighbourhood(anchors=7, neighbours=1, rng=np.random.default_rng(0))


def test_the_tree_gives_the_loss_its_margins(draw: Any) -> None:
    embeddings, labels, relations = draw(8, 16)
    tree = class_tree(embeddings.detach(), labels)
    loss = HierarchicalTripletLoss(tree, slack=0.3)
    for ours in (loss(embeddings, labels), loss(embeddings, relations=relations, classes=labels)):
        expected = hierarchical_triplet_loss(embeddings, labels, margins=tree.margins(labels, slack=0.3))
        agree(ours, expected, embeddings)
    with pytest.raises(InputError, match="labels alone, or relations together with classes"):
        loss(embeddings, relations=relations)


def test_a_tree_and_its_margins_leave_out_rows_that_nobody_knows(draw: Any) -> None:
    embeddings, _, _ = draw(25, 12)
    labels = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3, 0, -1, -9, -1])
    tree = class_tree(embeddings.detach()[:9], labels[:9])
    with_unknown = class_tree(embeddings.detach(), labels)
    torch.testing.assert_close(vars(with_unknown), vars(tree))
    loss = HierarchicalTripletLoss(tree)
    agree(loss(embeddings, labels), loss(embeddings[:9], labels[:9]), embeddings)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_identity_cross_entropy(smoothing: float, draw: Any) -> None:
    features, _, _ = draw(9, 6)
    labels = torch.tensor([0, 2, 1, -1, 2, -4])
    loss = IdentityLoss(5, 3, label_smoothing=smoothing).double()
    terms = []
    for row, y in zip(features, labels.tolist(), strict=True):
        logs = torch.log_softmax(loss.classifier.weight @ row, dim=0)
        target = torch.full((3,), smoothing / 3, dtype=torch.float64)
        if y >= 0:  # a negative label is no known identity
            target[y] += 1 - smoothing
            terms.append(-(target * logs).sum())
    agree(loss(features, labels), sum(terms) / len(terms), features)


def test_identity_cross_entropy_without_a_known_identity_is_zero_with_a_gradient_path(draw: Any) -> None:
    features, _, _ = draw(10, 4)
    loss = IdentityLoss(5, 3).double()(features, torch.tensor([-1, -1, -3, -1]))
    (gradient,) = torch.autograd.grad(loss, features)
    assert loss.item() == 0
    assert (gradient == 0).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_identity_cross_entropy_in_mixed_precision(dtype: Any) -> None:
    features = torch.randn(8, 16, generator=torch.Generator().manual_seed(11)).to(dtype)
    loss, labels = IdentityLoss(16, 4), torch.arange(8) % 4
    with torch.autocast("cpu", dtype=dtype):
        mixed = loss(features, labels)
    assert mixed.dtype == torch.float32
    assert mixed.item() == pytest.approx(loss(features.float(), labels).item(), abs=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda e, y: contrastive_loss(e, y, margin=0.1, positive_margin=0.2), "0 <= positive_margin < margin"),
        (lambda e, y: constellation_loss(e, y, scale=0), "scale must be a finite number above 0, got 0"),
        (lambda e, y: upper_bound_triplet_loss(e, y, centroids=e[:2]), r"one for each row, \(4, 3\), got \(2, 3\)"),
        (lambda e, y: upper_bound_triplet_loss(e, y, margin=-1.0), "finite number above 0, got -1.0"),
        (lambda e, y: centroid_bound_loss(e, y[:2], centroids=e), r"labels \(B,\), got \(4, 3\) and \(2,\)"),
        (lambda e, y: centroid_bound_loss(e, y, centroids=e[:, :2]), r"reference must be \(C, 3\)"),
        (lambda e, y: hierarchical_triplet_loss(e, y, margins=e), r"margins must be \(4, 4\), got \(4, 3\)"),
        (lambda e, y: class_tree(e, torch.tensor([0, 0, 2, 2])), "at least one sample each"),
        (lambda e, y: class_tree(e, y, levels=0), "levels must be at least 1, got 0"),
        (lambda e, y: class_tree(e, y[:2]), r"\(N, D\) and labels \(N,\)"),
        (lambda e, y: IdentityLoss(0, 3), "at least 1, got 0 and 3"),
        (lambda e, y: IdentityLoss(3, 3, label_smoothing=1.0), "must be at least 0 and below 1, got 1.0"),
        (lambda e, y: IdentityLoss(4, 3)(e, y), r"features must be \(B, 4\)"),
        (lambda e, y: CrossBatchMemory(contrastive_loss, dimension=3, size=0), "at least 1, got 3 and 0"),
        (lambda e, y: CrossBatchMemory(contrastive_loss, dimension=3, size=3)(e, y), "of at most 3 rows"),
        (lambda e, y: CrossBatchMemory(contrastive_loss, dimension=3)(e), "labels alone, or relations together"),
        (
            lambda e, y: CrossBatchMemory(contrastive_loss, dimension=3, size=4)(e, relations=torch.ones(4, 4), keys=y),
            r"relations must be \(4, 8\)",
        ),
    ],
)
def test_bad_arguments_are_refused(call: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call(torch.randn(4, 3), torch.tensor([0, 0, 1, 1]))


def test_relational_distillation(draw: Any) -> None:
    embeddings, _, _ = draw(4, 9)
    teacher = torch.from_numpy(np.random.default_rng(4).normal(size=(9, 3)))
    squares = []
    for a, b in itertools.permutations(range(9), 2):
        cosine, wanted = (torch.nn.functional.cosine_similarity(x[a], x[b], dim=0) for x in (embeddings, teacher))
        squares.append((cosine - wanted) ** 2)
    agree(relational_distillation_loss(embeddings, 3 * teacher), sum(squares) / len(squares), embeddings)


def test_a_pupil_that_is_its_teacher_turned_has_nothing_to_learn() -> None:
    teacher = torch.randn(8, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    turn, _ = torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64))
    assert relational_distillation_loss(2 * teacher @ turn, teacher).item() == pytest.approx(0, abs=1e-24)
    assert relational_distillation_loss(teacher[:, :3], teacher).item() > 0.01


def test_of_what_the_teacher_does_not_know_nothing_is_learned() -> None:
    generator = torch.Generator().manual_seed(3)
    pupil, teacher = torch.randn(6, 4, generator=generator), torch.randn(6, 5, generator=generator)
    pupil.requires_grad_(True)
    partial = teacher.clone()
    partial[[1, 4]] = torch.nan
    known = [0, 2, 3, 5]
    loss = relational_distillation_loss(pupil, partial)
    torch.testing.assert_close(loss, relational_distillation_loss(pupil[known], teacher[known]))
    (gradient,) = torch.autograd.grad(loss, pupil)
    assert (gradient[[1, 4]] == 0).all()
    assert (gradient[known] != 0).all()
    nothing = relational_distillation_loss(pupil, torch.full((6, 5), torch.nan))
    assert nothing.item() == 0
    assert (torch.autograd.grad(nothing, pupil)[0] == 0).all()


def test_distillation_is_exact_under_autocast_and_refuses_other_crops() -> None:
    generator = torch.Generator().manual_seed(5)
    pupil, teacher = torch.randn(6, 64, generator=generator), torch.randn(6, 5, generator=generator)
    plain = relational_distillation_loss(pupil, teacher)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(relational_distillation_loss(pupil, teacher), plain)
    assert relational_distillation_loss(pupil.bfloat16(), teacher).dtype == torch.float32
    pupil[0, 0] = torch.inf
    assert relational_distillation_loss(pupil, teacher).isnan()
    with pytest.raises(InputError, match=r"of the same crops, got \(6, 64\) and \(5, 5\)"):
        relational_distillation_loss(pupil, teacher[:5])

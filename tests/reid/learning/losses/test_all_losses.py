"""What every loss must stand: finite differences, mixed precision, degenerate batches, any order, unknown relations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="needs the extra [train]")

from torch._subclasses.fake_tensor import FakeTensorMode  # noqa: E402 after the skip

from reid.learning.losses import (  # noqa: E402
    TripletLoss,
    centroid_bound_loss,
    constellation_loss,
    contrastive_loss,
    hierarchical_triplet_loss,
    mean_triplet_loss,
    upper_bound_triplet_loss,
)
from reid.learning.mining import MINING  # noqa: E402

pytestmark = pytest.mark.torch

Loss = Callable[..., Any]


def hierarchical(embeddings: Any, labels: Any = None, *, relations: Any = None) -> Any:
    """With margins that depend on the pair, some of them negative."""
    rows = torch.arange(len(embeddings), dtype=torch.float32, device=embeddings.device)
    margins = 0.2 + 0.1 * (rows[:, None] - rows[None, :]).sin()
    return hierarchical_triplet_loss(embeddings, labels, relations=relations, margins=margins)


def centroid_bound(embeddings: Any, labels: Any = None, *, relations: Any = None) -> Any:
    """Against fixed centroids; relations of rows to centroids are those to the first rows."""
    centroids = torch.eye(len(embeddings), embeddings.shape[1], dtype=embeddings.dtype, device=embeddings.device)
    return centroid_bound_loss(embeddings, labels, relations=relations, centroids=centroids)


LOSSES: dict[str, Loss] = {
    **{f"{mining}-{margin}": TripletLoss(margin, mining) for mining in MINING for margin in (0.3, "soft")},
    "batch_hard-cosine": TripletLoss(0.3, "batch_hard", "cosine", "nonzero"),
    "batch_all-cosine": TripletLoss(0.3, "batch_all", "cosine", "nonzero"),
    "batch_all-squared": TripletLoss(0.3, "batch_all", "squared_euclidean"),
    "semi_hard-squared": TripletLoss(0.3, "semi_hard", "squared_euclidean"),
    "mean_triplet": mean_triplet_loss,
    "contrastive": contrastive_loss,
    "constellation": constellation_loss,
    "hierarchical": hierarchical,
    "upper_bound": upper_bound_triplet_loss,
    "upper_bound-hinge": lambda e, y=None, **more: upper_bound_triplet_loss(e, y, margin=0.3, **more),
    "centroid_bound": centroid_bound,
}
DRAWN = [name for name in LOSSES if name.startswith(("random", "distance_weighted"))]

every = pytest.mark.parametrize("name", LOSSES)


def those_without(*left_out: str) -> Any:
    """All losses but some."""
    return pytest.mark.parametrize("name", [name for name in LOSSES if name not in left_out])


def fresh(name: str) -> Loss:
    """The loss; of one that draws a copy with its first draws still to come."""
    if name not in DRAWN:
        return LOSSES[name]
    mining, margin = name.rsplit("-", 1)
    return TripletLoss("soft" if margin == "soft" else 0.3, mining)


def batch(rows: int = 12, dimension: int = 6, dtype: Any = torch.float64, seed: int = 0) -> tuple[Any, Any]:
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(rows, dimension, dtype=torch.float64, generator=generator)
    embeddings = torch.nn.functional.normalize(embeddings, dim=1).to(dtype)
    return embeddings.requires_grad_(), torch.arange(rows) // 3


@every
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    embeddings, labels = batch()
    assert torch.autograd.gradcheck(lambda e: fresh(name)(e, labels), (embeddings,), atol=1e-5)


@every
def test_labels_are_shorthand_for_relations(name: str) -> None:
    embeddings, labels = batch()
    relations = (labels[:, None] == labels[None, :]).to(torch.int8)
    if name == "centroid_bound":
        relations = (labels[:, None] == torch.arange(12)[None, :]).to(torch.int8)
    expected = fresh(name)(embeddings, labels)
    assert fresh(name)(embeddings, relations=relations).item() == pytest.approx(expected.item(), abs=1e-12)


@every
@pytest.mark.parametrize("labels", [[0, 1, 2, 3, 4, 5], [0, 0, 0, 0, 0, 0]], ids=["singletons", "one identity"])
def test_nothing_to_compare_gives_zero_with_a_gradient_path(name: str, labels: list[int]) -> None:
    embeddings, _ = batch(rows=6)
    loss = fresh(name)(embeddings, torch.tensor(labels))
    (gradient,) = torch.autograd.grad(loss, embeddings)
    if name in ("contrastive", "centroid_bound"):  # these need no triplets
        assert torch.isfinite(loss)
        assert torch.isfinite(gradient).all()
    else:
        assert loss.item() == 0
        assert (gradient == 0).all()


@every
def test_unknown_pairs_are_neither_positive_nor_negative(name: str) -> None:
    embeddings, _ = batch()
    loss = fresh(name)(embeddings, relations=torch.full((12, 12), -1, dtype=torch.int8))
    (gradient,) = torch.autograd.grad(loss, embeddings)
    assert loss.item() == 0
    assert (gradient == 0).all()


@those_without(*DRAWN, "hierarchical", "centroid_bound")  # their margins and centroids here go by row number
def test_a_row_of_which_nothing_is_known_changes_nothing(name: str) -> None:
    embeddings, labels = batch()
    expected = LOSSES[name](embeddings[:11], labels[:11])
    relations = (labels[:, None] == labels[None, :]).to(torch.int8)
    relations[11], relations[:, 11] = -1, -1
    loss = LOSSES[name](embeddings, relations=relations)
    assert loss.item() == pytest.approx(expected.item(), abs=1e-12)
    (gradient,) = torch.autograd.grad(loss, embeddings)
    assert (gradient[11] == 0).all()


@those_without(*DRAWN)
def test_rows_with_a_negative_label_change_nothing(name: str) -> None:
    embeddings, labels = batch()
    expected = LOSSES[name](embeddings[:9], labels[:9])
    if name == "centroid_bound":  # one centroid a row here
        expected = centroid_bound_loss(embeddings[:9], labels[:9], centroids=torch.eye(12, 6, dtype=torch.float64))
    loss = LOSSES[name](embeddings, torch.cat((labels[:9], torch.tensor([-1, -1, -5]))))
    assert loss.item() == pytest.approx(expected.item(), abs=1e-12)
    (gradient,) = torch.autograd.grad(loss, embeddings)
    assert (gradient[9:] == 0).all()


@those_without("centroid_bound")  # centroids are no rows: there is no diagonal
def test_the_diagonal_is_no_pair_whatever_it_says(name: str) -> None:
    embeddings, labels = batch()
    relations = (labels[:, None] == labels[None, :]).to(torch.int8)
    values = set()
    for own in (-1, 0, 1):
        values.add(fresh(name)(embeddings, relations=relations.clone().fill_diagonal_(own)).item())
    assert len(values) == 1


@every
def test_identical_pairs_have_finite_gradients(name: str) -> None:
    embeddings = torch.nn.functional.normalize(torch.ones(12, 6), dim=1).requires_grad_()
    loss = fresh(name)(embeddings, torch.arange(12) // 3)
    (gradient,) = torch.autograd.grad(loss, embeddings)
    assert torch.isfinite(loss)
    assert torch.isfinite(gradient).all()


@every
def test_rows_of_zeros_have_finite_gradients(name: str) -> None:
    embeddings, labels = batch(dtype=torch.float32)
    embeddings = (embeddings.detach() * (torch.arange(12) > 2)[:, None]).requires_grad_()
    loss = fresh(name)(embeddings, labels)
    (gradient,) = torch.autograd.grad(loss, embeddings)
    assert torch.isfinite(loss)
    assert torch.isfinite(gradient).all()


@every
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_shows(name: str, bad: float) -> None:
    embeddings, labels = batch()
    with torch.no_grad():
        embeddings[4, 2] = bad
    assert not torch.isfinite(fresh(name)(embeddings, labels))


@every
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_mixed_precision_computes_in_float32(name: str, dtype: Any) -> None:
    embeddings, labels = batch(dtype=dtype)
    exactly = embeddings.detach().double()  # the same numbers
    with torch.autocast("cpu", dtype=dtype):
        loss = fresh(name)(embeddings, labels)
    (gradient,) = torch.autograd.grad(loss, embeddings)
    assert loss.dtype == torch.float32
    assert gradient.dtype == dtype
    assert torch.isfinite(gradient).all()
    if name not in DRAWN:  # draws in float32 and float64 differ
        assert loss.item() == pytest.approx(LOSSES[name](exactly, labels).item(), abs=2e-5)


@those_without(*DRAWN, "hierarchical")  # its margins here go by row number
@given(seed=st.integers(0, 10**6))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_order_of_the_batch_does_not_matter(name: str, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    embeddings, _ = batch(rows=14, seed=seed)
    labels = torch.randint(0, 5, (14,), generator=generator)
    order = torch.randperm(14, generator=generator)
    loss, shuffled = LOSSES[name](embeddings, labels), LOSSES[name](embeddings[order], labels[order])
    # a row that is its own centre is 0 away from it, found as the root of a rounding error of 1e-16
    assert shuffled.item() == pytest.approx(loss.item(), abs=1e-8)
    (gradient,), (of_shuffled,) = torch.autograd.grad(loss, embeddings), torch.autograd.grad(shuffled, embeddings)
    torch.testing.assert_close(of_shuffled, gradient, atol=1e-9, rtol=1e-7)


@every
def test_no_step_depends_on_values_in_its_shapes_or_waits_for_them(name: str) -> None:
    # tensors without values: reading one, or a shape that needs one, raises
    loss = fresh(name)
    with FakeTensorMode():
        embeddings, labels = torch.empty(12, 6, requires_grad=True), torch.empty(12, dtype=torch.int64)
        result = loss(embeddings, labels)
        result.backward()
        assert result.shape == ()
        assert embeddings.grad is not None


@pytest.mark.parametrize("name", ["batch_hard-0.3", "batch_all-0.3", "batch_all-soft", "semi_hard-0.3", "contrastive"])
# what torch's own tracer does with autograd functions
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
def test_a_step_is_one_graph(name: str) -> None:
    embeddings, labels = batch(dtype=torch.float32)
    torch._dynamo.reset()
    compiled = torch.compile(LOSSES[name], fullgraph=True, backend="eager")
    loss = compiled(embeddings, labels)
    (gradient,) = torch.autograd.grad(loss, embeddings)
    expected = LOSSES[name](embeddings, labels)
    (expected_gradient,) = torch.autograd.grad(expected, embeddings)
    assert loss.item() == pytest.approx(expected.item(), abs=1e-6)
    torch.testing.assert_close(gradient, expected_gradient)


@pytest.mark.parametrize("name", DRAWN)
def test_draws_repeat_from_a_checkpoint(name: str) -> None:
    embeddings, labels = batch(rows=24)
    loss = fresh(name)
    loss(embeddings, labels)
    state = {key: value.clone() for key, value in loss.state_dict().items()}
    following = [loss(embeddings, labels).item() for _ in range(4)]
    resumed = fresh(name)
    resumed.load_state_dict(state)
    assert [resumed(embeddings, labels).item() for _ in range(4)] == following
    assert len(set(following)) > 1

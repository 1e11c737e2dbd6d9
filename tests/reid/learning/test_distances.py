"""Distances: values, gradients, precision."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra [train]")

from reid import InputError  # noqa: E402 after the skip
from reid.learning.distances import (  # noqa: E402
    DISTANCES,
    paired,
    pairwise,
    to_chosen,
    to_euclidean,
    unit,
)

pytestmark = pytest.mark.torch

every = pytest.mark.parametrize("distance", DISTANCES)


def rows(count: int, seed: int = 0, dtype: Any = torch.float64) -> Any:
    return torch.randn(count, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).to(dtype)


def by_differences(first: Any, second: Any, distance: str) -> Any:
    """(B, D), (C, D) -> (B, C), written out."""
    if distance == "cosine":
        return 1 - torch.nn.functional.cosine_similarity(first[:, None], second[None, :], dim=2)
    squared = (first[:, None] - second[None, :]).square().sum(dim=2)
    return squared if distance == "squared_euclidean" else squared.sqrt()


@every
def test_values(distance: Any) -> None:
    a, b = rows(7), rows(4, 1)
    torch.testing.assert_close(pairwise(a, distance=distance), by_differences(a, a, distance), atol=1e-7, rtol=0)
    torch.testing.assert_close(pairwise(a, b, distance=distance), by_differences(a, b, distance))
    torch.testing.assert_close(paired(a[:4], b, distance=distance), by_differences(a[:4], b, distance).diagonal())
    chosen = torch.tensor([[1, 0], [3, 3], [2, 1], [0, 2], [1, 1], [0, 3], [2, 2]])
    expected = by_differences(a, b, distance).gather(1, chosen)
    torch.testing.assert_close(to_chosen(a, chosen, b, distance=distance), expected)
    torch.testing.assert_close(
        to_chosen(a, chosen, distance=distance), by_differences(a, a, distance).gather(1, chosen)
    )


@every
def test_gradients_are_those_of_finite_differences(distance: Any) -> None:
    a, b = rows(5).requires_grad_(), rows(4, 1).requires_grad_()
    chosen = torch.tensor([[1, 2], [0, 3], [3, 3], [1, 0], [2, 3]])
    apart = ~torch.eye(5, dtype=torch.bool)  # a distance to oneself has no finite difference
    check = torch.autograd.gradcheck
    assert check(lambda x: pairwise(x, distance=distance)[apart], (a,))
    assert check(lambda x, y: pairwise(x, y, distance=distance), (a, b))
    assert check(lambda x, y: paired(x[:4], y, distance=distance), (a, b))
    assert check(lambda x, y: to_chosen(x, chosen, y, distance=distance), (a, b))
    assert check(lambda x: to_chosen(x, chosen[:, :1], distance=distance), (a,))


@every
def test_second_gradients_too(distance: Any) -> None:
    a, b = rows(4).requires_grad_(), rows(3, 1).requires_grad_()
    assert torch.autograd.gradgradcheck(lambda x, y: pairwise(x, y, distance=distance), (a, b))


def test_second_gradients_that_are_not_known_are_refused() -> None:
    a = rows(4).requires_grad_()
    chosen = torch.tensor([[1], [2], [3], [0]])
    with pytest.raises(RuntimeError, match="second gradients of this loss are not known"):
        torch.autograd.grad(to_chosen(a, chosen).sum(), a, create_graph=True)


@pytest.mark.parametrize(("longer", "offset"), [(3e3, 0.0), (1.0, 1e3), (1.0, 0.0)])
def test_one_far_row_or_a_common_offset_costs_no_digits(longer: float, offset: float) -> None:
    a = torch.randn(32, 64, generator=torch.Generator().manual_seed(0))
    a[0] *= longer
    a += offset
    expected = pairwise(a.double())
    torch.testing.assert_close(pairwise(a).double(), expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("empty", [0, 5])
def test_a_row_of_zeros_costs_the_others_no_digits(empty: int) -> None:
    a = 3 + 0.01 * torch.randn(64, 64, generator=torch.Generator().manual_seed(0))
    a[empty] = 0
    others = torch.arange(64) != empty
    found, expected = pairwise(a)[others][:, others], pairwise(a[others].double())
    torch.testing.assert_close(found.double(), expected, rtol=2e-5, atol=0)


def test_no_rows_have_no_distances() -> None:
    assert pairwise(rows(0)).shape == (0, 0)


@every
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("autocast", [False, True])
def test_at_least_float32(distance: Any, dtype: Any, autocast: bool) -> None:
    a = rows(9, dtype=dtype)
    before = a.roll(1, 0)
    exactly = by_differences(a.double(), a.double(), distance)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        found = pairwise(a, distance=distance)
        one_by_one = paired(a, before, distance=distance)
    assert found.dtype == one_by_one.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    torch.testing.assert_close(found.double(), exactly, atol=2e-5, rtol=1e-5)
    neighbours = exactly[torch.arange(9), torch.arange(9) - 1]
    torch.testing.assert_close(one_by_one.double(), neighbours, atol=2e-5, rtol=1e-5)


def test_a_common_offset_costs_no_digits() -> None:
    a = rows(9, dtype=torch.float32)
    near, far = pairwise(a), pairwise(a + 64)  # exact in float32 up to the offset's own rounding
    torch.testing.assert_close(far, near, atol=1e-4, rtol=0)


@every
def test_equal_rows_are_at_zero_with_a_gradient_of_zero(distance: Any) -> None:
    a = rows(1, dtype=torch.float32).expand(4, 5).clone().requires_grad_()
    for found in (
        pairwise(a, distance=distance),
        paired(a, a.detach(), distance=distance),
        to_chosen(a, torch.tensor([[1], [0], [0], [2]]), distance=distance),
    ):
        (gradient,) = torch.autograd.grad(found.sum(), a)
        torch.testing.assert_close(found, torch.zeros_like(found), atol=2e-7, rtol=0)
        torch.testing.assert_close(gradient, torch.zeros_like(gradient), atol=2e-6, rtol=0)


def test_the_gradient_of_a_distance_is_never_longer_than_one_a_pair() -> None:
    # nearly equal rows, where the square root is steep
    a = torch.nn.functional.normalize(torch.ones(2, 64) + 1e-6 * torch.eye(2, 64), dim=1).requires_grad_()
    (gradient,) = torch.autograd.grad(pairwise(a)[0, 1], a)
    assert gradient.norm(dim=1).max() <= 1 + 1e-3


@pytest.mark.parametrize("distance", DISTANCES)
def test_all_kinds_tell_the_euclidean_distance_of_unit_vectors(distance: Any) -> None:
    a = unit(rows(6))
    torch.testing.assert_close(
        to_euclidean(pairwise(a, distance=distance), distance), by_differences(a, a, "euclidean"), atol=3e-8, rtol=0
    )


def test_rows_of_zeros_have_no_direction() -> None:
    a = torch.zeros(2, 5, dtype=torch.float64, requires_grad=True)
    found = pairwise(torch.cat((a, rows(2))), distance="cosine")
    (gradient,) = torch.autograd.grad(found.sum(), a)
    assert found[0, 2] == 1
    assert (gradient == 0).all()


def test_an_unknown_distance_is_refused() -> None:
    for call in (pairwise, lambda a, distance: paired(a, a, distance=distance)):
        with pytest.raises(InputError, match="distance must be one of euclidean, squared_euclidean, cosine, got 'l1'"):
            call(rows(2), distance="l1")  # type: ignore[operator]

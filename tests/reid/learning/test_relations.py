"""Relations: same, different, unknown."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs the extra [train]")

from reid.learning.relations import (  # noqa: E402 after the skip
    DIFFERENT,
    SAME,
    UNKNOWN,
    masks,
    relations_between,
    relations_from_labels,
    resolve_masks,
)

pytestmark = pytest.mark.torch


def test_the_three_values() -> None:
    assert (SAME, DIFFERENT, UNKNOWN) == (1, 0, -1)


def test_labels_are_relations_without_a_diagonal() -> None:
    found = relations_from_labels(torch.tensor([4, 7, 4]))
    assert found.dtype == torch.int8
    assert found.tolist() == [[-1, 0, 1], [0, -1, 0], [1, 0, -1]]
    assert relations_between(torch.tensor([4, 7]), torch.tensor([7, 4, 4])).tolist() == [[0, 1, 1], [1, 0, 0]]


def test_a_negative_label_is_unknown_to_everybody() -> None:
    labels = torch.tensor([4, -1, 4, -1, -7, 7])
    found = relations_from_labels(labels)
    assert found.tolist() == [
        [-1, -1, 1, -1, -1, 0],
        [-1] * 6,
        [1, -1, -1, -1, -1, 0],
        [-1] * 6,
        [-1] * 6,
        [0, -1, 0, -1, -1, -1],
    ]
    assert relations_between(labels[:3], torch.tensor([-1, 4])).tolist() == [[-1, 1], [-1, -1], [-1, 1]]
    for one, other in zip(resolve_masks(torch.zeros(6, 2), labels, None), masks(found), strict=True):
        assert torch.equal(one, other)


def test_masks_leave_out_what_is_unknown_and_the_diagonal() -> None:
    relations = torch.tensor([[1, 1, 0], [-1, 0, 1], [0, 5, -1]], dtype=torch.int8)
    same, different = masks(relations)
    assert same.tolist() == [[False, True, False], [False, False, True], [False, False, False]]
    assert different.tolist() == [[False, False, True], [False, False, False], [True, False, False]]
    same, different = masks(relations, own_rows=False)
    assert same.diagonal().tolist() == [True, False, False]
    assert different.diagonal().tolist() == [False, True, False]


def test_labels_and_their_relations_give_the_same_masks() -> None:
    embeddings, labels = torch.zeros(5, 2), torch.tensor([0, 1, 0, 2, 1])
    by_labels = resolve_masks(embeddings, labels, None)
    by_relations = resolve_masks(embeddings, None, relations_from_labels(labels))
    for one, other in zip(by_labels, by_relations, strict=True):
        assert torch.equal(one, other)


def test_what_is_given_stays_as_it_was() -> None:
    relations = torch.ones(3, 3, dtype=torch.int8)
    resolve_masks(torch.zeros(3, 2), None, relations)
    assert (relations == 1).all()

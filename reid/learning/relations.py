"""Which pairs of rows show the same object, which do not, and which nobody knows: what losses and miners learn from."""

from __future__ import annotations

import torch
from torch import Tensor

from reid.errors import InputError

SAME = 1
"""The pair shows one identity: a positive pair."""
DIFFERENT = 0
"""The pair shows two identities: a negative pair."""
UNKNOWN = -1
"""Nobody knows: the pair is neither positive nor negative, and no loss or miner touches it."""


def relations_from_labels(labels: Tensor) -> Tensor:
    """(B,) labels -> (B, B) int8 relations: SAME where labels are equal, else DIFFERENT; UNKNOWN on the diagonal.

    A negative label says that nobody knows whom the row shows: it is UNKNOWN to all.
    """
    return relations_between(labels, labels).fill_diagonal_(UNKNOWN)


def relations_between(labels: Tensor, others: Tensor) -> Tensor:
    """(B,) and (C,) labels -> (B, C) int8 relations of rows to columns: SAME where labels are equal, else DIFFERENT.

    UNKNOWN where either label is negative.
    """
    relations = (labels[:, None] == others[None, :]).to(torch.int8)
    return relations.masked_fill_(~_both_known(labels, others), UNKNOWN)


def masks(relations: Tensor, *, own_rows: bool = True) -> tuple[Tensor, Tensor]:
    """(B, C) relations -> (B, C) bool masks of the positive and of the negative pairs.

    `own_rows`: the columns are the rows themselves, so that the diagonal is no pair whatever it says.
    """
    same, different = relations == SAME, relations == DIFFERENT
    if own_rows:
        same.fill_diagonal_(False)
        different.fill_diagonal_(False)
    return same, different


def resolve_masks(
    embeddings: Tensor, labels: Tensor | None, relations: Tensor | None, reference: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The positive and the negative pairs that a loss or miner was called with, (B, C) bool each.

    `embeddings` (B, D). Exactly one of `labels` (B,) and `relations` (B, C) is given. A row with a negative label is
    neither positive nor negative of any other: nobody knows whom it shows. With `reference` (C, D),
    vectors of other rows, relations are what is given. Without it C is B, and the diagonal is no pair. Values are not
    read, which would wait for the device: a relation that is none of the three counts as unknown.

    Raises:
        InputError: shapes or kinds do not fit, or not exactly one of labels and relations was given.
    """
    _check_vectors(embeddings, reference)
    if (labels is None) == (relations is None):
        given = "both" if relations is not None else "neither"
        raise InputError(f"give exactly one of labels and relations, got {given}")
    if labels is not None:
        if reference is not None:
            raise InputError("with a reference the pairs must be given as relations (B, C), got labels")
        check_labels(embeddings, labels)
        known = _both_known(labels, labels)  # (B, B)
        same = (labels[:, None] == labels[None, :]).logical_and_(known)
        different = known ^ same  # known, and not the same
        return same.fill_diagonal_(False), different
    assert relations is not None, "one of the two was given"
    expected = (len(embeddings), len(embeddings if reference is None else reference))
    if relations.shape != expected or relations.is_floating_point() or relations.dtype == torch.bool:
        raise InputError(
            f"relations must be {expected} of int8 (1 same, 0 different, -1 unknown), "
            f"got {tuple(relations.shape)} of {relations.dtype}"
        )
    return masks(relations, own_rows=reference is None)


def check_labels(embeddings: Tensor, labels: Tensor) -> None:
    """Refuse labels that are not one for each row.

    Raises:
        InputError: shapes do not fit.
    """
    if embeddings.ndim != 2 or labels.shape != embeddings.shape[:1]:
        shapes = f"{tuple(embeddings.shape)} and {tuple(labels.shape)}"
        raise InputError(f"embeddings must be (B, D) and labels (B,), got {shapes}")


def _both_known(labels: Tensor, others: Tensor) -> Tensor:
    """(B,) and (C,) labels -> (B, C) bool, False where either is negative."""
    row, column = labels >= 0, others >= 0
    # a row is `column`, or empty: copying whole rows takes a tenth of what row[:, None] & column does
    return torch.stack((torch.zeros_like(column), column)).index_select(0, row.long())


def _check_vectors(embeddings: Tensor, reference: Tensor | None) -> None:
    if embeddings.ndim != 2 or len(embeddings) == 0 or not embeddings.is_floating_point():
        kind = f"{tuple(embeddings.shape)} of {embeddings.dtype}"
        raise InputError(f"embeddings must be (B, D) of floats with B at least 1, got {kind}")
    if reference is not None and (
        reference.ndim != 2 or len(reference) == 0 or reference.shape[1] != embeddings.shape[1]
    ):
        expected = f"(C, {embeddings.shape[1]}) with C at least 1"
        raise InputError(f"reference must be {expected}, got {tuple(reference.shape)}")

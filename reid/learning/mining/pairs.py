"""What a miner sees of a batch, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from reid.learning.distances import pairwise, to_euclidean
from reid.learning.loss_choices import DistanceName
from reid.learning.relations import resolve_masks


@dataclass(frozen=True)
class Pairs:
    """All pairs of a batch: rows are anchors, columns are what they are compared with."""

    distances: Tensor
    """(B, C) float32 or float64, without gradient."""
    same: Tensor
    """(B, C) bool: the positive pairs."""
    different: Tensor
    """(B, C) bool: the negative pairs. A pair of neither kind is unknown, or a row with itself."""
    distance: DistanceName
    """What kind of distances they are."""
    dimension: int
    """D of the embeddings."""

    @property
    def euclidean(self) -> Tensor:
        """(B, C) Euclidean distances, whatever kind `distances` are; exact for unit vectors."""
        return to_euclidean(self.distances, self.distance)


@dataclass(frozen=True)
class Triplets:
    """R triplets for each of B anchors, some of them void: no shape depends on values, nothing waits for a device."""

    positive: Tensor
    """(B, R) int64 column of the positive; any column where void."""
    negative: Tensor
    """(B, R) int64 column of the negative; any column where void."""
    valid: Tensor
    """(B, R) bool, False where void."""

    def listed(self) -> Tensor:
        """(T, 3) int64 rows of anchor, positive and negative without the void ones. Its shape waits for the values."""
        anchor, slot = self.valid.nonzero(as_tuple=True)
        return torch.stack((anchor, self.positive[anchor, slot], self.negative[anchor, slot]), dim=1)


@runtime_checkable
class Miner(Protocol):
    """Chooses triplets from a batch. Any callable of this form can be given where a miner's name can."""

    def __call__(self, pairs: Pairs) -> Triplets:
        """Triplets of columns of `pairs`, of a shape that depends on shapes alone."""
        ...


@torch.no_grad()
def pairs_of(
    embeddings: Tensor,
    labels: Tensor | None = None,
    *,
    relations: Tensor | None = None,
    reference: Tensor | None = None,
    distance: DistanceName = "euclidean",
) -> Pairs:
    """The pairs of a batch, to call a miner by itself.

    `embeddings` (B, D) with `labels` (B,) or `relations` (B, B); or against `reference` (C, D) with `relations` (B, C).

    Raises:
        InputError: shapes do not fit, or not exactly one of labels and relations was given.
    """
    same, different = resolve_masks(embeddings, labels, relations, reference)
    distances = pairwise(embeddings, reference, distance=distance)
    return Pairs(distances, same, different, distance, embeddings.shape[1])


def all_columns(pairs: Pairs) -> Tensor:
    """(B, C) int64: every column as its own positive, without memory of its own."""
    rows, columns = pairs.same.shape
    return torch.arange(columns, device=pairs.same.device).expand(rows, columns)


def farthest(pairs: Pairs, mask: Tensor) -> tuple[Tensor, Tensor]:
    """(B, C) mask -> (B,) largest distance in it (-inf where it is empty) and its column."""
    found = torch.where(mask, pairs.distances, float("-inf")).max(dim=1)
    return found.values, found.indices


def nearest(pairs: Pairs, mask: Tensor) -> tuple[Tensor, Tensor]:
    """(B, C) mask -> (B,) smallest distance in it (inf where it is empty) and its column."""
    found = torch.where(mask, pairs.distances, float("inf")).min(dim=1)
    return found.values, found.indices


def one_each(pairs: Pairs, positive: Tensor, negative: Tensor, allowed: Tensor | None = None) -> Triplets:
    """(B,) columns -> one triplet for each anchor, void where a column is not what it was chosen for.

    `allowed` (B, C): the negatives that could be chosen; all, by default.
    """
    positive, negative = positive[:, None], negative[:, None]  # (B, 1)
    valid = pairs.same.gather(1, positive) & (pairs.different if allowed is None else allowed).gather(1, negative)
    return Triplets(positive, negative, valid)

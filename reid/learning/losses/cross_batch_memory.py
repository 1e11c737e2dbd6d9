"""Embeddings of earlier batches as further positives and negatives."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from reid.errors import InputError
from reid.learning.relations import UNKNOWN, relations_between, relations_from_labels


class ReferenceLoss(Protocol):
    """A loss that compares a batch with other rows, as TripletLoss and the mean triplet or contrastive loss do."""

    def __call__(self, embeddings: Tensor, labels: None = None, *, relations: Tensor, reference: Tensor) -> Tensor:
        """(B, D), (B, C) relations and (C, D) -> 0-d."""
        ...


class CrossBatchMemory(nn.Module):
    """A ring of the latest embeddings, without gradient, that every batch is compared with beside itself.

    Embeddings drift slowly once training has settled, so that those of some batches ago still serve. Start it after
    some hundred steps. Its content is part of `state_dict()`.

    Args:
        loss: What compares; anything that takes `relations` and `reference`.
        dimension: D of the embeddings.
        size: How many rows it keeps; at least as many as a batch.

    Source: Wang, Zhang, Huang, Scott 2020, "Cross-Batch Memory for Embedding Learning".

    Raises:
        InputError: a size is not at least 1.
    """

    embeddings: Tensor
    keys: Tensor
    filled: Tensor
    cursor: Tensor

    def __init__(self, loss: ReferenceLoss, *, dimension: int, size: int = 1024) -> None:
        if dimension < 1 or size < 1:
            raise InputError(f"dimension and size must be at least 1, got {dimension} and {size}")
        super().__init__()
        self.loss = loss
        self.register_buffer("embeddings", torch.zeros(size, dimension))
        self.register_buffer("keys", torch.zeros(size, dtype=torch.int64))
        self.register_buffer("filled", torch.zeros(size, dtype=torch.bool))
        self.register_buffer("cursor", torch.zeros((), dtype=torch.int64))

    def forward(
        self,
        embeddings: Tensor,
        labels: Tensor | None = None,
        *,
        relations: Tensor | None = None,
        keys: Tensor | None = None,
    ) -> Tensor:
        """The loss of a batch against itself and the memory, which then takes the batch in; 0-d.

        `embeddings` (B, D) with `labels` (B,); or with `relations` (B, B + size), whose first B columns are the batch
        and the others the memory's slots, and `keys` (B,) int64, numbers to know the rows by: the attributes `keys` and
        `filled` say what is in which slot. Slots that are still empty are unknown in any case.

        Raises:
            InputError: shapes do not fit, or neither labels alone nor relations with keys were given.
        """
        size = len(self.keys)
        if embeddings.ndim != 2 or embeddings.shape[1] != self.embeddings.shape[1] or len(embeddings) > size:
            expected = f"(B, {self.embeddings.shape[1]}) of at most {size} rows"
            raise InputError(f"embeddings must be {expected}, got {tuple(embeddings.shape)}")
        if (labels is None) == (relations is None) or (relations is None) != (keys is None):
            raise InputError("give labels alone, or relations together with keys")
        if labels is not None:
            keys = labels
            relations = torch.cat((relations_from_labels(labels), relations_between(labels, self.keys)), dim=1)
        assert relations is not None, "given, or made from labels"
        assert keys is not None, "given, or the labels"
        batch = len(embeddings)
        if relations.shape != (batch, batch + size) or keys.shape != (batch,):
            shapes = f"{tuple(relations.shape)} and {tuple(keys.shape)}"
            raise InputError(f"relations must be ({batch}, {batch + size}) and keys ({batch},), got {shapes}")
        loss = self.loss(
            embeddings,
            relations=self._known(relations.to(torch.int8)),
            reference=torch.cat((embeddings, self.embeddings.to(embeddings.dtype)), dim=0),
        )
        self._keep(embeddings.detach(), keys)
        return loss

    @torch.no_grad()
    def clear(self) -> None:
        """Forget everything, as after a change of the network that is not a step."""
        self.filled.fill_(False)
        self.cursor.zero_()

    def _known(self, relations: Tensor) -> Tensor:
        """(B, B + size) relations with the batch's own diagonal and the empty slots unknown."""
        batch = len(relations)
        own = torch.eye(batch, dtype=torch.bool, device=relations.device)  # (B, B)
        hidden = torch.cat((own, (~self.filled).expand(batch, -1)), dim=1)  # (B, B + size)
        return relations.masked_fill(hidden, UNKNOWN)

    @torch.no_grad()
    def _keep(self, embeddings: Tensor, keys: Tensor) -> None:
        """Put a batch in place of the oldest rows."""
        slots = (self.cursor + torch.arange(len(keys), device=keys.device)) % len(self.keys)  # (B,)
        # new tensors, not changed ones: the graph of this step still needs the old ones
        self.embeddings = self.embeddings.index_copy(0, slots, embeddings.to(self.embeddings.dtype))
        self.keys = self.keys.index_copy(0, slots, keys.to(self.keys.dtype))
        self.filled = self.filled.index_fill(0, slots, True)
        self.cursor = (self.cursor + len(keys)) % len(self.keys)

"""Learning from another embedder: whom it finds alike should be alike here too."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from reid.errors import InputError
from reid.learning.distances import at_least_float32
from reid.learning.losses.margins import not_a_number_of


def relational_distillation_loss(embeddings: Tensor, teacher: Tensor) -> Tensor:
    """Mean over the pairs of a batch of (cosine here - cosine of the teacher's vectors)^2; 0-d, in at least float32.

    `embeddings` (B, D) and `teacher` (B, E) of the same crops, of any length and of any dimensions: only how crops
    relate is learned, so that the two spaces need have nothing in common. Rows of the teacher that are not finite are
    those of which it says nothing: their pairs are left out. Zero with a gradient path where no pair is left.

    Source: Park, Kim, Lu, Cho 2019, "Relational Knowledge Distillation", eq. 3, and Tung, Mori 2019,
    "Similarity-Preserving Knowledge Distillation", eq. 4: there distances, and products of which each row has unit
    length; here cosines, which mean the same in every batch.

    Raises:
        InputError: shapes or kinds do not fit.
    """
    if embeddings.ndim != 2 or teacher.ndim != 2 or len(embeddings) != len(teacher):
        shapes = f"{tuple(embeddings.shape)} and {tuple(teacher.shape)}"
        raise InputError(f"embeddings must be (B, D) and the teacher's vectors (B, E) of the same crops, got {shapes}")
    with torch.autocast(embeddings.device.type, enabled=False):
        wanted = at_least_float32(teacher.detach())
        known = wanted.isfinite().all(dim=1)  # (B,)
        pairs = known[:, None] & known[None, :]  # (B, B)
        pairs = pairs & ~torch.eye(len(pairs), dtype=torch.bool, device=pairs.device)
        wanted = torch.where(known[:, None], wanted, 0.0)  # a NaN times 0 would be one still
        difference = _cosines(at_least_float32(embeddings)) - _cosines(wanted)  # (B, B)
        squares = torch.where(pairs, difference, 0.0).square()
        return squares.sum() / pairs.sum().clamp_min(1) + not_a_number_of(embeddings)


def _cosines(rows: Tensor) -> Tensor:
    """(B, D) -> (B, B)."""
    unit = functional.normalize(rows, dim=1)
    return unit @ unit.T

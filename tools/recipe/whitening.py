"""A linear layer after everything, which counts less what differs between crops of one identity."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from reid.learning.embedding import EmbeddingModel


class Whitened(nn.Module):
    """An embedding model, a linear map, unit length again."""

    turn: Tensor

    def __init__(self, model: EmbeddingModel, matrix: NDArray[np.float64]) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("turn", torch.from_numpy(matrix.astype(np.float32)))

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, h, w, 3) uint8 BGR -> (B, D) of unit length."""
        return functional.normalize(self.model(pixels) @ self.turn, dim=1)


def within_class_whitening(
    vectors: NDArray[np.float64], identity: NDArray[np.int64], ridge: float, kept: int
) -> NDArray[np.float64]:
    """(D, kept) the map that makes the scatter within identities round, as far as `ridge` lets it.

    The scatter is regularised by `ridge` times its mean eigenvalue. Of the mapped space the `kept` directions with most
    second moment stay: cosines change least so.

    Source: Hatch, Kajarekar, Stolcke 2006, "Within-class covariance normalization for SVM-based speaker recognition".
    """
    _, row = np.unique(identity, return_inverse=True)
    count = np.bincount(row)
    mean = np.stack([np.bincount(row, weights=column) for column in vectors.T], axis=1) / count[:, None]  # (I, D)
    rest = vectors - mean[row]
    values, axes = np.linalg.eigh(rest.T @ rest / len(rest))
    root = axes @ np.diag((values + ridge * values.mean()) ** -0.5) @ axes.T  # (D, D)
    mapped = vectors @ root
    mapped /= np.linalg.norm(mapped, axis=1, keepdims=True)
    _, directions = np.linalg.eigh(mapped.T @ mapped)  # ascending
    return np.asarray(root @ directions[:, ::-1][:, :kept], np.float64)

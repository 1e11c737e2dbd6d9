"""Whether a model file can serve at all: it opens, and tells pictures apart that nobody would take for one another."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reid.embedder import Embedder
from reid.errors import ModelError

PICTURES = 8
COLLAPSED = 0.9999
"""Cosine of the vectors of two different pictures from which on a model makes no difference of them.

The most alike pair of `smoke_pictures` has .77 with the shipped embedder, and .85 to .90 with four others."""
UNIT_TOLERANCE = 1e-3


def smoke_pictures() -> list[NDArray[np.uint8]]:
    """PICTURES crops (128, 64, 3) of coarse coloured patches, always the same ones."""
    rng = np.random.default_rng(20)
    coarse = rng.integers(0, 256, (PICTURES, 6, 3, 3), np.uint8)
    return [np.asarray(cv2.resize(each, (64, 128), interpolation=cv2.INTER_LINEAR), np.uint8) for each in coarse]


def open_checked(path: Path, *, device: str = "cpu", threads: int | None = None) -> Embedder:
    """Open a model and embed `smoke_pictures`.

    Args:
        path: an ONNX file.
        device: where it runs, see `reid.Embedder`.
        threads: of the CPU that it may use; None: all.

    Raises:
        ModelError: it cannot be opened, its card does not fit, or its vectors are not finite, not of unit length, or
            the same for different pictures.
        DeviceError: the device cannot be used.
        MissingExtraError: onnxruntime is not installed.
    """
    embedder = Embedder(path, device=device, threads=threads)
    vectors = embedder.crops(smoke_pictures()).astype(np.float64)  # (PICTURES, D)
    norms = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))
    if not (np.abs(norms - 1) <= UNIT_TOLERANCE).all():  # also catches NaN
        raise ModelError(f"model {path} must give finite vectors of unit length, got lengths {norms.tolist()}")
    alike = vectors @ vectors.T
    np.fill_diagonal(alike, -1)
    if alike.max() > COLLAPSED:
        # what the embedder cannot use at all it replaces by one and the same vector, so that this finds it too
        raise ModelError(
            f"model {path} gives different pictures the same vector (cosine {alike.max():.6f}): it has collapsed, or "
            "its output is not finite"
        )
    return embedder

"""Vectors of another embedder for the crops that are trained on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from reid.data import Crops
from reid.embedder import Embedder

Teacher: TypeAlias = Callable[[NDArray[np.int64]], NDArray[np.float32]]
"""(n,) rows of the crops that are trained on -> (n, E) vectors; of rows that it says nothing of, NaN.

Is asked by one thread, which reads batches ahead."""


class EmbedderTeacher:
    """An ONNX embedder that sees each crop once, as it is stored, when it is first drawn; then it is remembered.

    So the pupil, which sees the crop changed by augmentation, learns that this changes nothing. What is remembered is
    rounded to float16, in N * E * 2 bytes.

    Args:
        model: the ONNX file, or `default`.
        crops: what is trained on.
        threads: of its arithmetic; None for the runtime's own choice.

    Raises:
        ModelError: it is no embedder.
    """

    def __init__(self, model: str | Path, crops: Crops, *, threads: int | None = None) -> None:
        self._embedder = Embedder(model, device="cpu", threads=threads)
        # at its size and once each; the pupil's cache would empty itself for every other size that it is asked for
        self._crops = crops.subset(np.arange(len(crops)), cache_mb=0)
        card = self._embedder.card
        self._form = (card.height_px, card.width_px, card.resize)
        self._vectors = np.zeros((len(crops), card.dimension), np.float16)
        self._seen = np.zeros(len(crops), np.bool_)

    def __call__(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n,) rows of the crops -> (n, E) vectors of unit length.

        Raises:
            DataError: a picture cannot be read.
        """
        new = np.unique(rows[~self._seen[rows]])
        if len(new):
            self._vectors[new] = self._embedder.crops(self._crops.pixels(new, *self._form))
            self._seen[new] = True
        return self._vectors[rows].astype(np.float32)

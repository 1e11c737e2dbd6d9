"""The vectors of a frame and what their similarity is worth."""

from __future__ import annotations

import numpy as np

from tracker.association.calibration import StreamCalibration
from tracker.association.evidence import cosine
from tracker.errors import InputError
from tracker.types import (
    UNIT_NORM_TOLERANCE,
    AppearanceInfo,
    BoolArray,
    Detections,
    DoubleArray,
    EmbedRows,
    FloatArray,
    IntArray,
)


class AppearanceModel:
    """Collects the embeddings of a frame, checks them, and turns cosines into evidence.

    Evidence comes from the embedder's own calibration where it has one, else from `StreamCalibration`.
    """

    def __init__(self, info: AppearanceInfo | None) -> None:
        self.dimension: int | None = None if info is None else info.dimension
        """D of the vectors; None until known."""
        self._card = None if info is None else info.calibration
        self._stream = StreamCalibration()

    def collect(
        self, detections: Detections, wanted: IntArray, embed: EmbedRows | None
    ) -> tuple[FloatArray, BoolArray]:
        """All vectors (N, D) and which rows have one (N,), asking `embed` for the wanted rows that lack one."""
        n = len(detections)
        vectors, has = detections.embeddings, detections.has_embedding
        if vectors is not None and n:
            self._check_dimension(vectors.shape[1])
        missing = wanted[~has[wanted]]
        if embed is not None and len(missing):
            fresh = self._check_fresh(embed(missing), missing)
            full = np.zeros((n, fresh.shape[1]), np.float32)
            if vectors is not None:
                full[has] = vectors[has]
            full[missing] = fresh
            has = has.copy()
            has[missing] = True
            return full, has
        if vectors is None or not n:
            return np.zeros((n, self.dimension or 0), np.float32), np.zeros(n, bool)
        return vectors, has

    def fit(self, mean: DoubleArray) -> DoubleArray:
        """The tracks' mean vectors (T, D'), zeros of dimension D where none was known before (D' = 0)."""
        if self.dimension is None or mean.shape[1] == self.dimension:
            return mean
        return np.zeros((len(mean), self.dimension))

    def evidence(self, similarity: DoubleArray, gap_s: DoubleArray) -> DoubleArray:
        """Log-likelihood ratio (n,) of cosines (n,) with tracks not seen for `gap_s` (n,)."""
        if self._card is not None:
            return self._card.log_likelihood_ratio(similarity)
        return self._stream.log_likelihood_ratio(similarity, gap_s)

    def observe(self, same: DoubleArray, apart: FloatArray) -> None:
        """Learn from cosines of sure matches (n,) and from vectors (m, D) of objects seen apart in one frame."""
        if self._card is not None:
            return
        self._stream.observe_same(same)
        if len(apart) > 1:
            self._stream.observe_different(cosine(apart[1:], apart[:-1]))

    def _check_dimension(self, dimension: int) -> None:
        if self.dimension is None:
            self.dimension = dimension
        if dimension != self.dimension:
            raise InputError(
                f"embeddings must have {self.dimension} dimensions like the embedder's, got {dimension}: "
                "vectors of two models must not be compared; reset() the tracker to change the model"
            )

    def _check_fresh(self, fresh: FloatArray, rows: IntArray) -> FloatArray:
        array = np.asarray(fresh, np.float32)
        if array.ndim != 2 or len(array) != len(rows):
            raise InputError(f"embed(rows) must return ({len(rows)}, D) for {len(rows)} rows, got {array.shape}")
        self._check_dimension(array.shape[1])
        norm = np.sqrt(np.einsum("nd,nd->n", array, array))
        bad = ~(np.abs(norm - 1) <= UNIT_NORM_TOLERANCE)  # also catches NaN
        if bad.any():
            row = int(rows[np.flatnonzero(bad)[0]])
            raise InputError(f"embed(rows) must return vectors of unit length, row {row} has {norm[bad][0]:.3g}")
        return array

"""Answers a tracker that asks for embeddings of some detections of a frame, and keeps the answers."""

from __future__ import annotations

import numpy as np

from tracker.types import Detections, EmbedRows, FloatArray, IntArray


class EmbeddingsOnRequest:
    """Given as `embed` to `Tracker.update`, for one frame.

    Args:
        detections: of this frame.
        embed: gives vectors of its rows.
    """

    def __init__(self, detections: Detections, embed: EmbedRows) -> None:
        self._given, self._embed = detections, embed
        self._answers: list[tuple[IntArray, FloatArray]] = []

    def __call__(self, rows: IntArray) -> FloatArray:
        """Rows of the detections (n,) -> (n, D)."""
        vectors = self._embed(rows)
        self._answers.append((rows, vectors))
        return vectors

    @property
    def detections(self) -> Detections:
        """The detections, with the vectors that were asked for."""
        if not self._answers:
            return self._given
        given = self._given
        vectors = np.zeros((len(given), self._answers[0][1].shape[1]), np.float32)
        has = given.has_embedding.copy()
        if given.embeddings is not None:
            vectors[has] = given.embeddings[has]
        for rows, answer in self._answers:
            vectors[rows], has[rows] = answer, True
        return Detections(given.boxes, given.scores, given.classes, vectors, has, given.frame_size)

"""What shows, without any labels, whether an embedder serves: read off the results of a run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracker.arrays import find
from tracker.association.evidence import shows_object
from tracker.types import DoubleArray, FloatArray, FrameResult, IntArray

_MEMORY_S = 5.0
"""How long somebody who is not seen is still compared with."""
_SHARE = np.float32(0.2)
"""Of a new crop in what somebody looks like."""


@dataclass(frozen=True, slots=True, eq=False)
class Conduct:
    """One frame."""

    objects: int
    """How many objects were seen."""
    births: int
    """How many got a number for the first time."""
    breaks: int
    """How many tracks began, under whatever number, and how many were corrected: the more, the oftener tracks broke."""
    margins: DoubleArray
    """(n,) of the crops that were embedded: the share of others, seen of late, who look less like the crop than its own
    track does, 0..1. Such a share means the same with every embedder."""


class ConductMeter:
    """Reads it off, one result after the other."""

    def __init__(self) -> None:
        self._forget(None, 0)

    def update(self, result: FrameResult) -> Conduct:
        """What one frame showed."""
        tracks = result.tracks
        kinds = [event.kind for event in tracks.events]
        births = kinds.count("born")
        breaks = births + sum(kinds.count(kind) for kind in ("recovered", "recalled", "corrected"))
        margins = np.zeros(0)
        vectors = result.detections.embeddings
        if vectors is not None and len(tracks):
            if (result.model_hash, vectors.shape[1]) != (self._model, self._means.shape[1]):
                self._forget(result.model_hash, vectors.shape[1])  # vectors of two models are never compared
            fit = result.detections.has_embedding & shows_object(result.detections)  # (N,)
            rows = np.flatnonzero(tracks.detections >= 0)
            rows = rows[fit[tracks.detections[rows]]]
            margins = self._look(tracks.ids[rows], vectors[tracks.detections[rows]], result.frame.time_s)
        return Conduct(int(np.count_nonzero(tracks.detections >= 0)), births, breaks, margins)

    def _forget(self, model: str | None, dimension: int) -> None:
        self._model = model
        self._ids: IntArray = np.zeros(0, np.int64)
        self._means: FloatArray = np.zeros((0, dimension), np.float32)
        self._seen_s: DoubleArray = np.zeros(0)

    def _look(self, ids: IntArray, crops: FloatArray, now: float) -> DoubleArray:
        """Margins of crops (n, D) of those who were seen before, of whom there must be two; then learn from all."""
        recent = np.abs(now - self._seen_s) <= _MEMORY_S
        self._ids, self._means, self._seen_s = self._ids[recent], self._means[recent], self._seen_s[recent]
        own, known = find(ids, self._ids)  # (n,) rows of the means
        margins = np.zeros(0)
        if len(self._ids) > 1 and known.any():
            alike = crops[known] @ self._means.T  # (m, K)
            mine = alike[np.arange(len(alike)), own[known], None]
            margins = (alike < mine).sum(axis=1) / (len(self._ids) - 1)
        rows = own[known]
        mixed = self._means[rows] + _SHARE * (crops[known] - self._means[rows])
        self._means[rows] = mixed / np.maximum(np.linalg.norm(mixed, axis=1, keepdims=True), 1e-6)
        self._seen_s[rows] = now
        self._ids = np.concatenate((self._ids, ids[~known]))
        self._means = np.concatenate((self._means, crops[~known]))
        self._seen_s = np.concatenate((self._seen_s, np.full(int((~known).sum()), now)))
        return np.asarray(margins, np.float64)

"""Identity F1 of many objects, counted frame by frame: TrackEval keeps every frame's similarities, which do not fit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from tracker.boxes import iou

_MATCH_IOU = 0.5


class Counts:
    """How often each true identity and each reported one overlap (Ristani 2016)."""

    def __init__(self) -> None:
        self._pairs: list[NDArray[np.int64]] = []  # (P, 2) of each frame
        self._true = 0
        self._reported = 0

    def add(
        self,
        true: NDArray[np.int64],
        true_boxes: NDArray[np.float32],
        ids: NDArray[np.int64],
        boxes: NDArray[np.float64],
    ) -> None:
        """One frame: identities (N,) at boxes (N, 4), and what a tracker said: (M,) at (M, 4)."""
        self._true += len(true)
        self._reported += len(ids)
        if len(true) and len(ids):
            rows, columns = np.nonzero(iou(true_boxes.astype(float), boxes) >= _MATCH_IOU)
            self._pairs.append(np.c_[true[rows], ids[columns]].astype(np.int64))

    @property
    def idf1(self) -> float:
        """2 IDTP / (true boxes + reported boxes), with identities matched one to one for the most IDTP."""
        if not self._pairs or not self._reported:
            return 0.0
        pairs, counts = np.unique(np.concatenate(self._pairs), axis=0, return_counts=True)
        (true, row), (ids, column) = (np.unique(pairs[:, k], return_inverse=True) for k in (0, 1))
        table = np.zeros((len(true), len(ids)))
        table[row, column] = counts
        hits = table[linear_sum_assignment(-table)].sum()
        return float(2 * hits / (self._true + self._reported))

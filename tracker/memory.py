"""Identities that left: a bounded gallery of mean appearances from which a newcomer may be recalled."""

from __future__ import annotations

import numpy as np

from tracker.types import DoubleArray, IntArray


class IdentityMemory:
    """At most `size` identities, each for at most `age_s` seconds; the longest gone is forgotten first."""

    def __init__(self, size: int, age_s: float) -> None:
        self._size, self._age_s = size, age_s
        self.ids: IntArray = np.zeros(0, np.int64)
        """(G,) numbers of the identities."""
        self.vectors: DoubleArray = np.zeros((0, 0))
        """(G, D) unit vectors."""
        self.time_left_s: DoubleArray = np.zeros(0)
        """(G,) when each was last seen."""

    def __len__(self) -> int:
        return len(self.ids)

    def add(self, ids: IntArray, vectors: DoubleArray, time_left_s: DoubleArray) -> None:
        """Remember identities, (n,), (n, D), (n,)."""
        if not len(ids) or not self._size:
            return
        known = self.vectors if len(self) else np.zeros((0, vectors.shape[1]))
        self.ids = np.concatenate((self.ids, ids))[-self._size :]
        self.vectors = np.concatenate((known, vectors))[-self._size :]
        self.time_left_s = np.concatenate((self.time_left_s, time_left_s))[-self._size :]

    def forget_old(self, now_s: float) -> None:
        """Drop identities that left longer ago than the memory's age."""
        keep = now_s - self.time_left_s <= self._age_s
        if not keep.all():
            self._select(keep)

    def take(self, ids: IntArray) -> None:
        """Remove identities that came back."""
        self._select(~np.isin(self.ids, ids))

    def _select(self, keep: np.ndarray) -> None:
        self.ids, self.vectors, self.time_left_s = self.ids[keep], self.vectors[keep], self.time_left_s[keep]

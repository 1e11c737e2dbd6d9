"""Identities that left: a bounded gallery of mean appearances from which a newcomer may be recalled."""

from __future__ import annotations

import numpy as np

from tracker.arrays import among, find, some
from tracker.types import BoolArray, DoubleArray, FloatArray, IntArray


class IdentityMemory:
    """At most `size` identities, each for at most `age_s` seconds; who came in first is forgotten first."""

    def __init__(self, size: int, age_s: float) -> None:
        self._size, self._age_s = size, age_s
        self.ids: IntArray = np.zeros(0, np.int64)
        """(G,) numbers of the identities."""
        self.means: FloatArray = np.zeros((0, 0), np.float32)
        """(G, D) unit vectors."""
        self.vectors: DoubleArray = np.zeros(0)
        """(G,) how many vectors made each mean."""
        self.seen_s: DoubleArray = np.zeros(0)
        """(G,) when each was last seen."""
        self._oldest_s = np.inf  # nobody was seen last before

    def __len__(self) -> int:
        return len(self.ids)

    def put(self, ids: IntArray, means: FloatArray, vectors: DoubleArray, seen_s: DoubleArray) -> None:
        """Remember identities, (n,), (n, D), (n,), (n,); one that is known already is written anew."""
        if not len(ids) or not self._size:
            return
        self.take(ids)
        known = self.means if len(self) else means[:0]
        self.ids = np.concatenate((self.ids, ids))[-self._size :]
        self.means = np.concatenate((known, means))[-self._size :]
        self.vectors = np.concatenate((self.vectors, vectors))[-self._size :]
        self.seen_s = np.concatenate((self.seen_s, seen_s))[-self._size :]
        self._oldest_s = min(self._oldest_s, float(seen_s.min()))

    def knows(self, ids: IntArray) -> BoolArray:
        """Which of these numbers are known (n,)."""
        return among(ids, self.ids)

    def look_up(self, ids: IntArray) -> tuple[BoolArray, FloatArray, DoubleArray]:
        """Which of these numbers are known (n,), their means (n, D) and how many vectors made them (n,)."""
        if not len(self):
            return np.zeros(len(ids), bool), np.zeros((len(ids), self.means.shape[1]), np.float32), np.zeros(len(ids))
        place, known = find(ids, self.ids)
        return known, self.means[place], self.vectors[place]

    def take(self, ids: IntArray) -> None:
        """Remove identities."""
        known = among(self.ids, ids)
        if some(known):
            self._select(~known)

    def seen_anew(self, means: FloatArray, vectors: DoubleArray) -> IdentityMemory:
        """The same identities by other mean vectors (G, D), each made of so many (G,); those with none are left out."""
        memory = IdentityMemory(self._size, self._age_s)
        known = vectors > 0
        memory.ids, memory.means = self.ids[known], means[known]
        memory.vectors, memory.seen_s = vectors[known], self.seen_s[known]
        memory._oldest_s = self._oldest_s
        return memory

    def forget_old(self, now_s: float) -> None:
        """Drop identities that left longer ago than the memory's age."""
        if len(self) and now_s - self._oldest_s > self._age_s:
            self._select(now_s - self.seen_s <= self._age_s)
            self._oldest_s = float(self.seen_s.min(initial=np.inf))

    def _select(self, keep: BoolArray) -> None:
        self.ids, self.means = self.ids[keep], self.means[keep]
        self.vectors, self.seen_s = self.vectors[keep], self.seen_s[keep]

"""Identities that left: a bounded gallery of mean appearances from which a newcomer may be recalled."""

from __future__ import annotations

import numpy as np

from tracker.types import BoolArray, DoubleArray, IntArray


class IdentityMemory:
    """At most `size` identities, each for at most `age_s` seconds; the longest gone is forgotten first."""

    def __init__(self, size: int, age_s: float) -> None:
        self._size, self._age_s = size, age_s
        self.ids: IntArray = np.zeros(0, np.int64)
        """(G,) numbers of the identities."""
        self.means: DoubleArray = np.zeros((0, 0))
        """(G, D) unit vectors."""
        self.vectors: DoubleArray = np.zeros(0)
        """(G,) how many vectors made each mean."""
        self.seen_s: DoubleArray = np.zeros(0)
        """(G,) when each was last seen."""

    def __len__(self) -> int:
        return len(self.ids)

    def put(self, ids: IntArray, means: DoubleArray, vectors: DoubleArray, seen_s: DoubleArray) -> None:
        """Remember identities, (n,), (n, D), (n,), (n,); one that is known already is written anew."""
        if not len(ids) or not self._size:
            return
        self.take(ids)
        known = self.means if len(self) else np.zeros((0, means.shape[1]))
        self.ids = np.concatenate((self.ids, ids))[-self._size :]
        self.means = np.concatenate((known, means))[-self._size :]
        self.vectors = np.concatenate((self.vectors, vectors))[-self._size :]
        self.seen_s = np.concatenate((self.seen_s, seen_s))[-self._size :]

    def look_up(self, ids: IntArray) -> tuple[BoolArray, DoubleArray, DoubleArray]:
        """Which of these numbers are known (n,), their means (n, D) and how many vectors made them (n,)."""
        known = np.isin(ids, self.ids)
        place = np.zeros(len(ids), np.int64)
        place[known] = [int(np.flatnonzero(self.ids == number)[0]) for number in ids[known].tolist()]
        if not len(self):
            return known, np.zeros((len(ids), self.means.shape[1])), np.zeros(len(ids))
        return known, self.means[place], self.vectors[place]

    def take(self, ids: IntArray) -> None:
        """Remove identities."""
        self._select(~np.isin(self.ids, ids))

    def forget_old(self, now_s: float) -> None:
        """Drop identities that left longer ago than the memory's age."""
        keep = now_s - self.seen_s <= self._age_s
        if not keep.all():
            self._select(keep)

    def _select(self, keep: BoolArray) -> None:
        self.ids, self.means = self.ids[keep], self.means[keep]
        self.vectors, self.seen_s = self.vectors[keep], self.seen_s[keep]

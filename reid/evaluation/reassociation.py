"""Re-association: is an object found again a given time later, among all that are there then?

What a tracker asks of an embedder after an occlusion. Of a crop of object a at time t, and a delay d: the candidates
are the objects of the same group that are present at t + d, each by the one crop nearest to that moment, within a
window. It counts where a is among them with at least one other; it is right where a's cosine is above all others'.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reid.evaluation.bootstrap import Estimate, Resampling
from reid.evaluation.protocol import Unknown
from reid.evaluation.sightings import Sightings
from reid.evaluation.similarity import on_grid

_PAIRS_AT_ONCE = 2**14  # of a query and a candidate; vectors of both are gathered
_TIME_TOLERANCE_S = 1e-6  # frame times are sums of floats


@dataclass(frozen=True, slots=True)
class Reassociation:
    """How well objects are found again after one delay."""

    later_s: float
    """The delay in seconds."""
    rank_1: Estimate
    """Share of the queries whose object was nearest."""
    chance: float
    """What guessing would get: the mean of 1 / candidates."""
    queries: int
    """Crops whose object was there at that time, among others."""
    candidates: float
    """Objects to choose from, on average."""


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Pairs of a query and an object that is present later, sorted by query; all arrays are (pairs,)."""

    query: NDArray[np.int64]
    crop: NDArray[np.int64]

    def known(self, unknown: Unknown) -> _Candidates:
        """Those of which it is known whether they are the query's object."""
        queries, row = np.unique(self.query, return_inverse=True)
        crops, column = np.unique(self.crop, return_inverse=True)
        keep = ~unknown(queries, crops)[row, column]
        return _Candidates(self.query[keep], self.crop[keep])


def reassociation(
    vectors: NDArray[np.float32],
    sightings: Sightings,
    later_s: float,
    window_s: float,
    person: NDArray[np.int64],
    resampling: Resampling,
    unknown: Unknown | None = None,
) -> Reassociation | None:
    """One delay; None where no object is seen that much later among others.

    `vectors` (N, D) of unit length, `person` (N,) the number of each identity in `resampling`. Distractors and crops
    without a time or a group are left out, and so are candidates of which nobody knows whether they are the query's
    object (`unknown`).
    """
    usable = (sightings.identity >= 0) & ~np.isnan(sightings.time_s) & (sightings.group >= 0)
    clock = _Clock(sightings, np.flatnonzero(usable))
    queries: list[NDArray[np.int64]] = []
    right: list[NDArray[np.bool_]] = []
    sizes: list[NDArray[np.int64]] = []
    for found in clock.candidates(later_s, window_s):
        if unknown is not None:
            found = found.known(unknown)
        cosine = on_grid(np.einsum("pd,pd->p", vectors[found.query], vectors[found.crop]))  # (pairs,)
        chosen, success, size = _decide(found, cosine, sightings.identity)
        queries.append(chosen)
        right.append(success)
        sizes.append(size)
    query = np.concatenate(queries) if queries else np.zeros(0, np.int64)
    if not len(query):
        return None
    size_all = np.concatenate(sizes)  # (Q,)
    rank_1 = resampling.mean(np.concatenate(right).astype(np.float64), person[query])
    return Reassociation(later_s, rank_1, float((1 / size_all).mean()), len(query), float(size_all.mean()))


class _Clock:
    """Crops in order of group and time."""

    def __init__(self, sightings: Sightings, rows: NDArray[np.int64]) -> None:
        order = np.lexsort((sightings.time_s[rows], sightings.group[rows]))
        self.rows = rows[order]  # (n,)
        self.time_s = sightings.time_s[self.rows]  # (n,)
        self.identity = sightings.identity[self.rows]  # (n,)
        group = sightings.group[self.rows]
        change = np.flatnonzero(np.diff(group)) + 1
        self.spans = list(zip(np.r_[0, change].tolist(), np.r_[change, len(group)].tolist(), strict=True))

    def candidates(self, later_s: float, window_s: float) -> Iterator[_Candidates]:
        """In parts of about `_PAIRS_AT_ONCE` pairs: who is present that much later, each object once."""
        for start, stop in self.spans:
            time_s = self.time_s[start:stop]
            slack = window_s + _TIME_TOLERANCE_S
            low = np.searchsorted(time_s, time_s + later_s - slack, "left")  # (n,)
            high = np.searchsorted(time_s, time_s + later_s + slack, "right")
            ends = np.cumsum(high - low)
            cuts = np.searchsorted(ends, np.arange(_PAIRS_AT_ONCE, ends[-1] if len(ends) else 0, _PAIRS_AT_ONCE))
            for part in np.split(np.arange(stop - start), cuts + 1):
                if len(part) and (high[part] > low[part]).any():
                    yield self._nearest(start, part, low[part], high[part], later_s)

    def _nearest(
        self, start: int, part: NDArray[np.int64], low: NDArray[np.int64], high: NDArray[np.int64], later_s: float
    ) -> _Candidates:
        """Of each query's crops `low`..`high`, the one of each object that is nearest to the moment."""
        length = high - low  # (queries,)
        query = np.repeat(part, length) + start  # (pairs,) places in `rows`
        within = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
        crop = np.repeat(low, length) + within + start  # (pairs,)
        # rounded, so that a crop as much before the moment as another is after it ties: then the earlier one counts
        off_s = np.abs(self.time_s[crop] - self.time_s[query] - later_s)
        off = np.rint(off_s / _TIME_TOLERANCE_S).astype(np.int64)
        order = np.lexsort((crop, off, self.identity[crop], query))
        query, crop = query[order], crop[order]
        who = self.identity[crop]
        first = np.ones(len(query), np.bool_)
        first[1:] = (query[1:] != query[:-1]) | (who[1:] != who[:-1])
        return _Candidates(self.rows[query[first]], self.rows[crop[first]])


def _decide(
    found: _Candidates, cosine: NDArray[np.float32], identity: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64]]:
    """The queries that count (Q,), which are right, and how many candidates each has."""
    if not len(found.query):
        return found.query, np.zeros(0, np.bool_), found.query
    begins = np.flatnonzero(np.r_[True, found.query[1:] != found.query[:-1]])
    size = np.diff(np.r_[begins, len(found.query)])  # (queries,)
    own = identity[found.crop] == identity[found.query]  # (pairs,) at most one a query
    mine = np.maximum.reduceat(np.where(own, cosine, -np.inf), begins)  # (queries,)
    others = np.maximum.reduceat(np.where(own, -np.inf, cosine), begins)
    counts = np.isfinite(mine) & np.isfinite(others)
    return found.query[begins][counts], (mine > others)[counts], size[counts]

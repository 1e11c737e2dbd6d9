"""Cuts tracklets once more, by what their crops look like: where one shows two objects, and where a crop shows another.

A tracklet was cut where its boxes gave reason to doubt (`reid.tracklets`). What is left over are tracks that went over
to somebody else without a sign of it. Crops tell, if the embedder tells objects apart at all; how well it does is
measured on the tracklets themselves, so that nothing here is a cosine of one embedder:

- the *gap* between two groups of crops is the mean cosine within each, less the mean cosine between them;
- two tracklets that were seen at one moment are two objects: their gaps say what two objects look like;
- most tracklets show one object: the gap between the two groups that each falls into best says what one looks like.

A tracklet whose gap is nearer to the first than to the second is cut wherever it goes over from one group to the other,
as often as it does: tracks that went over to somebody else come back. Of one that alternates, no piece is long enough.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reid.checks import check_number, check_whole

_MOST_PAIRS = 2000  # of tracklets seen together, to measure what two objects look like


@dataclass(frozen=True, slots=True)
class PurityConfig:
    """How sure a piece must be."""

    enabled: bool = True
    """Whether crops are looked at; otherwise tracklets stay as the tracker left them."""
    least_crops: int = 4
    """Pieces with fewer crops are left out."""
    cut_at: float = 0.5
    """Where between the gap of one object (0) and that of two (1) a tracklet is cut; lower cuts more."""
    outlier_at: float = 0.5
    """Where between the usual likeness of crops of one tracklet (0) and of two (1) a single crop is left out."""

    def __post_init__(self) -> None:
        check_whole("least_crops", self.least_crops, 2)
        for name in ("cut_at", "outlier_at"):
            check_number(name, getattr(self, name), above=0, most=1)


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """What tracklets became."""

    piece: NDArray[np.int64]
    """(N,) number of each crop's piece from 0, -1 for crops that are left out."""
    tracklet: NDArray[np.int64]
    """(P,) the tracklet that each piece is of."""
    together: NDArray[np.int64]
    """(M, 2) pairs of pieces that were seen at the same time, so that they are different."""
    cut: int
    """Cuts that were made."""
    left_out: int
    """Crops that are left out."""


def purify(
    vectors: NDArray[np.float32],
    tracklet: NDArray[np.int64],
    time_s: NDArray[np.float64],
    together: NDArray[np.int64],
    config: PurityConfig | None = None,
) -> Pieces:
    """Cut tracklets into pure pieces.

    Args:
        vectors: (N, D) of unit length, by one embedder.
        tracklet: (N,) which tracklet each crop is of.
        time_s: (N,) when it was seen, on the clock of its tracklet.
        together: (M, 2) pairs of tracklets that were seen at the same moment.
        config: see `PurityConfig`.
    """
    c = config or PurityConfig()
    order = np.lexsort((time_s, tracklet))
    numbers, start = np.unique(tracklet[order], return_index=True)
    rows = dict(zip(numbers.tolist(), np.split(order, start[1:]), strict=True))
    enough = {n: r for n, r in rows.items() if len(r) >= c.least_crops}
    if c.enabled:
        scale = _Scale(vectors, enough, together, c)
        parts = [(n, part) for n, r in enough.items() for part in scale.cut(vectors, r)]
    else:
        parts = list(enough.items())
    piece = np.full(len(tracklet), -1, np.int64)
    kept = [(n, part) for n, part in parts if len(part) >= c.least_crops]
    for number, (_, part) in enumerate(kept):
        piece[part] = number
    owner = np.array([n for n, _ in kept], np.int64)
    spans = np.array([(time_s[part[0]], time_s[part[-1]]) for _, part in kept]).reshape(-1, 2)
    return Pieces(
        piece,
        owner,
        _together(owner, spans, together),
        cut=len(parts) - len(enough),
        left_out=int((piece < 0).sum()),
    )


class _Scale:
    """What one object and what two look like to this embedder.

    Args:
        vectors: (N, D) of unit length.
        rows: tracklet -> its rows in order of time.
        together: (M, 2) pairs of tracklets that are different.
        config: see `PurityConfig`.
    """

    def __init__(
        self,
        vectors: NDArray[np.float32],
        rows: dict[int, NDArray[np.int64]],
        together: NDArray[np.int64],
        config: PurityConfig,
    ) -> None:
        self._least = config.least_crops
        within = {n: _within(vectors[r]) for n, r in rows.items()}
        known = [(a, b) for a, b in together.tolist() if a in rows and b in rows]
        step = max(1, len(known) // _MOST_PAIRS)
        across = [(within[a] + within[b], _across(vectors[rows[a]], vectors[rows[b]])) for a, b in known[::step]]
        gaps = [_largest_gap(vectors[r], self._least // 2)[0] for r in rows.values()]
        gaps = [gap for gap in gaps if gap > -np.inf]  # a tracklet too short to have two groups has none
        if not across or not gaps:
            self._cut_gap, self._least_likeness = np.inf, -np.inf
            return
        one, two = np.median(gaps), np.median([both / 2 - x for both, x in across])
        alike, strange = np.median(list(within.values())), np.median([x for _, x in across])
        # an embedder that tells nobody apart cuts nothing
        self._cut_gap = one + config.cut_at * (two - one) if two > one else np.inf
        self._least_likeness = alike - config.outlier_at * (alike - strange) if alike > strange else -np.inf

    def cut(self, vectors: NDArray[np.float32], rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """The pure pieces of one tracklet (n,), in order of time."""
        gap, second = _largest_gap(vectors[rows], self._least // 2)
        if gap > self._cut_gap:
            goes_over = np.flatnonzero(second[1:] != second[:-1]) + 1
            return [piece for run in np.split(rows, goes_over) for piece in self.cut(vectors, run)]
        if len(rows) < 3:
            return [rows]
        cosines = vectors[rows] @ vectors[rows].T  # (n, n)
        likeness = (cosines.sum(axis=1) - 1) / (len(rows) - 1)  # (n,) of each crop with the others
        return [rows[likeness >= self._least_likeness]]


def _within(vectors: NDArray[np.float32]) -> float:
    """Mean cosine between different rows (n, D), n of 2 or more."""
    total = vectors.sum(axis=0, dtype=np.float64)
    n = len(vectors)
    return float((total @ total - n) / (n * (n - 1)))


def _across(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Mean cosine between the rows of two sets."""
    return float(a.mean(axis=0, dtype=np.float64) @ b.mean(axis=0, dtype=np.float64))


def _largest_gap(vectors: NDArray[np.float32], least: int) -> tuple[float, NDArray[np.bool_]]:
    """The two groups that the crops of a tracklet (n, D) fall into best, with `least` in each, whenever they were seen.

    Only groups that lie apart along the direction in which the crops differ most are tried. Returns their gap, and (n,)
    who is in the second.
    """
    n = len(vectors)
    low = max(2, least)
    second = np.zeros(n, np.bool_)
    if n < 2 * low:
        return -np.inf, second
    order = _along(vectors)
    before = np.cumsum(vectors[order], axis=0, dtype=np.float64)  # (n, D)
    at = np.arange(low, n - low + 1)  # (s,)
    first, last = before[at - 1], before[-1] - before[at - 1]  # (s, D) each
    m, k = at, n - at
    within_first = (np.einsum("sd,sd->s", first, first) - m) / (m * (m - 1))
    within_last = (np.einsum("sd,sd->s", last, last) - k) / (k * (k - 1))
    between = np.einsum("sd,sd->s", first, last) / (m * k)
    gap = (within_first + within_last) / 2 - between  # (s,)
    best = int(gap.argmax())
    second[order[at[best] :]] = True
    return float(gap[best]), second


def _along(vectors: NDArray[np.float32]) -> NDArray[np.int64]:
    """The order (n,) of rows (n, D) along the direction in which they differ most."""
    from_mean = vectors - vectors.mean(axis=0, dtype=np.float64)
    place = np.linalg.eigh(from_mean @ from_mean.T)[1][:, -1]  # (n,) along it, up to a factor
    return np.argsort(place, kind="stable")


def _together(owner: NDArray[np.int64], spans: NDArray[np.float64], together: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pairs of pieces (M, 2) of tracklets that were seen together, as far as both were there at the same time.

    `owner` (P,) the tracklet of each piece, `spans` (P, 2) its first and last moment.
    """
    pieces: dict[int, list[int]] = {}
    for number, tracklet in enumerate(owner.tolist()):
        pieces.setdefault(tracklet, []).append(number)
    found = [
        (min(p, q), max(p, q))
        for a, b in together.tolist()
        for p in pieces.get(a, ())
        for q in pieces.get(b, ())
        if spans[p, 0] <= spans[q, 1] and spans[q, 0] <= spans[p, 1]
    ]
    return np.array(sorted(set(found)), np.int64).reshape(-1, 2)

"""A calibration from validation vectors: fair pairs, a fit, thresholds with intervals, or none."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid.calibration import Calibration, balanced_logistic
from reid.errors import InputError

_LEAST_IDENTITIES = 10  # with two vectors or more: below, one odd identity would decide the fit
_LEAST_EXCEEDING = 10  # pairs of different identities above a threshold, and pairs of identities that they come from
_MOST_DIFFERENT_PAIRS = 2_000_000  # beyond, a random part of them is taken: 16 MB an array
_MOST_ROWS = 6000  # beyond, a random part of them is taken: tables of all pairs grow with the square
_INTERVAL = (2.5, 97.5)  # percent
_SAME, _DIFFERENT = 1, 0


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Pairs of rows that are known to be of one identity, or known to be of two."""

    cosine: NDArray[np.float64]
    """(P,)"""
    same: NDArray[np.bool_]
    """(P,)"""
    first: NDArray[np.int64]
    """(P,) identity 0..I-1 of one row, I of a distractor."""
    second: NDArray[np.int64]
    """(P,) identity of the other row."""


def calibrate(
    vectors: ArrayLike,
    identity: ArrayLike,
    *,
    relations: Callable[[NDArray[np.int64]], NDArray[np.int8]] | None = None,
    seed: int = 0,
    resamples: int = 200,
    data: str | None = None,
) -> Calibration | None:
    """What cosines of a model mean, measured on identities that it was not trained on.

    `vectors` (N, D) of unit length, `identity` (N,) whole numbers, below 0 for distractors: strangers to all others,
    but pairs of two distractors are left out, since nobody knows them. `relations` says of rows (n,) which pairs are
    known, (n, n): 1 the same, 0 different, -1 unknown, so left out; without it `identity` decides all of them. Same and
    different pairs count half each, so that the logit is the log-likelihood ratio; every identity counts the same among
    same pairs. `data` says in a few words what the vectors are of, for `Calibration.data`.

    The evidence is limited to the logarithm of the number of identities: so many cannot support more than one error
    among them would refute. A threshold at a false-positive rate comes with its percentile interval over `resamples`
    draws of the identities with replacement (Efron and Tibshirani 1993, section 13.3); it is None unless ten different
    pairs, of ten pairs of identities, lie above it. The whole is None where fewer than ten identities have two vectors,
    or where pairs of one identity are no more alike than others, in more than 1 of 40 draws.

    Raises:
        InputError: shapes do not fit, a vector is not finite or not of unit length, an identity is no whole number, or
            `resamples` is below 40.
    """
    rows, who = _check(vectors, identity, resamples)
    rng = np.random.default_rng(seed)
    kept = np.arange(len(rows))
    if len(rows) > _MOST_ROWS:
        kept = rng.choice(len(rows), _MOST_ROWS, replace=False)
        rows, who = rows[kept], who[kept]
    names, identities = _numbered(who)
    known = None if relations is None else relations(kept)
    if known is not None and known.shape != (len(rows), len(rows)):
        raise InputError(f"relations must give ({len(rows)}, {len(rows)}) for {len(rows)} rows, got {known.shape}")
    pairs = _pairs(rows, names, known, names == identities, rng)
    supported = np.unique(pairs.first[pairs.same])
    if len(supported) < _LEAST_IDENTITIES or not (~pairs.same).any():
        return None
    slope, offset = _fit(pairs)
    draws = rng.multinomial(len(supported), np.full(len(supported), 1 / len(supported)), size=resamples)
    if slope <= 0 or not _reliably_alike(pairs, supported, draws):
        return None
    counts = rng.multinomial(identities, np.full(identities, 1 / identities), size=resamples)  # (resamples, I)
    counts = np.pad(counts, ((0, 0), (0, 1)), constant_values=1)  # (resamples, I + 1): distractors are nobody to draw
    low, low_interval = _threshold(pairs, 1e-2, counts)
    high, high_interval = _threshold(pairs, 1e-3, counts)
    limit = math.log(len(supported))
    return Calibration(slope, offset, limit, low, high, low_interval, high_interval, len(supported), data)


def _check(vectors: ArrayLike, identity: ArrayLike, resamples: int) -> tuple[NDArray[np.float64], NDArray[Any]]:
    rows, raw = np.asarray(vectors, np.float64), np.asarray(identity)
    if rows.ndim != 2 or raw.shape != rows.shape[:1] or not len(rows):
        raise InputError(f"vectors must be (N, D) and identity (N,), N above 0, got {rows.shape} and {raw.shape}")
    if raw.dtype.kind not in "biuf" or (raw % 1 != 0).any():  # also catches NaN
        raise InputError(f"identity must be whole numbers, got {raw.dtype}: {raw[:3].tolist()}...")
    norm = np.linalg.norm(rows, axis=1)  # (N,)
    bad = ~(np.abs(norm - 1) < 1e-2)  # also catches NaN; float16 vectors are off by a thousandth
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise InputError(f"vectors[{row}] must be finite and of unit length, got length {norm[row]:.6g}")
    if isinstance(resamples, bool) or not isinstance(resamples, int) or resamples < 40:
        raise InputError(f"resamples must be a whole number of at least 40 for an interval of 95 %, got {resamples!r}")
    return rows / norm[:, None], raw


def _numbered(who: NDArray[Any]) -> tuple[NDArray[np.int64], int]:
    """Identities (N,) numbered from 0, distractors by how many identities there are; and how many there are."""
    somebody = who >= 0
    found, number = np.unique(who[somebody], return_inverse=True)
    names = np.full(len(who), len(found), np.int64)
    names[somebody] = number
    return names, len(found)


def _pairs(
    rows: NDArray[np.float64],
    names: NDArray[np.int64],
    relations: NDArray[np.int8] | None,
    nobody: NDArray[np.bool_],
    rng: np.random.Generator,
) -> _Pairs:
    if relations is None:
        relations = (names[:, None] == names[None, :]).astype(np.int8)  # (N, N)
    upper = np.triu(np.ones(relations.shape, np.bool_), 1)
    upper &= ~(nobody[:, None] & nobody[None, :])
    same = np.flatnonzero((relations == _SAME) & upper)
    different = np.flatnonzero((relations == _DIFFERENT) & upper)
    if len(different) > _MOST_DIFFERENT_PAIRS:
        different = rng.choice(different, _MOST_DIFFERENT_PAIRS, replace=False)
    first, second = np.divmod(np.concatenate((same, different)), len(rows))  # (P,) each
    cosine = np.empty(len(first))
    for start in range(0, len(first), 65536):  # (P, D) at once would be gigabytes
        part = slice(start, start + 65536)
        cosine[part] = np.einsum("pd,pd->p", rows[first[part]], rows[second[part]])
    return _Pairs(np.clip(cosine, -1, 1), np.arange(len(first)) < len(same), names[first], names[second])


def _fit(pairs: _Pairs) -> tuple[float, float]:
    weight = np.ones(len(pairs.cosine))
    mine = pairs.first[pairs.same]
    weight[pairs.same] = 1 / np.bincount(mine)[mine]  # an identity of many vectors counts like one of few
    return balanced_logistic(pairs.cosine, pairs.same, weight)


def _reliably_alike(pairs: _Pairs, supported: NDArray[np.int64], draws: NDArray[np.int64]) -> bool:
    """Whether the mean cosine of same pairs is above that of different ones in nearly every draw of the identities."""
    mine = pairs.first[pairs.same]
    count = np.bincount(mine)[supported]  # (S,)
    mean = np.bincount(mine, pairs.cosine[pairs.same])[supported] / count  # (S,) of each identity
    drawn = draws @ mean / draws.sum(axis=1)  # (resamples,)
    return bool(np.percentile(drawn, _INTERVAL[0]) > pairs.cosine[~pairs.same].mean())


def _threshold(
    pairs: _Pairs, rate: float, counts: NDArray[np.int64]
) -> tuple[float, tuple[float, float]] | tuple[None, None]:
    """The cosine that a share `rate` of the different pairs exceeds and its interval; None where data are too few.

    `counts` (resamples, I): how often each identity was drawn. A pair counts as often as both its identities together.
    """
    order = np.flatnonzero(~pairs.same)[np.argsort(pairs.cosine[~pairs.same])[::-1]]
    cosine, first, second = pairs.cosine[order], pairs.first[order], pairs.second[order]  # (Q,) most alike first
    above = int(len(order) * rate)
    identities = counts.shape[1]
    sources = np.unique(np.minimum(first, second)[:above] * identities + np.maximum(first, second)[:above])
    if above < _LEAST_EXCEEDING or len(sources) < _LEAST_EXCEEDING:
        return None, None
    found = []
    for drawn in counts:
        weight = np.cumsum(drawn[first] * drawn[second])  # (Q,) pairs up to this one
        if weight[-1]:
            found.append(cosine[int(np.searchsorted(weight, rate * weight[-1]))])
    low, high = np.percentile(found, _INTERVAL)
    threshold = float(cosine[above])
    return threshold, (min(float(low), threshold), max(float(high), threshold))

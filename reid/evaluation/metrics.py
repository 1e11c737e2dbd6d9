"""The measures on small arrays, each by itself. `reid.evaluation.evaluate` computes the same ones in tiles.

Definitions, with their sources, stand in docs/evaluation.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid.errors import InputError
from reid.evaluation.ranking import QueryScores, score_queries


def mean_average_precision(similarity: ArrayLike, match: ArrayLike, ignored: ArrayLike | None = None) -> float:
    """Mean over queries of the non-interpolated average precision.

    Of one query: the mean, over its matches, of the precision among everything at least as near as that match. This is
    scikit-learn's `average_precision_score`, ties included; it is not the trapezoid of Market-1501's first scripts.

    Args:
        similarity: (Q, G), larger is nearer; compared in float32.
        match: (Q, G) bool, of the query's identity.
        ignored: (Q, G) bool, left out of the ranking (the query itself, or crops that its protocol excludes).

    Returns:
        0..1, over the queries that have a match; NaN where none has.

    Raises:
        InputError: shapes differ, or a similarity is not finite.
    """
    return _mean(_scores(similarity, match, ignored).average_precision)


def cmc(
    similarity: ArrayLike, match: ArrayLike, ignored: ArrayLike | None = None, *, ranks: Sequence[int] = (1, 5, 10)
) -> tuple[float, ...]:
    """Cumulative matching characteristic: the share of queries with a match among their k nearest, for each rank k.

    Arguments and errors are those of `mean_average_precision`. Something else that is as near as the match counts as
    nearer.
    """
    if any(isinstance(rank, bool) or not isinstance(rank, int) or rank < 1 for rank in ranks):
        raise InputError(f"ranks must be whole numbers of at least 1, got {tuple(ranks)!r}")
    first = _scores(similarity, match, ignored).first_hit
    first = first[first > 0]
    return tuple(float((first <= rank).mean()) if len(first) else float("nan") for rank in ranks)


def minp(similarity: ArrayLike, match: ArrayLike, ignored: ArrayLike | None = None) -> float:
    """Mean inverse negative penalty: matches divided by the rank of the last of them, averaged over queries.

    What it costs to find every match, the hardest one too. Arguments and errors are those of `mean_average_precision`.

    Source: Ye et al. 2021, "Deep Learning for Person Re-Identification: A Survey and Outlook" (IEEE TPAMI).
    """
    return _mean(_scores(similarity, match, ignored).inverse_penalty)


def auc(cosine: ArrayLike, same: ArrayLike) -> float:
    """The chance that a pair of one identity is more alike than a pair of two; equally alike counts half.

    `cosine` (P,) of pairs, `same` (P,) bool -> 0..1, or NaN where a kind of pair is missing.

    Raises:
        InputError: shapes differ, or a cosine is not finite.
    """
    alike, different = _kinds(cosine, same)
    if not len(alike) or not len(different):
        return float("nan")
    below = np.searchsorted(different, alike, "left") + np.searchsorted(different, alike, "right")  # (same,) twice
    return float(below.mean() / (2 * len(different)))


def tpr_at_fpr(cosine: ArrayLike, same: ArrayLike, *, fpr: float = 1e-3) -> float:
    """The share of pairs of one identity that is recognised by the lowest threshold that lets few strangers pass.

    `cosine` (P,) of pairs, `same` (P,) bool. A pair passes where its cosine is at least the threshold; at most a share
    `fpr` of the pairs of two identities passes. NaN where a kind of pair is missing.

    Raises:
        InputError: shapes differ, a cosine is not finite, or `fpr` is outside 0..1.
    """
    if not 0 <= fpr <= 1:
        raise InputError(f"fpr must be within 0..1, got {fpr!r}")
    alike, different = _kinds(cosine, same)
    if not len(alike) or not len(different):
        return float("nan")
    allowed = int(fpr * len(different) + 1e-9)  # 1e-9: 0.1 * 30 is 3, not 2.9999999
    if allowed == len(different):
        return 1.0
    barrier = different[len(different) - 1 - allowed]  # the highest that must not pass: thresholds lie above it
    return float((alike > barrier).mean())


def _scores(similarity: ArrayLike, match: ArrayLike, ignored: ArrayLike | None) -> QueryScores:
    values = np.asarray(similarity, np.float32)
    hits = np.asarray(match, np.bool_)
    skip = np.zeros(values.shape, np.bool_) if ignored is None else np.asarray(ignored, np.bool_)
    if values.ndim != 2 or hits.shape != values.shape or skip.shape != values.shape:
        shapes = f"{values.shape}, {hits.shape} and {skip.shape}"
        raise InputError(f"similarity, match and ignored must be three arrays of one shape (Q, G), got {shapes}")
    if not np.isfinite(values).all():
        raise InputError(f"similarity{np.argwhere(~np.isfinite(values))[0].tolist()} must be finite")
    return score_queries(values, hits & ~skip, skip)


def _kinds(cosine: ArrayLike, same: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y = np.asarray(cosine, np.float64), np.asarray(same, np.bool_)
    if x.ndim != 1 or x.shape != y.shape:
        raise InputError(f"cosine and same must be two arrays of shape (P,), got {x.shape} and {y.shape}")
    if not np.isfinite(x).all():
        raise InputError(f"cosine[{int(np.flatnonzero(~np.isfinite(x))[0])}] must be finite")
    return np.sort(x[y]), np.sort(x[~y])


def _mean(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")

"""Each query's ranked gallery, scored: average precision, the rank of the first hit, the cost of the last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LAST = np.iinfo(np.int32).max  # the key of what is ignored: after everything


@dataclass(frozen=True, slots=True)
class QueryScores:
    """Scores of Q queries; all arrays are (Q,). Without a match: 0 matches, first hit 0, the others NaN."""

    matches: NDArray[np.int64]
    """Matches in the gallery."""
    average_precision: NDArray[np.float64]
    """Mean, over the matches, of the precision among everything that is at least as near as that match."""
    first_hit: NDArray[np.int64]
    """Rank of the first match, from 1; something else that is as near counts as nearer."""
    inverse_penalty: NDArray[np.float64]
    """Matches divided by the rank of the last of them (INP, Ye et al. 2021)."""

    @staticmethod
    def joined(parts: list[QueryScores]) -> QueryScores:
        """The scores of several tiles as one."""
        names = ("matches", "average_precision", "first_hit", "inverse_penalty")
        return QueryScores(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def score_queries(similarity: NDArray[np.float32], match: NDArray[np.bool_], ignored: NDArray[np.bool_]) -> QueryScores:
    """Rank every row by falling similarity and score it.

    `similarity` (Q, G) finite, `match` (Q, G) what is of the query's identity, `ignored` (Q, G) what is not ranked at
    all. Equal similarities share the worst rank of their group, so that no score depends on the order of the rows, and
    a model that maps everything to one vector scores as chance does; scikit-learn's average precision treats ties the
    same way. Similarities that differ in the last bit of float32 count as equal.

    O(Q G log G) time, one more array of (Q, G) int32.
    """
    keys = _sortable(similarity, match)
    keys[ignored] = _LAST
    keys.sort(axis=1)
    ranked = similarity.shape[1] - ignored.sum(axis=1)  # (Q,) how many are ranked
    hit = (keys & 1).astype(np.bool_)
    hit &= np.arange(keys.shape[1]) < ranked[:, None]
    row, column = np.nonzero(hit)  # (hits,) row after row, nearest first
    matches = hit.sum(axis=1)  # (Q,)
    begins = np.cumsum(matches) - matches  # (Q,) place of a row's first hit among all hits
    last = _last_of_equals(row, keys[row, column])  # (hits,) place of the last hit that is equally near
    # precision = hits at least as near / everything at least as near; negatives stand before hits that are as near
    precision = (last - begins[row] + 1) / (column[last] + 1)
    with np.errstate(invalid="ignore"):  # 0 / 0 of queries without a match is NaN, as documented
        average = np.bincount(row, precision, minlength=len(keys)) / matches
    some = matches > 0
    first_hit = np.zeros(len(keys), np.int64)
    first_hit[some] = column[begins[some]] + 1
    inverse = np.full(len(keys), np.nan)
    inverse[some] = matches[some] / (column[begins[some] + matches[some] - 1] + 1)
    return QueryScores(matches.astype(np.int64), average, first_hit, inverse)


def _sortable(similarity: NDArray[np.float32], match: NDArray[np.bool_]) -> NDArray[np.int32]:
    """(Q, G) int32 that rises as the similarity falls; the last bit says whether it is a match.

    The bits of an IEEE 754 float, read as a whole number, rise with it; those of negative floats fall, so their lower
    bits are turned round. Integers sort several times faster than an argsort, and carry their label along.
    """
    bits = (similarity + np.float32(0)).view(np.int32)  # the sum is a copy, and makes -0.0 equal to 0.0
    bits ^= (bits >> 31) & _LAST
    np.invert(bits, out=bits)
    bits &= ~1
    bits |= match
    return bits


def _last_of_equals(row: NDArray[Any], key: NDArray[np.int32]) -> NDArray[np.int64]:
    """For each of the sorted hits, the place of the last with the same row and key."""
    if not len(row):
        return np.zeros(0, np.int64)
    ends = np.flatnonzero(np.r_[(row[1:] != row[:-1]) | (key[1:] != key[:-1]), True])
    return np.repeat(ends, np.diff(ends, prepend=-1))

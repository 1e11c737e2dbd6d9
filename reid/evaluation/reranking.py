"""Re-ranking by k-reciprocal neighbours: two crops are alike where their neighbourhoods are.

Source: Zhong, Zheng, Cao, Li 2017, "Re-ranking Person Re-identification with k-reciprocal Encoding"; equation numbers
are theirs. No label is used: neighbours are sought among all crops, queries and gallery alike.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from reid.checks import check_number
from reid.errors import InputError
from reid.evaluation.similarity import on_grid, tiles

_VECTORS_AT_ONCE = 2**14  # of which two copies are gathered
_PAIRS_AT_ONCE = 2**21  # of a query's neighbour and one of that neighbour's own


class Reranked:
    """Similarity 1 - d*, where d* mixes the Jaccard distance of neighbourhoods with the distance of the vectors.

    d is the squared Euclidean distance of unit vectors, divided by the largest that the crop has to any other (as in
    the authors' code), so that it lies within 0..1 as the Jaccard distance does. Memory is O(N * k1^2), beside a tile.

    Args:
        vectors: (N, D) of unit length.
        gallery: (G,) rows that are searched.
        k1: neighbours that must be reciprocal.
        k2: neighbours whose neighbourhoods are averaged; 1 for none.
        weight: of the original distance (lambda, eq. 12).

    Raises:
        InputError: k1 or k2 is below 1, or the weight outside 0..1.
    """

    def __init__(
        self,
        vectors: NDArray[np.float32],
        gallery: NDArray[np.int64],
        *,
        k1: int = 20,
        k2: int = 6,
        weight: float = 0.3,
    ) -> None:
        if min(k1, k2) < 1:
            raise InputError(f"k1 and k2 must be 1 or more, got {k1} and {k2}")
        check_number("weight", weight, least=0, most=1)
        self._vectors = vectors
        self._gallery_vectors = np.ascontiguousarray(vectors[gallery].T)  # (D, G)
        self._weight = np.float32(weight)
        nearest, self._largest = _nearest(vectors, max(k1, k2) + 1)
        self._encoding = _encode(vectors, nearest, self._largest, k1, k2)
        self._columns = self._encoding[gallery].tocsc()  # (G, N): who of the gallery has a neighbour

    def __call__(self, queries: NDArray[np.int64]) -> NDArray[np.float32]:
        original = (2 - 2 * (self._vectors[queries] @ self._gallery_vectors)) / self._largest[queries][:, None]
        np.clip(original, 0, 1, out=original)
        common = self._common(queries)  # (T, G)
        jaccard = 1 - common / (2 - common)  # eq. 10; every row of the encoding sums to 1, so max = 2 - min
        distance = (1 - self._weight) * jaccard + self._weight * original  # eq. 12
        return on_grid(np.asarray(1 - distance, np.float32))

    def _common(self, queries: NDArray[np.int64]) -> NDArray[np.float32]:
        """(T, G) the sum over neighbours of the smaller of both weights."""
        width = self._columns.shape[0]
        out = np.zeros((len(queries), width), np.float32)
        rows = self._encoding[queries]  # (T, N)
        lengths = np.diff(self._columns.indptr)[rows.indices]  # (nonzeros,) gallery crops that share this neighbour
        costs = np.add.reduceat(np.r_[lengths, 0], rows.indptr[:-1]) * (np.diff(rows.indptr) > 0)  # (T,)
        ends = np.cumsum(costs)
        for part in np.split(np.arange(len(queries)), np.searchsorted(ends, _marks(ends)) + 1):
            if len(part):
                inner = slice(rows.indptr[part[0]], rows.indptr[part[-1] + 1])
                row = np.repeat(np.arange(len(part)), np.diff(rows.indptr)[part])  # (nonzeros of the part,)
                place = _ranges(self._columns.indptr[rows.indices[inner]], lengths[inner])  # (pairs,)
                smaller = np.minimum(np.repeat(rows.data[inner], lengths[inner]), self._columns.data[place])
                flat = np.repeat(row, lengths[inner]) * width + self._columns.indices[place]
                out[part] = np.bincount(flat, smaller, minlength=len(part) * width).reshape(len(part), width)
        return out


def _nearest(vectors: NDArray[np.float32], count: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """(N, count) rows by falling similarity, each row itself first, and (N,) the largest squared distance of each."""
    size = len(vectors)
    count = min(count, size)
    nearest = np.empty((size, count), np.int64)
    largest = np.empty(size, np.float32)
    for rows in tiles(np.arange(size), size):
        cosine = on_grid(vectors[rows] @ vectors.T)  # (T, N)
        largest[rows] = 2 - 2 * cosine.min(axis=1)
        cosine[np.arange(len(rows)), rows] = 2  # itself first, also where another has the same vector
        found = np.argpartition(-cosine, count - 1, axis=1)[:, :count]
        found.sort(axis=1)  # equally near ones in order of their rows
        order = np.argsort(-np.take_along_axis(cosine, found, axis=1), axis=1, kind="stable")
        nearest[rows] = np.take_along_axis(found, order, axis=1)
    return nearest, np.maximum(largest, np.float32(1e-6))


def _encode(
    vectors: NDArray[np.float32], nearest: NDArray[np.int64], largest: NDArray[np.float32], k1: int, k2: int
) -> sparse.csr_array:
    """(N, N) of weights that sum to 1 in a row: who is in the neighbourhood of each crop, and how near."""
    reciprocal = _reciprocal(nearest[:, : k1 + 1])  # eq. 3
    half = _reciprocal(nearest[:, : round(k1 / 2) + 1])
    common = (reciprocal @ half.T).multiply(reciprocal).tocoo()  # (N, N) |R(p, k1) and R(q, k1 / 2)| of q in R(p, k1)
    sizes = np.diff(half.indptr)  # (N,)
    enough = common.data * 3 >= 2 * sizes[common.col]  # eq. 5
    ones = np.ones(int(enough.sum()), np.int32)
    expand = sparse.csr_array((ones, (common.row[enough], common.col[enough])), shape=common.shape)
    whole = (reciprocal + expand @ half).tocoo()
    rows, columns = whole.row, whole.col
    distance = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), _VECTORS_AT_ONCE):
        part = slice(start, start + _VECTORS_AT_ONCE)
        cosine = np.einsum("pd,pd->p", vectors[rows[part]], vectors[columns[part]])
        distance[part] = np.clip((2 - 2 * cosine) / largest[rows[part]], 0, 1)
    encoding = sparse.csr_array((np.exp(-distance), (rows, columns)), shape=whole.shape)  # eq. 7
    total = np.asarray(encoding.sum(axis=1)).ravel()  # (N,) at least 1: everybody is its own neighbour
    encoding = sparse.csr_array(sparse.diags_array(1 / total) @ encoding)
    k2 = min(k2, nearest.shape[1])
    if k2 > 1:  # local query expansion, eq. 11
        size = len(nearest)
        pointers = np.arange(0, size * k2 + 1, k2)
        mean = sparse.csr_array((np.full(size * k2, 1 / k2), nearest[:, :k2].ravel(), pointers), shape=(size, size))
        encoding = sparse.csr_array(mean @ encoding)
    return encoding


def _reciprocal(nearest: NDArray[np.int64]) -> sparse.csr_array:
    """(N, k) neighbours -> (N, N) with a 1 where two are neighbours of each other."""
    size, count = nearest.shape
    shape = (size, size)
    pointers = np.arange(0, size * count + 1, count)
    one_way = sparse.csr_array((np.ones(size * count, np.int32), nearest.ravel(), pointers), shape=shape)
    return sparse.csr_array(one_way.multiply(one_way.T))


def _marks(ends: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.arange(_PAIRS_AT_ONCE, int(ends[-1]) if len(ends) else 0, _PAIRS_AT_ONCE)


def _ranges(starts: NDArray[Any], lengths: NDArray[Any]) -> NDArray[np.int64]:
    """The whole numbers start, start + 1, ... of each range, one after the other."""
    offsets = np.repeat(starts - (np.cumsum(lengths) - lengths), lengths)
    return np.asarray(np.arange(int(lengths.sum())) + offsets, np.int64)

"""Cosines between rows, a tile of queries at a time, on a grid that makes equal what rounding alone tells apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid.errors import InputError

GRID = 2**19
"""Cosines are rounded to multiples of 1 / GRID, about 2e-6: dot products of float32 vectors are no more exact than
that, and two equal pictures must tie whatever the order of the sums."""

_TILE_VALUES = 2**22  # of a tile of similarities: 16 MiB as float32, and about six times that with masks and keys
_UNIT_TOLERANCE = 1e-3  # of a norm; float16 vectors are stored no better


class Similarity(Protocol):
    """Similarities of some queries to the whole gallery."""

    def __call__(self, queries: NDArray[np.int64]) -> NDArray[np.float32]:
        """(T,) rows of the queries -> (T, G) on the grid; larger is nearer."""
        ...


class Cosine:
    """Cosines to the gallery rows of `vectors`, of queries from the same vectors or from others (such as corrupted)."""

    def __init__(
        self,
        vectors: NDArray[np.float32],
        gallery: NDArray[np.int64],
        query_vectors: NDArray[np.float32] | None = None,
    ) -> None:
        self._gallery = np.ascontiguousarray(vectors[gallery].T)  # (D, G)
        self._queries = vectors if query_vectors is None else query_vectors

    def __call__(self, queries: NDArray[np.int64]) -> NDArray[np.float32]:
        return on_grid(self._queries[queries] @ self._gallery)


def on_grid(similarity: NDArray[np.float32]) -> NDArray[np.float32]:
    """Round to multiples of 1 / GRID within -1..1, in place."""
    np.clip(similarity, -1, 1, out=similarity)
    similarity *= GRID
    np.rint(similarity, out=similarity)
    similarity /= GRID  # exact: a power of two
    return similarity


def tiles(queries: NDArray[np.int64], gallery_size: int) -> Iterator[NDArray[np.int64]]:
    """The queries in parts so small that a tile has at most about four million similarities."""
    size = max(1, _TILE_VALUES // max(gallery_size, 1))
    for start in range(0, len(queries), size):
        yield queries[start : start + size]


def unit_vectors(vectors: ArrayLike, count: int) -> NDArray[np.float32]:
    """The vectors as (N, D) float32 of exactly unit length.

    Raises:
        InputError: another shape or kind, a number that is not finite, or a row that is not of unit length.
    """
    array = np.asarray(vectors)
    if array.ndim != 2 or len(array) != count or array.dtype.kind != "f":
        raise InputError(f"vectors must be ({count}, D) floats, a row a crop, got {array.dtype} of shape {array.shape}")
    out = array.astype(np.float32)
    norm = np.linalg.norm(out.astype(np.float64), axis=1)  # (N,)
    bad = np.flatnonzero(~(np.abs(norm - 1) <= _UNIT_TOLERANCE))  # also NaN
    if len(bad):
        raise InputError(
            f"vectors[{bad[0]}] must be of unit length, got length {norm[bad[0]]:.6g} (and {len(bad) - 1} more rows)"
        )
    out /= norm[:, None].astype(np.float32)
    return out

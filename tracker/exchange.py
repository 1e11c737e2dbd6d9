"""The same tracks and identities, as another embedder sees them."""

from __future__ import annotations

import numpy as np

from tracker.errors import InputError
from tracker.memory import IdentityMemory
from tracker.table import TrackTable
from tracker.types import BoolArray, DoubleArray, FloatArray, RemakeVectors, off_unit


def seen_anew(
    tracks: TrackTable, memory: IdentityMemory, dimension: int, again: RemakeVectors | None
) -> tuple[TrackTable, IdentityMemory]:
    """Tracks and memory with vectors of another embedder, or without any; those given are not changed.

    Where a track is held for somebody who left, but not for long enough to be sure, that becomes final: evidence of the
    new embedder is weak at first, and would take the number away for a moment. Crops that are held to show somebody
    else than their track are not asked for.

    Args:
        tracks: T live ones.
        memory: identities that left.
        dimension: of the new vectors.
        again: gives them; None: there are none.

    Raises:
        InputError: they are not as they must be.
    """
    rows = (tracks.ids > 0).nonzero()[0]  # (n,)
    left = (~np.isin(memory.ids, tracks.ids)).nonzero()[0]  # (G,) the others are claimed
    ids = np.concatenate((tracks.ids[rows], memory.ids[left]))  # (n + G,)
    until_s = np.full(len(ids), np.inf)
    doubted = (tracks.doubt[rows] < 0).nonzero()[0]
    until_s[doubted] = np.nextafter(tracks.doubted_s[rows[doubted]], -np.inf)
    if again is None or not len(ids):
        vectors, counts = np.zeros((len(ids), dimension), np.float32), np.zeros(len(ids))
    else:
        vectors, counts = _checked(*again(ids, until_s), len(ids), dimension)
    mean, made_of = np.zeros((len(tracks), dimension), np.float32), np.zeros(len(tracks))
    mean[rows], made_of[rows] = vectors[: len(rows)], counts[: len(rows)]
    looks, looks_of = np.zeros((len(memory), dimension), np.float32), np.zeros(len(memory))
    looks[left], looks_of[left] = vectors[len(rows) :], counts[len(rows) :]
    return tracks.seen_anew(mean, made_of), memory.seen_anew(looks, looks_of)


def _checked(vectors: FloatArray, counts: DoubleArray, n: int, dimension: int) -> tuple[FloatArray, DoubleArray]:
    """What `again` returned for n identities: copies, and zeros where there are no crops."""
    vectors, counts = np.array(vectors, np.float32), np.array(counts, np.float64)
    if vectors.shape != (n, dimension) or counts.shape != (n,):
        raise InputError(
            f"again must return vectors ({n}, {dimension}) and counts ({n},), got {vectors.shape} and {counts.shape}"
        )
    if not ((counts >= 0) & (counts < np.inf)).all():
        raise InputError("again must return counts that are finite and at least 0")
    known: BoolArray = counts > 0
    norm, bad = off_unit(vectors[known])
    if bad.any():
        raise InputError(f"again must return vectors of unit length, got one of {float(norm[bad][0]):.3g}")
    vectors[~known] = 0
    return vectors, counts

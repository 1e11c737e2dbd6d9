"""Vectors of a whole harvest: minutes of work that can be stopped at any time, and gone on with."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from reid.data import Crops
from reid.embedder import Embedder
from reid.evaluation.collection import Collection, embed

_AT_ONCE = 64  # crops
_NORM_SLACK = 1e-2


class StoppedError(Exception):
    """It was told to stop."""


def vectors_of(
    embedder: Embedder, crops: Crops, stop: Callable[[], bool], kept_in: Path | None = None
) -> NDArray[np.float32]:
    """(N, D) of all crops, of unit length.

    Args:
        embedder: makes them.
        crops: of what.
        stop: is asked again and again.
        kept_in: a folder in which those are kept that are done, for another call with the same embedder and crops;
            None: they are lost where it is stopped.

    Raises:
        StoppedError: `stop` said so.
        OSError: the folder cannot be written.
    """
    if kept_in is None:
        return _embedded(embedder, crops, stop, np.zeros((0, embedder.card.dimension), np.float32), lambda _new: None)
    told = hashlib.sha256(embedder.info.model_hash.encode() + crops.identity.tobytes() + crops.time_s.tobytes())
    with (kept_in / f"vectors-{told.hexdigest()[:16]}.f32").open("a+b") as file:
        known = _read(file, embedder.card.dimension)
        file.truncate(known.nbytes)

        def keep(new: NDArray[np.float32]) -> None:
            file.write(new.tobytes())
            file.flush()

        return _embedded(embedder, crops, stop, known, keep)


def _read(file: BinaryIO, dimension: int) -> NDArray[np.float32]:
    """(n, D) what is there; whole batches alone, so that what comes after is the same as without a stop."""
    file.seek(0)
    found = file.read()
    batch_bytes = _AT_ONCE * dimension * np.dtype(np.float32).itemsize
    vectors = np.frombuffer(found, np.float32, len(found) // batch_bytes * _AT_ONCE * dimension).reshape(-1, dimension)
    # a machine that lost its power leaves zeros, and half a page of numbers that are none: what is not surely right
    wrong = ~(np.abs(np.linalg.norm(vectors, axis=1) - 1) <= _NORM_SLACK)
    sound = int(wrong.argmax()) if wrong.any() else len(vectors)
    return vectors[: sound // _AT_ONCE * _AT_ONCE]


def _embedded(
    embedder: Embedder,
    crops: Crops,
    stop: Callable[[], bool],
    known: NDArray[np.float32],
    keep: Callable[[NDArray[np.float32]], None],
) -> NDArray[np.float32]:
    """(N, D), of which the first ones (n, D) are known."""
    collection = Collection.of(crops)
    vectors = np.empty((len(crops), embedder.card.dimension), np.float32)
    vectors[: len(known)] = known
    for start in range(len(known), len(crops), _AT_ONCE):
        if stop():
            raise StoppedError
        rows = np.arange(start, min(start + _AT_ONCE, len(crops)))
        vectors[rows] = embed(embedder, collection, rows)
        keep(vectors[rows])
    return vectors

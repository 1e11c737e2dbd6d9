"""Triplets of a data set as a file, and batches to train from."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid.atomic import write_whole
from reid.errors import DataError, InputError

_VERSION = 2
_BROKEN_ARCHIVE = (zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class TripletList:
    """Triplets of rows of a data set, mined beforehand."""

    rows: NDArray[np.int64]
    """(T, 3) rows of anchor, positive and negative."""
    of: int
    """N, how many rows the data set has."""
    mining: str = "unknown"
    """How they were chosen, for people."""
    epoch: int = 0
    """The epoch before which they were mined."""
    data: str = ""
    """A fingerprint of the data set that they are rows of."""

    def __post_init__(self) -> None:
        rows = np.asarray(self.rows)
        if rows.ndim != 2 or rows.shape[1] != 3 or not np.issubdtype(rows.dtype, np.integer):
            raise InputError(f"rows must be (T, 3) of integers, got {rows.shape} of {rows.dtype}")
        if len(rows) and not (rows.min() >= 0 and rows.max() < self.of):
            raise InputError(f"rows must be from 0 to {self.of - 1}, got {rows.min()} to {rows.max()}")
        object.__setattr__(self, "rows", rows.astype(np.int64))

    def __len__(self) -> int:
        return len(self.rows)

    def write(self, path: str | Path) -> Path:
        """Write as a NumPy archive (.npz), whole or not at all; returns the path."""
        archive = io.BytesIO()
        np.savez_compressed(
            archive,
            version=_VERSION,
            triplets=self.rows,
            of=self.of,
            mining=np.array(self.mining),
            epoch=self.epoch,
            data=np.array(self.data),
        )
        write_whole(Path(path), archive.getvalue())
        return Path(path)

    @classmethod
    def read(cls, path: str | Path) -> TripletList:
        """Read what `write` wrote.

        Raises:
            DataError: the file is missing, or is no triplet list.
        """
        try:
            with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as archive:
                content: dict[str, Any] = {name: archive[name] for name in archive.files}
            if int(content["version"]) != _VERSION:
                raise DataError(f"{path} must be a triplet list of version {_VERSION}, got {content['version']}")
            mining, data = str(content["mining"]), str(content["data"])
            return cls(content["triplets"], int(content["of"]), mining, int(content["epoch"]), data)
        except FileNotFoundError as error:
            raise DataError(f"there is no triplet list at {path}") from error
        except (OSError, ValueError, KeyError, TypeError, EOFError, AttributeError, *_BROKEN_ARCHIVE) as error:
            raise DataError(f"{path} must be a triplet list that reidtrack wrote, got: {error}") from error

    def batches(self, size: int, *, seed: int, epoch: int = 0) -> Iterator[TripletBatch]:
        """All triplets once, shuffled by seed and epoch, `size` at a time; the last batch may be smaller.

        Raises:
            InputError: the size is not at least 1.
        """
        if size < 1:
            raise InputError(f"size must be at least 1, got {size}")
        order = np.random.default_rng((seed, epoch)).permutation(len(self.rows))
        for start in range(0, len(order), size):
            yield TripletBatch.of(self.rows[order[start : start + size]])


@dataclass(frozen=True)
class TripletBatch:
    """Triplets of one step, each picture once: what to embed, and which of those form triplets."""

    rows: NDArray[np.int64]
    """(U,) rows of the data set to embed, ascending."""
    triplets: NDArray[np.int64]
    """(T, 3) anchor, positive and negative as places in `rows`: for `indexed_triplet_loss`."""

    @classmethod
    def of(cls, triplets: NDArray[np.int64]) -> TripletBatch:
        """(T, 3) rows of a data set -> the batch."""
        rows, places = np.unique(triplets, return_inverse=True)
        return cls(rows, places.reshape(-1, 3).astype(np.int64))

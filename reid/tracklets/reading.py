"""Reads a tracklet store: every column at once, no picture before it is asked for."""

from __future__ import annotations

import base64
import contextlib
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from reid.errors import DataError
from reid.tracklets.records import PICTURES, RECORDS, picture_path, records

_logger = logging.getLogger(__name__)
_VECTOR = np.dtype("<f2")

Lengths: TypeAlias = dict[int, dict[int, int]]
"""Bytes of pictures by tracklet and frame."""


@dataclass(frozen=True, slots=True)
class TrackletRun:
    """One run of a tracker into the store."""

    number: int
    """From 1."""
    source: str
    """Name of what was tracked; never holds a password."""
    rate_hz: float | None
    """Frames a second, None where unknown."""
    began_unix_s: float | None
    """When the run began, seconds since 1970; None where the writer did not say."""
    session: str | None = None
    """Runs of one start of a tracker, in one store or several, have one session and number identities alike; None
    where the writer did not say."""


@dataclass(frozen=True, slots=True, eq=False)
class Tracklets:
    """What a store holds: N crops, in the order in which they were stored."""

    folder: Path
    """The store."""
    runs: tuple[TrackletRun, ...]
    """Every run, in order."""
    tracklet: NDArray[np.int64]
    """(N,) number of the tracklet, unique in the store: crops of one show the same object."""
    run: NDArray[np.int64]
    """(N,) number of the run."""
    identity: NDArray[np.int64]
    """(N,) the number under which the tracker reported it, unique in its run: its opinion, not a certainty."""
    frame: NDArray[np.int64]
    """(N,) number of the frame, from 1."""
    time_s: NDArray[np.float64]
    """(N,) seconds since the source began."""
    boxes: NDArray[np.float64]
    """(N, 4) `x1, y1, x2, y2` in pixels of the frame; may reach over its border."""
    scores: NDArray[np.float64]
    """(N,) the detector's, 0..1."""
    covered: NDArray[np.float64]
    """(N,) largest share of the box inside another box, 0..1."""
    classes: NDArray[np.int64]
    """(N,) class of the object."""
    together: NDArray[np.int64]
    """(M, 2) pairs of tracklets that were seen at the same moment: different objects."""
    models: tuple[str, ...]
    """SHA-256 of each model whose vectors are stored."""
    model: NDArray[np.int64]
    """(N,) which of `models` the row's vector is of, -1 where it has none."""
    encoded: tuple[str, ...]
    """(N,) vectors as stored; `vectors` decodes them."""

    def __len__(self) -> int:
        return len(self.tracklet)

    def picture(self, row: int) -> Path:
        """The file of a crop."""
        return picture_path(self.folder, int(self.tracklet[row]), int(self.frame[row]))

    def vectors(self, model_hash: str) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Rows (n,) that have a vector of this model, and the vectors (n, D): vectors of two models never mix."""
        if model_hash not in self.models:
            return np.zeros(0, np.int64), np.zeros((0, 0), np.float32)
        rows = np.flatnonzero(self.model == self.models.index(model_hash))
        vectors = [np.frombuffer(base64.b64decode(self.encoded[row]), _VECTOR) for row in rows.tolist()]
        return rows, np.array(vectors, np.float32).reshape(len(rows), -1)


def is_tracklet_store(folder: Path) -> bool:
    """Whether a folder holds a store (of any version)."""
    return (folder / RECORDS).is_file()


def read_tracklets(folder: str | Path) -> Tracklets:
    """Read a store; it may be written to meanwhile, by this process or another.

    A last line without its end, as a killed writer leaves it, is ignored. Lines that are damaged, and crops whose
    picture is missing or not of the length that was written, are left out with one warning.

    Raises:
        DataError: there is no store, its header is damaged, or it is of a later version.
    """
    folder = Path(folder)
    reader = StoreReader.of(folder)
    lengths = picture_lengths(folder / PICTURES)
    if len(reader.whole(lengths)) < len(reader.counting()):
        # who takes crops out rewrites the records before the pictures go: a second look tells that from damage
        reader.keep_common(folder)
    return reader.result(folder, lengths)


class StoreReader:
    """Collects the records of one store."""

    def __init__(self) -> None:
        self._runs: dict[int, TrackletRun] = {}
        self._models: dict[int, str] = {}
        self._crops: dict[tuple[int, int], dict[str, Any]] = {}  # by tracklet and frame
        self._doubted: dict[int, float] = {}  # tracklet: since when
        self._pairs: list[tuple[int, int]] = []
        self._damaged = 0
        self._kinds: dict[str, Callable[[dict[str, Any]], None]] = {
            "run": self._take_run,
            "model": self._take_model,
            "crop": self._take_crop,
            "together": self._take_together,
            "doubt": self._take_doubt,
        }

    @classmethod
    def of(cls, folder: Path) -> StoreReader:
        """Everything that the store in a folder says.

        Raises:
            DataError: as `read_tracklets`.
        """
        reader = cls()
        for number, record in records(folder):
            if number > 1:
                reader.take(record)
        return reader

    def take(self, record: dict[str, Any]) -> bool:
        """One record; False where it is damaged. Kinds of later writers are passed over."""
        try:
            if (kind := record["kind"]) in self._kinds:
                self._kinds[kind](record)
        except (KeyError, TypeError, ValueError):
            self._damaged += 1
            return False
        return True

    def counting(self) -> list[dict[str, Any]]:
        """Crops that did not come in doubt."""
        return [c for (tracklet, _), c in self._crops.items() if c["time_s"] < self._doubted.get(tracklet, np.inf)]

    def whole(self, lengths: Lengths) -> list[dict[str, Any]]:
        """Those of them that have a whole picture."""
        return [
            crop for crop in self.counting() if lengths.get(crop["tracklet"], {}).get(crop["frame"]) == crop["bytes"]
        ]

    def keep_common(self, folder: Path) -> None:
        """Leave out the crops that are not in the store any more."""
        left: set[tuple[int, int]] = set()
        with contextlib.suppress(DataError):  # the store itself is gone by now
            left = {(crop["tracklet"], crop["frame"]) for crop in StoreReader.of(folder).counting()}
        self._crops = {key: crop for key, crop in self._crops.items() if key in left}

    def result(self, folder: Path, lengths: Lengths) -> Tracklets:
        """Everything that is whole; the rest costs a warning."""
        crops = self.whole(lengths)
        lost = len(self.counting()) - len(crops)
        if lost or self._damaged:
            _logger.warning(
                "%s: left out %d crops whose picture is gone or damaged, and %d damaged records",
                folder,
                lost,
                self._damaged,
            )
        return self._columns(folder, crops)

    def _columns(self, folder: Path, crops: list[dict[str, Any]]) -> Tracklets:
        def whole(key: str) -> NDArray[np.int64]:
            return np.array([crop[key] for crop in crops], np.int64)

        def real(key: str) -> NDArray[np.float64]:
            return np.array([crop[key] for crop in crops], np.float64)

        numbers = sorted(self._models)
        hashes = tuple(dict.fromkeys(self._models[number] for number in numbers))
        which = {number: hashes.index(self._models[number]) for number in numbers}
        return Tracklets(
            folder,
            tuple(self._runs[number] for number in sorted(self._runs)),
            whole("tracklet"),
            whole("run"),
            whole("identity"),
            whole("frame"),
            real("time_s"),
            real("box").reshape(-1, 4),
            real("score"),
            real("covered"),
            whole("class"),
            np.unique(np.array(self._pairs, np.int64).reshape(-1, 2), axis=0),
            hashes,
            np.array([which.get(crop.get("model", 0), -1) for crop in crops], np.int64),
            tuple(crop.get("vector", "") for crop in crops),
        )

    def _take_run(self, record: dict[str, Any]) -> None:
        number = int(record["run"])
        session = record.get("session")
        self._runs[number] = TrackletRun(
            number, str(record["source"]), record["rate_hz"], record["began_unix_s"], session and str(session)
        )

    def _take_model(self, record: dict[str, Any]) -> None:
        self._models[int(record["model"])] = str(record["hash"])

    def _take_crop(self, record: dict[str, Any]) -> None:
        whole = [record[key] for key in ("tracklet", "run", "identity", "frame", "class", "bytes")]
        real = [record[key] for key in ("time_s", "score", "covered")]
        if not all(type(value) is int for value in whole) or record["run"] not in self._runs:
            raise ValueError(record)
        if not np.isfinite([*real, *record["box"]]).all() or len(record["box"]) != 4:
            raise ValueError(record)
        if "vector" in record and (record["model"] not in self._models or not isinstance(record["vector"], str)):
            raise ValueError(record)
        self._crops[record["tracklet"], record["frame"]] = record

    def _take_together(self, record: dict[str, Any]) -> None:
        self._pairs.extend((min(a, b), max(a, b)) for a, b in pairs_of(record) if a != b)

    def _take_doubt(self, record: dict[str, Any]) -> None:
        tracklet, since = int(record["tracklet"]), float(record["since_s"])
        self._doubted[tracklet] = min(since, self._doubted.get(tracklet, np.inf))


def pairs_of(record: dict[str, Any]) -> list[list[int]]:
    """Pairs of tracklets that were seen together, of a record that says so."""
    pairs: list[list[int]] = np.array(record["pairs"], np.int64).reshape(-1, 2).tolist()
    return pairs


def picture_lengths(folder: Path) -> Lengths:
    """Bytes of every picture by tracklet and frame; one look at the folders, no file is opened."""
    found: Lengths = {}
    try:
        entries = [entry for entry in os.scandir(folder) if entry.name.isdigit()]
    except OSError:
        return found
    for entry in entries:
        try:
            pictures = {
                int(name): picture.stat().st_size
                for picture in os.scandir(entry.path)
                if (name := picture.name.removesuffix(".jpg")).isdigit()
            }
        except OSError:  # deleted meanwhile, or a file in the way
            continue
        found[int(entry.name)] = pictures
    return found

"""Puts a tracklet store in order: what was damaged, taken out or came in doubt leaves the disk."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from reid.atomic import discard_draft, write_whole
from reid.errors import DataError
from reid.tracklets.reading import StoreReader, pairs_of, picture_lengths
from reid.tracklets.records import PICTURES, RECORDS, check_header, encode_record, new_header, parse
from reid.tracklets.removing import delete_strangers, is_picture, open_store, tracklet_folders

BLOCK_BYTES: Final = 4096
"""What most file systems hand out at a time: a file of one byte takes as much."""

Record: TypeAlias = dict[str, Any]
Select: TypeAlias = Callable[[list[Record], Mapping[int, Record]], list[Record]]
"""Given the records of crops, and of runs by number, those of the crops that are to stay."""


@dataclass(frozen=True, slots=True)
class StoreSize:
    """How much a store holds, or a part of it."""

    crops: int = 0
    """Crops that count."""
    tracklets: int = 0
    """Tracklets that have one."""
    disk_bytes: int = 0
    """What pictures, their folders and the records take on the disk, in whole blocks."""

    def __add__(self, more: StoreSize) -> StoreSize:
        """Both together."""
        return StoreSize(self.crops + more.crops, self.tracklets + more.tracklets, self.disk_bytes + more.disk_bytes)


def on_disk(size: int) -> int:
    """Bytes that a file of this size takes on the disk."""
    return -(-size // BLOCK_BYTES) * BLOCK_BYTES


def measure_tracklets(folder: str | Path) -> StoreSize:
    """How much a store holds; somebody may be writing it.

    Raises:
        DataError: there is no store, it is another file or of a later version.
        OSError: it cannot be read.
    """
    return _Store(Path(folder)).size()


def weigh_tracklets(folder: str | Path) -> int:
    """Bytes that a store's own files and folders take on the disk, in whole blocks, also where nobody can read them.

    Or half of one, that was being deleted: its records go first.

    Raises:
        OSError: a folder cannot be looked into.
    """
    folder, taken = Path(folder), 0
    with contextlib.suppress(FileNotFoundError):
        taken += on_disk((folder / RECORDS).stat().st_size)
    with contextlib.suppress(FileNotFoundError):  # it is being deleted
        for tracklet in tracklet_folders(folder):
            pictures = [file.stat().st_size for file in tracklet.iterdir() if is_picture(file)]
            taken += BLOCK_BYTES + sum(map(on_disk, pictures))
    return taken


def tidy_tracklets(
    folder: str | Path, select: Select | None = None, *, wait_s: float = 0.0
) -> tuple[StoreSize, StoreSize]:
    """Rewrite a store without what no longer counts; returns what it holds then, and what `select` left out.

    Out go damaged lines, crops without a whole picture, crops that came in doubt, whatever else was said of their
    tracklets, pictures without a record, and crops that `select` leaves out. A damaged header is replaced. The records
    are replaced at once and the pictures go after that: wherever it ends, the store reads and can be tidied again.

    Args:
        folder: a store that nobody is writing.
        select: see `Select`; None keeps all.
        wait_s: how long to wait for another process.

    Raises:
        DataError: there is no store, it is another file or of a later version, or another process writes it.
        OSError: it cannot be read or written.
    """
    folder = Path(folder)
    path = folder / RECORDS
    if not path.is_file():
        raise DataError(f"{folder} is no tracklet store: it has no {RECORDS}")
    file = open_store(path, wait_s=wait_s)
    try:
        discard_draft(path)
        store = _Store(folder)
        dropped = store.select(select) if select else StoreSize()
        store.write()
        delete_strangers(folder, store.frames())
        return store.size(), dropped
    finally:
        os.close(file)


class _Store:
    """The records of a store, and which of them count."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / RECORDS
        self._data = self._path.read_bytes()
        lines = [(line, parse(line)) for line in self._data.split(b"\n")[:-1]]
        if lines and "schema" in lines[0][1]:
            check_header(self._path, lines[0][1])
            self._header = lines.pop(0)[0]
        else:  # overwritten or cut off: the records tell what they are by themselves
            self._header = encode_record(new_header())
        reader = StoreReader()
        self._lines = [(line, record) for line, record in lines if reader.take(record)]
        self._crops = reader.whole(picture_lengths(folder / PICTURES))

    def select(self, select: Select) -> StoreSize:
        """Keep only the chosen crops, and tell how much went."""
        runs = {int(record["run"]): record for _, record in self._lines if record["kind"] == "run"}
        kept = select(self._crops, runs)
        stay = {id(crop) for crop in kept}
        dropped = _size([crop for crop in self._crops if id(crop) not in stay], 0)
        self._crops = kept
        return dropped

    def frames(self) -> dict[int, set[int]]:
        """Frames of the crops that count, by tracklet."""
        found: dict[int, set[int]] = {}
        for crop in self._crops:
            found.setdefault(crop["tracklet"], set()).add(crop["frame"])
        return found

    def write(self) -> None:
        """Replace the records, where anything changes."""
        data = b"\n".join([self._header, *self._kept_lines(), b""])
        if data != self._data:
            write_whole(self._path, data)
            self._data = data

    def size(self) -> StoreSize:
        """What is left."""
        return _size(self._crops, len(self._data))

    def _kept_lines(self) -> Iterator[bytes]:
        crops, tracklets = {id(crop) for crop in self._crops}, self.frames()
        said = [int(record["run"]) for _, record in self._lines if record["kind"] == "run"]
        runs = {crop["run"] for crop in self._crops} | {max(said, default=0)}  # the last one may be going on
        for line, record in self._lines:
            kind = record["kind"]
            if kind == "together":
                pairs = [[a, b] for a, b in pairs_of(record) if a in tracklets and b in tracklets]
                if pairs:
                    yield line if pairs == record["pairs"] else encode_record(record | {"pairs": pairs})
            elif kind == "crop":
                if id(record) in crops:
                    yield line
            elif kind == "run":
                if int(record["run"]) in runs:
                    yield line
            elif kind != "doubt":  # models, and what later writers say
                yield line


def _size(crops: list[Record], record_bytes: int) -> StoreSize:
    pictures = sum(on_disk(crop["bytes"]) for crop in crops)
    tracklets = len({crop["tracklet"] for crop in crops})
    return StoreSize(len(crops), tracklets, pictures + tracklets * BLOCK_BYTES + on_disk(record_bytes))

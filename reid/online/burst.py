"""A burst: half a minute of all that a detector gave, with the crops of whom a tracker embeds, to be tracked again."""

from __future__ import annotations

import contextlib
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from reid.data.pictures import Image, decode
from reid.errors import DataError

_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class BurstInfo:
    """What a burst is of."""

    camera: str
    """Name of the source."""
    session: str
    """Which start of the tracker, since identities are numbered anew with each."""
    began_unix_s: float
    """When its first frame was seen, seconds since 1970."""
    identities: tuple[int, ...]
    """Under which numbers objects were reported in it, or a moment later."""
    frame_size: tuple[int, int]
    """(width_px, height_px) of the frames."""
    tracker: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the tracker that ran, as JSON can say them."""


@dataclass(frozen=True, slots=True, eq=False)
class Burst:
    """F frames with N detections in all, and JPEGs of some of these."""

    info: BurstInfo
    """What it is of."""
    time_s: NDArray[np.float64]
    """(F,) when each frame was taken, seconds since the source began."""
    first: NDArray[np.int64]
    """(F + 1,) where the detections of each frame begin; the last one is N."""
    boxes: NDArray[np.float32]
    """(N, 4) `x1, y1, x2, y2` in pixels."""
    scores: NDArray[np.float32]
    """(N,) of the detector."""
    classes: NDArray[np.int64]
    """(N,) of the objects."""
    jpegs: Sequence[bytes]
    """N pictures of what the boxes show; empty where none was kept."""

    def crops(self, rows: NDArray[np.int64]) -> list[Image]:
        """Pictures (H, W, 3) of detections (n,).

        Raises:
            DataError: of one of them no picture was kept, or it is damaged.
        """
        found = [decode(self.jpegs[row]) if self.jpegs[row] else None for row in rows.tolist()]
        pictures = [picture for picture in found if picture is not None]
        if len(pictures) < len(found):
            raise DataError(
                f"a burst must have pictures of the detections {rows.tolist()}: some are missing or damaged"
            )
        return pictures

    def write(self, file: BinaryIO) -> None:
        """Write it into an open file, as `.npz`."""
        np.savez(
            file,
            info=np.frombuffer(json.dumps({"version": _VERSION, **asdict(self.info)}).encode(), np.uint8),
            time_s=self.time_s,
            first=self.first,
            boxes=self.boxes,
            scores=self.scores,
            classes=self.classes,
            jpeg=np.frombuffer(b"".join(self.jpegs), np.uint8),
            jpeg_bytes=np.array([len(jpeg) for jpeg in self.jpegs], np.int64),
        )


def read_burst(path: Path) -> Burst:
    """A burst from its file.

    Raises:
        DataError: it is damaged, or of a later version.
        FileNotFoundError: there is none.
    """
    with _opened(path) as file:
        return _burst(file)


def read_burst_info(path: Path) -> BurstInfo:
    """What a burst is of, without reading its pictures; raises as `read_burst` does."""
    with _opened(path) as file:
        return _info(file)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Mapping[str, NDArray[Any]]]:
    """The columns of a file; whatever is wrong with one is told as a damage of the file."""
    try:
        with path.open("rb") as data:
            if not zipfile.is_zipfile(data):  # numpy would take it for a pickle, and recommend to trust it
                raise zipfile.BadZipFile("it has no table of contents")
            data.seek(0)
            with np.load(data, allow_pickle=False) as file:
                yield file
    except FileNotFoundError:
        raise
    except Exception as error:  # what zipfile raises at a flipped bit is of many kinds
        raise DataError(f"{path} is damaged, or no burst that this version can read: {error}; delete it") from error


def _info(file: Mapping[str, NDArray[Any]]) -> BurstInfo:
    said = json.loads(file["info"].tobytes())
    if said.pop("version") != _VERSION:
        raise ValueError("it is of another version")
    said["identities"], said["frame_size"] = tuple(said["identities"]), tuple(said["frame_size"])
    return BurstInfo(**said)


def _burst(file: Mapping[str, NDArray[Any]]) -> Burst:
    data, ends = file["jpeg"].tobytes(), np.cumsum(file["jpeg_bytes"]).tolist()
    jpegs = [data[begin:end] for begin, end in zip([0, *ends[:-1]], ends, strict=True)] if ends else []
    columns = {name: file[name] for name in ("time_s", "first", "boxes", "scores", "classes")}
    if not len(columns["boxes"]) == len(columns["scores"]) == len(columns["classes"]) == len(jpegs):
        raise ValueError("its columns do not fit each other")
    return Burst(_info(file), **columns, jpegs=jpegs)

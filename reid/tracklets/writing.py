"""Writes a tracklet store, so that whatever ends the program leaves one that reads."""

from __future__ import annotations

import base64
import contextlib
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid.checks import check_whole
from reid.data.pictures import encode
from reid.errors import DataError, InputError
from reid.tracklets.reading import is_tracklet_store
from reid.tracklets.records import RECORDS, encode_record, new_header, picture_path, records
from reid.tracklets.removing import open_store


class TrackletWriter:
    """Adds runs, crops and what is known of them to a store.

    A picture is moved to its name when it is whole, and its record follows; records are added in whole lines. So a
    program that is killed, or a disk that is full, costs at most what was written last. One process may write at a
    time, others may read.

    Args:
        folder: made where missing.
        append: go on with a store that is there (numbers of tracklets go on, too); otherwise that is an error.
        jpeg_quality: 1..100.

    Raises:
        DataError: a store is there and `append` is False, or it cannot be gone on with, or another process writes it.
        InputError: the quality is out of range.
        OSError: it cannot be written; this goes for all methods.
    """

    def __init__(self, folder: str | Path, *, append: bool = False, jpeg_quality: int = 92) -> None:
        check_whole("jpeg_quality", jpeg_quality, 1, 100)
        self.folder = Path(folder)
        self.next_tracklet = 1
        """Lowest number that no tracklet has yet."""
        self._quality = jpeg_quality
        self._run = 0
        self._models: dict[str, int] = {}
        self._waiting: list[bytes] = []
        path = self.folder / RECORDS
        going_on = is_tracklet_store(self.folder)
        if going_on and not append:
            raise DataError(f"{path} exists: choose another folder, or go on with it (append)")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._file = open_store(path, os.O_CREAT | os.O_APPEND)
        try:
            self._cut_to_whole_lines()
            if os.fstat(self._file).st_size:
                self._recall()
            else:
                self._put(new_header())
                self.commit()
        except BaseException:
            os.close(self._file)
            self._file = -1
            raise

    def begin_run(
        self,
        source: str,
        *,
        rate_hz: float | None = None,
        began_unix_s: float | None = None,
        session: str | None = None,
    ) -> int:
        """Begin a run of a tracker over a source, with identities and frames of its own; returns its number.

        `began_unix_s` is when its `time_s` was 0, None for now; `session` as in `TrackletRun`.
        """
        self._run += 1
        began = round(time.time() if began_unix_s is None else began_unix_s, 3)
        record = {"kind": "run", "run": self._run, "source": source, "rate_hz": rate_hz, "began_unix_s": began}
        self._put(record if session is None else record | {"session": session})
        return self._run

    def add_crop(
        self,
        tracklet: int,
        crop: NDArray[np.uint8],
        *,
        identity: int,
        frame: int,
        time_s: float,
        box: ArrayLike,
        score: float,
        covered: float = 0.0,
        class_number: int = 0,
        vector: NDArray[np.float32] | None = None,
        model_hash: str | None = None,
    ) -> int:
        """Store a crop (H, W, 3) BGR uint8 of a tracklet; the fields are those of `Tracklets`. Returns its bytes.

        `vector` (D,) is what the model of `model_hash` says of the crop, stored as float16.

        Raises:
            InputError: there is no run yet, a vector comes without its model, the crop is no picture, or the frame is
                below 0.
        """
        if not self._run:
            raise InputError("add_crop must come after begin_run")
        if crop.dtype != np.uint8 or crop.ndim != 3 or crop.shape[2] != 3 or not crop.size:
            raise InputError(f"crop must be (H, W, 3) uint8 and not empty, got {crop.shape} {crop.dtype}")
        if frame < 0:
            raise InputError(f"frame must be 0 or more, got {frame}")
        if (vector is None) != (model_hash is None):
            raise InputError("vector and model_hash must be given together: vectors of two models never mix")
        data = encode(crop, self._quality)
        _write_whole(picture_path(self.folder, tracklet, frame), data)
        record: dict[str, Any] = {
            "kind": "crop",
            "tracklet": tracklet,
            "run": self._run,
            "identity": identity,
            "frame": frame,
            "time_s": round(time_s, 6),
            "box": [round(float(corner), 2) for corner in np.asarray(box).tolist()],
            "score": round(float(score), 4),
            "covered": round(float(covered), 3),
            "class": class_number,
            "bytes": len(data),
        }
        if vector is not None and model_hash is not None:
            record["model"] = self._model(model_hash, len(vector))
            record["vector"] = base64.b64encode(np.asarray(vector, "<f2").tobytes()).decode()
        self._put(record)
        self.next_tracklet = max(self.next_tracklet, tracklet + 1)
        return len(data)

    def together(self, pairs: NDArray[np.int64], *, frame: int) -> None:
        """Note that these pairs of tracklets (n, 2) were seen in one frame, as different objects."""
        if len(pairs):
            self._put({"kind": "together", "run": self._run, "frame": frame, "pairs": pairs.tolist()})
            self.next_tracklet = max(self.next_tracklet, int(pairs.max()) + 1)

    def doubt(self, tracklet: int, *, since_s: float) -> None:
        """Take back what was said of a tracklet from `since_s` on: those crops may show another object."""
        self._put({"kind": "doubt", "tracklet": tracklet, "since_s": round(since_s, 6)})

    def commit(self) -> None:
        """Hand all records to the system; what was committed survives the end of this process."""
        data = b"".join(self._waiting)
        self._waiting.clear()
        size = os.fstat(self._file).st_size if data else 0
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._file, view) :]
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, size)  # a reader would ignore the half line, but the next writer must not
            raise

    def close(self) -> None:
        """Write what waits and let the store go; harmless more than once."""
        if self._file < 0:
            return
        try:
            self.commit()
            os.fsync(self._file)
        finally:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> TrackletWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _put(self, record: dict[str, Any]) -> None:
        if self._file < 0:
            raise InputError(f"{self.folder} is closed")
        self._waiting.append(encode_record(record) + b"\n")

    def _model(self, model_hash: str, dimension: int) -> int:
        if model_hash not in self._models:
            number = self._models[model_hash] = len(self._models) + 1
            self._put({"kind": "model", "model": number, "hash": model_hash, "dimension": dimension})
        return self._models[model_hash]

    def _cut_to_whole_lines(self) -> None:
        """Drop the half line that a writer left which was killed while it wrote."""
        size = os.fstat(self._file).st_size
        kept, step = size, 1 << 16
        while kept:
            start = max(0, kept - step)
            at = os.pread(self._file, kept - start, start).rfind(b"\n")
            if at >= 0:
                kept = start + at + 1
                break
            kept = start
        if kept < size:
            os.ftruncate(self._file, kept)

    def _recall(self) -> None:
        """Numbers that are taken already."""
        for _, record in records(self.folder):
            with contextlib.suppress(KeyError, TypeError, ValueError):
                kind = record["kind"]
                if kind == "run":
                    self._run = max(self._run, int(record["run"]))
                elif kind == "model":
                    self._models[str(record["hash"])] = int(record["model"])
                elif kind == "crop":
                    self.next_tracklet = max(self.next_tracklet, int(record["tracklet"]) + 1)
                elif kind == "together":
                    self.next_tracklet = max(self.next_tracklet, int(np.max(record["pairs"])) + 1)


def _write_whole(path: Path, data: bytes) -> None:
    """Write a file that has its name only once it is whole."""
    draft = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(data)
        draft.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise

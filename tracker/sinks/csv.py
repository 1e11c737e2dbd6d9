"""A flat table, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from tracker.errors import InputError
from tracker.sinks.text import LineFile
from tracker.types import FrameResult, RunInfo

COLUMNS = ("frame", "time_s", "id", "x1", "y1", "x2", "y2", "score", "class", "class_name", "coasted")


class CsvSink:
    """One row an object and frame below a header row; comma, UTF-8, quoted where needed, lines end in LF (RFC 4180).

    | column | meaning |
    |---|---|
    | frame | the source's frame number, from 1 |
    | time_s | seconds since the source began |
    | id | the identity's number, from 1 |
    | x1, y1, x2, y2 | the box in pixels |
    | score | the detector's, 0..1 |
    | class, class_name | number and name; the name is empty where the detector has none |
    | coasted | 1 where the position is predicted, else 0 |

    Args:
        path: the file.
        overwrite: replace an existing one.

    Raises:
        OutputError: as `MotSink`.
    """

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        self.path = path
        self._overwrite = overwrite
        self._file: LineFile | None = None
        self._class_names: Mapping[int, str] = {}

    def open(self, run: RunInfo) -> None:
        """Make the file and write the header row."""
        self._class_names = run.class_names
        self._file = LineFile(self.path, overwrite=self._overwrite)
        self._file.write(",".join(COLUMNS) + "\n")

    def write(self, result: FrameResult) -> None:
        """Append one frame."""
        if self._file is None:
            raise InputError(f"{self.path} is not open")
        tracks = result.tracks
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        columns = (tracks.ids, tracks.boxes, tracks.scores, tracks.classes, tracks.coasted)
        for track_id, box, score, number, coasted in zip(*(c.tolist() for c in columns), strict=True):
            corners = [f"{corner:.2f}" for corner in box]
            name = self._class_names.get(number, "")
            head = (result.frame.index, f"{result.frame.time_s:.6f}", track_id)
            table.writerow((*head, *corners, f"{score:.4f}", number, name, int(coasted)))
        self._file.write(text.getvalue())

    def close(self) -> None:
        """Finish the file."""
        if self._file is not None:
            self._file.close()

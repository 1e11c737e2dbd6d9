"""A flat table, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io

from tracker.sinks.text import TextSink
from tracker.types import FrameResult, RunInfo

COLUMNS = ("frame", "time_s", "id", "x1", "y1", "x2", "y2", "score", "class", "class_name", "coasted")


class CsvSink(TextSink):
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
    """

    def _head(self, run: RunInfo) -> str:  # noqa: ARG002 - the same for every run
        return ",".join(COLUMNS) + "\n"

    def write(self, result: FrameResult) -> None:
        """Append one frame."""
        tracks = result.tracks
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        columns = (tracks.ids, tracks.boxes, tracks.scores, tracks.classes, tracks.coasted)
        for track_id, box, score, number, coasted in zip(*(c.tolist() for c in columns), strict=True):
            corners = [f"{corner:.2f}" for corner in box]
            name = self._class_names.get(number, "")
            head = (result.frame.index, f"{result.frame.time_s:.6f}", track_id)
            table.writerow((*head, *corners, f"{score:.4f}", number, name, int(coasted)))
        self._append(text.getvalue())

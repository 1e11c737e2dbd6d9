"""The rows of a training, in memory, in a CSV file and in a picture."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from reid.learning.trainer.progress import TrainProgress

COLUMNS = tuple(field.name for field in dataclasses.fields(TrainProgress))


class Recorder(Protocol):
    """Is told every row, and is closed at the end."""

    def add(self, row: TrainProgress) -> None: ...
    def close(self) -> None: ...


class CsvHistory:
    """`history.csv`: a row every `log_every` steps and at every validation, empty where nothing was measured.

    It begins with the rows that are known already: after a kill the file may have rows that no checkpoint knows, and
    they come again.

    Args:
        path: the file.
        rows: what it begins with.
    """

    def __init__(self, path: Path, rows: Sequence[TrainProgress] = ()) -> None:
        draft = path.with_name(f".{path.name}-draft")
        draft.write_text(_lines([COLUMNS, *map(_cells, rows)]), encoding="utf-8")
        draft.replace(path)
        self._file = path.open("a", encoding="utf-8", newline="")

    def add(self, row: TrainProgress) -> None:
        """One line, on the disk at once."""
        self._file.write(_lines([_cells(row)]))
        self._file.flush()

    def close(self) -> None:
        """The file is complete already."""
        self._file.close()


def row_to_plain(row: TrainProgress) -> dict[str, Any]:
    """For a checkpoint."""
    return dataclasses.asdict(row)


def row_from_plain(values: Mapping[str, Any]) -> TrainProgress:
    """From a checkpoint."""
    return TrainProgress(**values)


def read_history(path: Path) -> list[TrainProgress]:
    """The rows of a `history.csv`, also while the training runs; a last line that is not whole yet is left out.

    Raises:
        OSError: it cannot be read.
    """
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    kinds = {field.name: int if field.type == "int" else float for field in dataclasses.fields(TrainProgress)}
    rows = csv.DictReader(io.StringIO(whole))
    return [row_from_plain({k: None if v == "" else kinds[k](v) for k, v in row.items()}) for row in rows]


def _cells(row: TrainProgress) -> list[str]:
    """As texts; `repr` of a float reads back to the same float."""
    return ["" if value is None else repr(value) for value in dataclasses.astuple(row)]


def _lines(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()

"""Reads MOTChallenge text: ground truth of MOT15, MOT16, MOT17 and MOT20, and tracks. Errors name file and line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np

from tracker.errors import InputError

if TYPE_CHECKING:
    from tracker.types import BoolArray, DoubleArray, IntArray

Benchmark: TypeAlias = Literal["MOT15", "MOT16", "MOT17", "MOT20"]
"""Whose rules ground truth follows: MOT15 knows no classes; MOT20 counts vehicles as distractors, the others do not."""

PEDESTRIAN = 1
"""The class that is scored."""
_CLASSES = range(1, 14)  # of MOT16, 17 and 20: pedestrian .. crowd
_INEXACT = 2.0**53  # from here on two whole numbers may be read as one


@dataclass(frozen=True, slots=True, eq=False)
class MotTruth:
    """Ground truth of one sequence, one row a box."""

    frame: IntArray
    """(n,) frame number, from 1."""
    id: IntArray
    """(n,) identity."""
    boxes: DoubleArray
    """(n, 4) `x1, y1, x2, y2` in pixels."""
    considered: BoolArray
    """(n,) False where the row's flag is 0: not scored."""
    classes: IntArray
    """(n,) class of MOT16, 17 and 20; 1 for all rows of MOT15."""
    benchmark: Benchmark
    """Whose rules apply."""


@dataclass(frozen=True, slots=True, eq=False)
class MotTracks:
    """Tracks of one sequence, one row a box."""

    frame: IntArray
    """(n,) frame number, from 1."""
    id: IntArray
    """(n,) identity."""
    boxes: DoubleArray
    """(n, 4) `x1, y1, x2, y2` in pixels."""


def read_mot_truth(path: str | Path, benchmark: Benchmark | Literal["auto"] = "auto") -> MotTruth:
    """Read a `gt.txt`: `frame,id,left,top,width,height,flag[,class,visibility | ,x,y,z]`.

    With `auto`, rows of nine columns whose eighth is a class (1 to 13) are MOT17 (whose rules are those of MOT16), or
    MOT20 where a folder of the path is called so; everything else is MOT15, which knows no classes.

    Raises:
        InputError: the file cannot be read, or a row is not what it should be; the message names file and line.
    """
    if benchmark != "auto" and benchmark not in get_args(Benchmark):
        raise InputError(f"benchmark must be auto, {', '.join(get_args(Benchmark))}, got {benchmark!r}")
    path = Path(path)
    values, lines = _read_numbers(path, least=7)
    rules = _recognise(values, path) if benchmark == "auto" else benchmark
    classes = np.full(len(values), PEDESTRIAN, np.int64)
    if rules != "MOT15":
        if values.shape[1] < 8:
            raise InputError(
                f"{path}: {rules} ground truth must have a class in column 8, got {values.shape[1]} columns"
            )
        classes = _whole(values[:, 7], "class (column 8)", path, lines)
        _refuse(~np.isin(classes, _CLASSES), "class (column 8) must be within 1..13", classes, path, lines)
    frame, identity, boxes = _common(values, path, lines)
    return MotTruth(frame, identity, boxes, values[:, 6] != 0, classes, rules)


def read_mot_tracks(path: str | Path) -> MotTracks:
    """Read tracks: `frame,id,left,top,width,height[,score,...]`; an empty file means that nothing was tracked.

    Raises:
        InputError: the file cannot be read, or a row is not what it should be; the message names file and line.
    """
    path = Path(path)
    values, lines = _read_numbers(path, least=6)
    return MotTracks(*_common(values, path, lines))


def _read_numbers(path: Path, least: int) -> tuple[DoubleArray, IntArray]:
    """(n, columns) values and (n,) line numbers; commas or blanks part the columns, blank lines are skipped."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} must be MOT text, got a file that is not text") from error
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    kept = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    lines = np.array([number for number, _ in kept], np.int64)
    if not kept:
        return np.zeros((0, least)), lines
    separator = "," if "," in kept[0][1] else None
    try:
        values = np.loadtxt([line for _, line in kept], np.float64, delimiter=separator, ndmin=2, comments=None)
    except ValueError:
        values = _read_slowly(kept, separator, path)
    if values.shape[1] < least:
        raise InputError(f"{path}:{lines[0]}: a row must have at least {least} columns, got {values.shape[1]}")
    return values, lines


def _read_slowly(kept: list[tuple[int, str]], separator: str | None, path: Path) -> DoubleArray:
    """What the fast reader refused: the same, or an error that says where and why."""
    columns = len(kept[0][1].split(separator))
    rows = []
    for number, line in kept:
        cells = line.split(separator)
        if len(cells) != columns:
            raise InputError(f"{path}:{number}: every row must have {columns} columns as the first, got {len(cells)}")
        for position, cell in enumerate(cells, 1):
            try:
                float(cell)
            except ValueError:
                raise InputError(f"{path}:{number}: column {position} must be a number, got {cell.strip()!r}") from None
        rows.append([float(cell) for cell in cells])
    return np.array(rows, np.float64)


def _refuse(bad: BoolArray, must: str, got: DoubleArray | IntArray, path: Path, lines: IntArray) -> None:
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise InputError(f"{path}:{lines[row]}: {must}, got {got[row]:g}")


def _whole(column: DoubleArray, name: str, path: Path, lines: IntArray) -> IntArray:
    _refuse(
        ~(np.isfinite(column) & (column == np.floor(column))), f"{name} must be a whole number", column, path, lines
    )
    _refuse(np.abs(column) >= _INEXACT, f"{name} must be within +-(2^53 - 1)", column, path, lines)
    return column.astype(np.int64)


def _common(values: DoubleArray, path: Path, lines: IntArray) -> tuple[IntArray, IntArray, DoubleArray]:
    """The columns that truth and tracks share: frame, identity, boxes as corners."""
    frame = _whole(values[:, 0], "frame (column 1)", path, lines)
    _refuse(frame < 1, "frame (column 1) must be 1 or more", frame, path, lines)
    identity = _whole(values[:, 1], "id (column 2)", path, lines)
    for column, name in ((2, "left"), (3, "top"), (4, "width"), (5, "height")):
        must = f"{name} (column {column + 1}) must be finite"
        _refuse(~np.isfinite(values[:, column]), must, values[:, column], path, lines)
    for column, name in ((4, "width"), (5, "height")):
        must = f"{name} (column {column + 1}) must be 0 or more"
        _refuse(values[:, column] < 0, must, values[:, column], path, lines)
    order = np.lexsort((identity, frame))
    twice = np.flatnonzero((np.diff(frame[order]) == 0) & (np.diff(identity[order]) == 0))
    if len(twice):
        first, second = sorted(lines[order[twice[0] : twice[0] + 2]].tolist())
        who = identity[order[twice[0]]]
        hint = " (-1 marks detections, not tracks)" if who == -1 else ""
        raise InputError(f"{path}:{second}: id {who} must appear once a frame, but line {first} has it too{hint}")
    corners = np.concatenate((values[:, 2:4], values[:, 2:4] + values[:, 4:6]), axis=1)  # (n, 4)
    return frame, identity, corners


def _recognise(values: DoubleArray, path: Path) -> Benchmark:
    if values.shape[1] != 9 or not np.isin(values[:, 7], _CLASSES).all():
        return "MOT15"
    return "MOT20" if any("MOT20" in part.upper() for part in path.absolute().parts) else "MOT17"

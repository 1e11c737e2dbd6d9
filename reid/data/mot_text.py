"""MOTChallenge text: ground truth of MOT15, 16, 17 and 20, and a tracker's own output."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid.errors import DataError

# MOT16 (Milan et al. 2016), table 3, and MOT20: distractor, occluder (3 kinds), reflection, crowd: no one object each
_NO_OBJECT = (8, 9, 10, 11, 12, 13)
_CLASSES = range(1, 14)


@dataclass(frozen=True, slots=True, eq=False)
class MotRows:
    """Boxes of one sequence, in order of frames."""

    frame: NDArray[np.int64]
    """(n,) from 1."""
    id: NDArray[np.int64]
    """(n,)"""
    boxes: NDArray[np.float64]
    """(n, 4) `x1, y1, x2, y2` in pixels; may reach over the border."""
    considered: NDArray[np.bool_]
    """(n,) False where the row is to be ignored."""
    visibility: NDArray[np.float64]
    """(n,) share that is to be seen, 0..1."""


def read_mot(path: Path, *, truth: bool) -> MotRows:
    """Rows `frame,id,left,top,width,height[,flag[,class,visibility | ,x,y,z]]`; commas or blanks part the columns.

    Ground truth: rows whose flag (column 7) is 0 are to be ignored. Nine columns whose eighth is a class are MOT16, 17
    or 20: distractors, occluders, reflections and crowds are to be ignored too, and the last column is the visibility.
    Otherwise (MOT15, and a tracker's output, whose column 7 is a score) visibility is the share of a box that no box
    with a lower foot covers, since that stands nearer to the camera.

    Raises:
        DataError: the file cannot be read, or a row is not as above; the message names file and line.
    """
    values, lines = _numbers(path)
    frame, who = values[:, 0].astype(np.int64), values[:, 1].astype(np.int64)
    _refuse((frame != values[:, 0]) | (frame < 1), "frame (column 1) must be a whole number from 1", path, lines)
    _refuse(who != values[:, 1], "id (column 2) must be a whole number", path, lines)
    _refuse((values[:, 4:6] < 0).any(axis=1), "width and height (columns 5 and 6) must be 0 or more", path, lines)
    boxes = np.concatenate((values[:, 2:4], values[:, 2:4] + values[:, 4:6]), axis=1)
    considered = np.ones(len(values), np.bool_)
    if truth:
        if values.shape[1] < 7:
            raise DataError(f"{path}: ground truth must have 7 columns or more, got {values.shape[1]}")
        considered = values[:, 6] != 0
    classed = truth and values.shape[1] == 9 and bool(np.isin(values[:, 7], _CLASSES).all())
    if classed:
        considered &= ~np.isin(values[:, 7], _NO_OBJECT)
    considered &= who >= 0  # -1 marks detections that belong to nobody
    order = np.lexsort((who, frame))
    twice = np.flatnonzero((np.diff(frame[order]) == 0) & (np.diff(who[order]) == 0) & considered[order[1:]])
    if len(twice):
        first, second = sorted(lines[order[twice[0] : twice[0] + 2]].tolist())
        number = who[order[twice[0]]]
        raise DataError(f"{path}:{second}: id {number} must appear once a frame, but line {first} has it too")
    frame, boxes = frame[order], boxes[order]
    seen = values[order, 8].clip(0, 1) if classed else _uncovered(frame, boxes, considered[order])
    return MotRows(frame, who[order], boxes, considered[order], seen)


def _numbers(path: Path) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(n, columns) values and (n,) line numbers."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} must be MOT text, got a file that is not text") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    kept = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not kept:
        raise DataError(f"{path} must hold boxes, got an empty file")
    lines = np.array([number for number, _ in kept], np.int64)
    separator = "," if "," in kept[0][1] else None
    columns = len(kept[0][1].split(separator))
    if columns < 6:
        raise DataError(f"{path}:{lines[0]}: must be frame,id,left,top,width,height,..., got {kept[0][1][:80]!r}")
    try:
        values = np.loadtxt([line for _, line in kept], np.float64, delimiter=separator, ndmin=2, comments=None)
    except ValueError:
        values = np.array([_slowly(path, number, line.split(separator), columns) for number, line in kept])
    _refuse(~np.isfinite(values[:, :6]).all(axis=1), "columns 1 to 6 must be finite numbers", path, lines)
    return values, lines


def _slowly(path: Path, number: int, cells: list[str], columns: int) -> list[float]:
    """One line of a file that the quick reader refused: its numbers, or what is wrong."""
    if len(cells) != columns:
        raise DataError(f"{path}:{number}: every row must have {columns} columns as the first, got {len(cells)}")
    values = []
    for column, cell in enumerate(cells, 1):
        try:
            values.append(float(cell))
        except ValueError:
            raise DataError(f"{path}:{number}: column {column} must be a number, got {cell.strip()!r}") from None
    return values


def _refuse(bad: Any, must: str, path: Path, lines: NDArray[np.int64]) -> None:
    if np.any(bad):  # (n,) bool
        raise DataError(f"{path}:{lines[np.flatnonzero(bad)[0]]}: {must}")


def _uncovered(frame: NDArray[np.int64], boxes: NDArray[np.float64], counts: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(n,) share of each box that the one box with a lower foot which covers most of it leaves; frames sorted."""
    seen = np.ones(len(frame))
    starts = np.flatnonzero(np.r_[True, np.diff(frame) > 0, True])
    for start, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        part = boxes[start:end]  # (m, 4)
        low = np.maximum(part[:, None, :2], part[None, :, :2])  # (m, m, 2)
        high = np.minimum(part[:, None, 2:], part[None, :, 2:])
        common = (high - low).clip(0).prod(axis=2)
        nearer = (part[None, :, 3] > part[:, None, 3]) & counts[start:end]  # (m, m) column stands before row
        area = np.maximum((part[:, 2:] - part[:, :2]).prod(axis=1), 1e-9)
        seen[start:end] = 1 - (common * nearer).max(axis=1) / area
    return seen

"""Detections that were computed before, from a MOTChallenge `det.txt`."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from tracker.errors import ConfigError, InputError
from tracker.types import Detections, DoubleArray, Frame

_logger = logging.getLogger(__name__)

_UNKNOWN_SCORE = -1.0
_RESCALED_FLOOR = 0.1  # the lowest score of a rescaled file: weak, and still above the tracker's own floor
_COLUMNS = ("frame", "id", "left", "top", "width", "height", "score")


class FileDetector:
    """Gives back the rows of a text file `frame,id,left,top,width,height[,score,...]`, frames counted from 1.

    Further columns are ignored, as is the id. Boxes are `left, top, left + width, top + height`, not clipped.
    Frames without a row have no detection; rows of frames that never come do no harm.

    Scores: where the column is absent, or holds -1 in a file whose other scores lie within 0..1, the score is unknown
    and counts as 1. A file with other scores outside 0..1 (raw outputs of a classifier, percentages) is rescaled as a
    whole, linearly: its lowest score becomes 0.1 and its highest 1. That is said once, as information in the log.

    Args:
        path: the file.
        conf: rows with a lower score (after rescaling) are left out, 0..1.

    Raises:
        InputError: the file cannot be read or a row is wrong; the message names the line.
        ConfigError: conf is out of range.
    """

    def __init__(self, path: str | Path, *, conf: float = 0.0) -> None:
        if not 0 <= conf <= 1:
            raise ConfigError(f"conf must be within 0..1, got {conf}")
        self.path = Path(path)
        rows = _read(self.path)  # (N, 7)
        scores = _scores(rows[:, 6], self.path)
        rows, scores = rows[scores >= conf], scores[scores >= conf]
        order = np.argsort(rows[:, 0], kind="stable")
        self._frames = rows[order, 0].astype(np.int64)  # (N,), sorted
        boxes = rows[order, 2:6]
        boxes[:, 2:] += boxes[:, :2]
        self._boxes = boxes.astype(np.float32)  # (N, 4)
        self._scores = scores[order].astype(np.float32)  # (N,)

    @property
    def class_names(self) -> Mapping[int, str]:
        """One class, 0: such a file names none."""
        return MappingProxyType({0: "object"})

    def __call__(self, frame: Frame) -> Detections:
        """The rows of `frame.index`, in the order of the file."""
        first, last = np.searchsorted(self._frames, [frame.index, frame.index + 1])
        size = (frame.image.shape[1], frame.image.shape[0])
        return Detections(self._boxes[first:last], self._scores[first:last], frame_size=size)


def _read(path: Path) -> DoubleArray:
    """(N, 7) frame, id, left, top, width, height, score; score NaN where the column is absent."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"detections file {path} does not exist") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"detections file {path} cannot be read as text: {error}") from error
    rows = [
        _parse(line, f"{path}, line {number}") for number, line in enumerate(text.splitlines(), start=1) if line.strip()
    ]
    if not rows:
        _logger.warning("detections file %s holds no detection", path)
    return np.array(rows, np.float64).reshape(-1, len(_COLUMNS))


def _parse(line: str, where: str) -> list[float]:
    fields = line.split(",")
    if len(fields) < 6:
        raise InputError(f"{where}: must be frame,id,left,top,width,height[,score,...] with commas, got {line[:80]!r}")
    values = []
    for name, field in zip(_COLUMNS, fields, strict=False):
        try:
            value = float(field)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise InputError(f"{where}: {name} must be a finite number, got {field.strip()!r}")
        values.append(value)
    if values[0] < 1 or values[0] != int(values[0]):
        raise InputError(f"{where}: frame must be a whole number from 1, got {fields[0].strip()}")
    if values[4] <= 0 or values[5] <= 0:
        size = f"{fields[4].strip()} x {fields[5].strip()}"
        raise InputError(f"{where}: width and height must be above 0, got {size}")
    return values if len(values) == len(_COLUMNS) else [*values, math.nan]


def _scores(raw: DoubleArray, path: Path) -> DoubleArray:
    """(N,) as written -> (N,) in 0..1."""
    absent = np.isnan(raw)
    unknown = absent | (raw == _UNKNOWN_SCORE)
    rest = raw[~unknown]
    if ((rest >= 0) & (rest <= 1)).all():
        return np.where(unknown, 1.0, raw)
    # beside raw classifier scores, -1 is a score like any other
    low, high = float(raw[~absent].min()), float(raw[~absent].max())
    _logger.warning("scores of %s lie within %g..%g: rescaled to %g..1", path, low, high, _RESCALED_FLOOR)
    span = high - low
    scaled = np.ones_like(raw) if span == 0 else _RESCALED_FLOOR + (1 - _RESCALED_FLOOR) * (raw - low) / span
    return np.where(absent, 1.0, scaled)

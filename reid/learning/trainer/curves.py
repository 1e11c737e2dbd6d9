"""The history as a picture, drawn with OpenCV: a plotting library would be the largest dependency for one file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reid.learning.trainer.history import Recorder
from reid.learning.trainer.progress import TrainProgress

_WIDTH_PX, _PANEL_PX = 960, 250
_LEFT_PX, _RIGHT_PX, _TOP_PX, _BOTTOM_PX = 64, 16, 34, 28
_INK, _GRID = (40, 40, 40), (225, 225, 225)
# Okabe and Ito 2008: told apart by the colour-blind too; BGR
_COLOURS = ((178, 114, 0), (0, 94, 213), (115, 158, 0), (167, 121, 204))
_SCALE = 0.45
_TICKS = 4


@dataclass(frozen=True, slots=True)
class _Panel:
    title: str
    fields: tuple[str, ...]
    """Of TrainProgress; the legend has them in words."""
    shares: bool = False
    """Whether the values are shares, drawn on 0..1."""


_PANELS = (
    _Panel("losses", ("loss", "triplet_loss", "identity_loss", "teacher_loss")),
    _Panel("batches", ("active_share", "mean_cosine"), shares=True),
    _Panel("distances", ("positive_distance", "negative_distance")),
    _Panel("held-out identities", ("validation_map", "validation_rank1"), shares=True),
)


class CurvesFile(Recorder):
    """`curves.png`, drawn anew at every validation and at the end.

    Args:
        path: the file.
        rows: what it begins with.
    """

    def __init__(self, path: Path, rows: Sequence[TrainProgress] = ()) -> None:
        self._path = path
        self._rows = list(rows)

    def add(self, row: TrainProgress) -> None:
        """Remember a row; one with a validation is a moment to draw."""
        self._rows.append(row)
        if row.validation_map is not None:
            self._write()

    def close(self) -> None:
        """Draw the last state."""
        self._write()

    def _write(self) -> None:
        done, data = cv2.imencode(".png", draw_curves(self._rows))
        assert done, "a uint8 picture can always be encoded"
        draft = self._path.with_name(f".{self._path.name}-draft")
        draft.write_bytes(data.tobytes())
        draft.replace(self._path)


def draw_curves(rows: Sequence[TrainProgress]) -> NDArray[np.uint8]:
    """A panel for the losses, the batches, the distances and the validation: (height, 960, 3) uint8 BGR."""
    last = max((row.step for row in rows), default=1)
    return np.concatenate([_draw_panel(panel, rows, last) for panel in _PANELS])


def _draw_panel(panel: _Panel, rows: Sequence[TrainProgress], last: int) -> NDArray[np.uint8]:
    image = np.full((_PANEL_PX, _WIDTH_PX, 3), 255, np.uint8)
    lines = {name: _points(rows, name) for name in panel.fields}
    low, high = (0.0, 1.0) if panel.shares else _range([value for line in lines.values() for _, value in line])
    _draw_frame(image, panel, low, high, last)
    for colour, line in zip(_COLOURS, lines.values(), strict=False):
        places = np.array([_place(step, value, low, high, last) for step, value in line], np.int32).reshape(-1, 1, 2)
        cv2.polylines(image, [places], isClosed=False, color=colour, thickness=2, lineType=cv2.LINE_AA)
        if len(places) <= 60:  # few enough to tell the points of a line apart
            for x, y in places[:, 0]:
                cv2.circle(image, (int(x), int(y)), 3, colour, cv2.FILLED, cv2.LINE_AA)
    return image


def _points(rows: Sequence[TrainProgress], name: str) -> list[tuple[int, float]]:
    pairs = [(row.step, getattr(row, name)) for row in rows]
    return [(step, float(value)) for step, value in pairs if value is not None and np.isfinite(value)]


def _range(values: Sequence[float]) -> tuple[float, float]:
    """From zero (or the least, where it is below) to a little above the highest."""
    low, high = min([0.0, *values]), max([*values, 0.0])
    return (low, high * 1.05) if high > low else (low, low + 1.0)


def _place(step: int, value: float, low: float, high: float, last: int) -> tuple[int, int]:
    x = _LEFT_PX + step / last * (_WIDTH_PX - _LEFT_PX - _RIGHT_PX)
    share = (min(max(value, low), high) - low) / (high - low)
    return round(x), round(_PANEL_PX - _BOTTOM_PX - share * (_PANEL_PX - _TOP_PX - _BOTTOM_PX))


def _draw_frame(image: NDArray[np.uint8], panel: _Panel, low: float, high: float, last: int) -> None:
    for tick in range(_TICKS + 1):
        share = tick / _TICKS
        value, step = low + share * (high - low), round(share * last)
        (left, y), (x, bottom) = _place(0, value, low, high, last), _place(step, low, low, high, last)
        cv2.line(image, (left, y), (_WIDTH_PX - _RIGHT_PX, y), _GRID, 1)
        _write(image, f"{value:.3g}", (8, y + 5), _INK)
        _write(image, str(step), (min(x, _WIDTH_PX - 40) - 8, bottom + 18), _INK)
    _write(image, panel.title, (_LEFT_PX, 20), _INK)
    x = _LEFT_PX + 220
    for colour, name in zip(_COLOURS, panel.fields, strict=False):
        text = name.replace("_", " ").replace("map", "mAP")
        cv2.line(image, (x, 16), (x + 24, 16), colour, 2)
        _write(image, text, (x + 30, 20), _INK)
        x += 60 + 9 * len(text)


def _write(image: NDArray[np.uint8], text: str, place: tuple[int, int], colour: tuple[int, int, int]) -> None:
    cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, _SCALE, colour, 1, cv2.LINE_AA)

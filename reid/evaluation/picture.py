"""A picture of rankings: a query a row, what was found nearest to it, hits and misses framed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from reid.errors import DataError, InputError

Image: TypeAlias = NDArray[np.uint8]  # (H, W, 3) BGR
Colour: TypeAlias = tuple[int, int, int]

_THUMB_HEIGHT_PX, _THUMB_WIDTH_PX = 144, 96
_FRAME_PX, _GAP_PX, _CAPTION_PX, _HEADER_PX = 4, 12, 36, 56
_BACKGROUND, _PANEL, _TEXT, _FAINT = (30, 27, 25), (44, 40, 37), (228, 228, 228), (150, 150, 150)
_QUERY, _HIT, _MISS, _PLAIN = (200, 200, 200), (96, 190, 60), (60, 70, 235), (110, 102, 96)
_FONT = cv2.FONT_HERSHEY_DUPLEX
_FONT_HEIGHT_PX = 22.0  # of a capital of that font at scale 1


@dataclass(frozen=True, slots=True)
class Found:
    """One crop in a ranking."""

    picture: Image
    """(h, w, 3) uint8 BGR of any size."""
    caption: str
    """Below it, such as the cosine and the name."""
    hit: bool | None = None
    """Whether it is of the query's identity; None where nobody knows."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """One query and what was found, nearest first."""

    query: Image
    """(h, w, 3) uint8 BGR of any size."""
    title: str
    """Below the query."""
    note: str
    """A second line below it, such as its average precision."""
    found: tuple[Found, ...]
    """Nearest first."""


def draw_rankings(rankings: Sequence[Ranking], title: str) -> Image:
    """(H, W, 3) uint8 BGR: a row a ranking. Hits have a green frame and a tick, misses a red one and a cross.

    Raises:
        InputError: there is no ranking.
    """
    if not rankings:
        raise InputError("a picture needs at least one ranking, got none")
    columns = 1 + max(len(ranking.found) for ranking in rankings)
    cell_width, cell_height = _THUMB_WIDTH_PX + 2 * _FRAME_PX, _THUMB_HEIGHT_PX + 2 * _FRAME_PX + _CAPTION_PX
    left = 2 * _GAP_PX
    width = left + columns * (cell_width + _GAP_PX) + 2 * _GAP_PX  # the query stands a little apart
    sheet: Image = np.full((_HEADER_PX + len(rankings) * (cell_height + _GAP_PX), width, 3), _BACKGROUND, np.uint8)
    _write(sheet, _shortened(title, width - 2 * left, 16), (left, 36), 16, _TEXT)
    for row, ranking in enumerate(rankings):
        top = _HEADER_PX + row * (cell_height + _GAP_PX)
        _draw_cell(sheet, (left, top), ranking.query, _QUERY, (ranking.title, ranking.note))
        for column, found in enumerate(ranking.found, start=1):
            x = left + column * (cell_width + _GAP_PX) + _GAP_PX
            colour = _PLAIN if found.hit is None else _HIT if found.hit else _MISS
            _draw_cell(sheet, (x, top), found.picture, colour, (f"{column}.", *found.caption.split("\n")))
            if found.hit is not None:
                _draw_mark(sheet, (x + cell_width - 21, top + 5), found.hit, colour)
    return sheet


def write_picture(picture: Image, path: Path) -> None:
    """Write a PNG.

    Raises:
        DataError: it cannot be written.
    """
    data = cv2.imencode(".png", picture)[1]
    try:
        path.write_bytes(data.tobytes())
    except OSError as error:
        raise DataError(f"picture {path} cannot be written: {error.strerror}") from error


def _draw_cell(sheet: Image, at: tuple[int, int], picture: Image, colour: Colour, lines: Sequence[str]) -> None:
    """A framed thumbnail and up to two lines below; a line that begins the caption with a rank joins the next."""
    x, y = at
    frame = sheet[y : y + _THUMB_HEIGHT_PX + 2 * _FRAME_PX, x : x + _THUMB_WIDTH_PX + 2 * _FRAME_PX]
    frame[:] = colour
    frame[_FRAME_PX:-_FRAME_PX, _FRAME_PX:-_FRAME_PX] = _thumbnail(picture)
    texts = list(lines)
    if texts[0].rstrip(".").isdecimal() and len(texts) > 1:
        texts[:2] = [" ".join(texts[:2])]
    below = y + frame.shape[0]
    for line, (text, tone) in enumerate(zip(texts[:2], (_TEXT, _FAINT), strict=False)):
        _write(sheet, _shortened(text, frame.shape[1], 10), (x, below + 14 + 15 * line), 10, tone)


def _draw_mark(sheet: Image, at: tuple[int, int], hit: bool, colour: Colour) -> None:
    """A tick or a cross on a square of its colour, for those who do not tell the colours apart."""
    x, y = at
    sheet[y : y + 16, x : x + 16] = colour
    strokes = (((3, 8), (6, 12)), ((6, 12), (12, 4))) if hit else (((4, 4), (11, 11)), ((4, 11), (11, 4)))
    for (x1, y1), (x2, y2) in strokes:
        cv2.line(sheet, (x + x1, y + y1), (x + x2, y + y2), (255, 255, 255), 2, cv2.LINE_AA)


def _thumbnail(picture: Image) -> Image:
    """Fit into the thumbnail with its own aspect, centred."""
    height, width = picture.shape[:2]
    scale = min(_THUMB_HEIGHT_PX / height, _THUMB_WIDTH_PX / width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    thumb: Image = np.full((_THUMB_HEIGHT_PX, _THUMB_WIDTH_PX, 3), _PANEL, np.uint8)
    left, top = (_THUMB_WIDTH_PX - size[0]) // 2, (_THUMB_HEIGHT_PX - size[1]) // 2
    thumb[top : top + size[1], left : left + size[0]] = small
    return thumb


def _text_width(text: str, height_px: float) -> int:
    return int(cv2.getTextSize(text, _FONT, height_px / _FONT_HEIGHT_PX, 1)[0][0])


def _shortened(text: str, width_px: int, height_px: float) -> str:
    """The text in characters that OpenCV can draw, without its middle where it is too wide: both ends tell more."""
    plain = text.encode("ascii", "replace").decode()
    if _text_width(plain, height_px) <= width_px:
        return plain
    for kept in range(len(plain) - 1, 0, -1):
        head = kept * 2 // 5
        short = f"{plain[:head]}..{plain[len(plain) - kept + head :]}"
        if _text_width(short, height_px) <= width_px:
            return short
    return ".."


def _write(image: Any, text: str, at: tuple[int, int], height_px: float, colour: Colour) -> None:
    cv2.putText(image, text, at, _FONT, height_px / _FONT_HEIGHT_PX, colour, 1, cv2.LINE_AA)

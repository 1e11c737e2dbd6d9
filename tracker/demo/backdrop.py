"""The still picture behind and before the walkers: house front, shop windows, pavement, kiosk, van and lamp posts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from tracker.demo.stage import HEIGHT, HORIZON_Y, WALL_BASE_Y, Occluder, Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tracker.demo.figures import Colour
    from tracker.types import Image

_WALLS: tuple[Colour, ...] = ((136, 154, 168), (150, 160, 166), (128, 146, 170), (146, 152, 150))
PAVEMENT: Colour = (146, 150, 152)
"""Main colour of the ground."""
_SIGNS = ("BAKERY", "BOOKS", "CAFE", "FLOWERS", "OPTICIAN", "TAILOR", "MUSIC", "TEA", "CYCLES", "PHARMACY")


@dataclass(frozen=True, slots=True, eq=False)
class Backdrop:
    """A painted stage."""

    image: Image
    """(H, W, 3) everything that stands still, occluders included."""
    before: NDArray[np.uint8]
    """(H, W) coverage by what stands before the back lanes, 255 inside."""
    colours: tuple[Colour, ...]
    """Main colours, which clothes should differ from."""


class _Painter:
    """Draws in reference pixels on a picture of any size; with `mask`, what is drawn is also entered there."""

    def __init__(self, width_px: int, height_px: int) -> None:
        self.scale = height_px / HEIGHT
        self.image: Image = np.zeros((height_px, width_px, 3), np.uint8)
        self.mask: NDArray[np.uint8] = np.zeros((height_px, width_px), np.uint8)
        self.masking = False

    def _points(self, points: Sequence[Sequence[float]]) -> NDArray[np.int32]:
        return np.rint(np.array(points, np.float64) * self.scale * 16).astype(np.int32)

    def polygon(self, points: Sequence[Sequence[float]], colour: Sequence[float]) -> None:
        outline = self._points(points)
        cv2.fillPoly(self.image, [outline], colour, cv2.LINE_AA, 4)
        if self.masking:
            cv2.fillPoly(self.mask, [outline], (255,), cv2.LINE_AA, 4)

    def rectangle(self, x1: float, y1: float, x2: float, y2: float, colour: Sequence[float]) -> None:
        self.polygon(((x1, y1), (x2, y1), (x2, y2), (x1, y2)), colour)

    def disc(self, x: float, y: float, rx: float, ry: float, colour: Sequence[float]) -> None:
        angle = np.linspace(0, 2 * np.pi, 33)[:-1]
        self.polygon(np.stack((x + rx * np.cos(angle), y + ry * np.sin(angle)), axis=1).tolist(), colour)

    def text(self, text: str, x: float, y: float, size: float, colour: Sequence[float]) -> None:
        thickness = max(1, round(size / 9 * self.scale))
        place = (round(x * self.scale), round(y * self.scale))
        font = cv2.FONT_HERSHEY_DUPLEX
        cv2.putText(self.image, text, place, font, size / 22 * self.scale, colour, thickness, cv2.LINE_AA)


def _tone(colour: Sequence[float], factor: float) -> tuple[float, float, float]:
    b, g, r = (float(np.clip(c * factor, 0, 255)) for c in colour[:3])
    return b, g, r


def _house(paint: _Painter, stage: Stage, wall: Colour, rng: np.random.Generator) -> None:
    paint.rectangle(0, 0, stage.width, WALL_BASE_Y, wall)
    for row in range(24):  # courses of bricks, every other one shifted
        y = row * 11.0
        shift = 13.0 * (row % 2)
        for x in np.arange(-26 + shift, stage.width, 26.0).tolist():
            paint.rectangle(x, y, x + 24.6, y + 9.8, _tone(wall, float(rng.normal(1.0, 0.035))))
    for x in np.arange(30.0, stage.width - 60, 104.0).tolist():  # upper windows
        paint.rectangle(x - 5, 8, x + 65, 74, _tone(wall, 1.18))
        glass = (128 + rng.uniform(-14, 14), 116, 100)
        paint.rectangle(x, 12, x + 60, 70, glass)
        paint.polygon(((x, 70), (x, 40), (x + 34, 12), (x + 52, 12)), _tone(glass, 1.16))
        paint.rectangle(x + 28, 12, x + 32, 70, _tone(wall, 1.22))
        paint.rectangle(x - 9, 74, x + 69, 80, _tone(wall, 0.84))


def _shop(paint: _Painter, x: float, width: float, sign: str, rng: np.random.Generator) -> None:
    hue = np.array([[[rng.uniform(0, 180), 70, 105]]], np.uint8)
    colour = cv2.cvtColor(hue, cv2.COLOR_HSV2BGR)[0, 0].astype(float).tolist()
    paint.rectangle(x, 96, x + width, WALL_BASE_Y, _tone(colour, 0.75))
    paint.rectangle(x + 4, 99, x + width - 4, 121, _tone(colour, 1.0))
    paint.text(sign, x + width / 2 - 7.4 * len(sign), 116, 15, (206, 216, 220))
    pane = x + width - 46
    paint.rectangle(x + 8, 128, pane - 6, 240, (92, 88, 80))
    for _ in range(int(width / 13)):  # goods on display
        goods_x, size = float(rng.uniform(x + 12, pane - 26)), float(rng.uniform(6, 15))
        tint = cv2.cvtColor(np.array([[[rng.uniform(0, 180), 90, rng.uniform(90, 150)]]], np.uint8), cv2.COLOR_HSV2BGR)
        shelf = float(rng.choice([170.0, 205.0, 238.0]))
        paint.rectangle(goods_x, shelf - size * rng.uniform(0.8, 2), goods_x + size, shelf, tint[0, 0].tolist())
        paint.rectangle(x + 8, shelf, pane - 6, shelf + 2, (70, 66, 62))
    for start in (0.12, 0.5):  # reflections of the sky
        left = x + 8 + start * (pane - x - 20)
        paint.polygon(((left, 240), (left + 16, 128), (left + 24, 128), (left + 8, 240)), (112, 108, 100))
    paint.rectangle(pane, 126, x + width - 8, WALL_BASE_Y, _tone(colour, 0.55))  # the door
    paint.rectangle(pane + 6, 134, x + width - 14, 214, (104, 98, 90))
    stripes = int(width // 12)
    for i in range(stripes):  # the awning
        a, b = x + width * i / stripes, x + width * (i + 1) / stripes
        tone = _tone(colour, 1.25) if i % 2 else (188, 192, 194)
        paint.polygon(((a, 122), (b, 122), (b + 1, 142), (a - 1, 142)), tone)


def _pavement(paint: _Painter, stage: Stage, rng: np.random.Generator) -> None:
    low, middle = HEIGHT, stage.width / 2
    paint.rectangle(0, WALL_BASE_Y, stage.width, low, PAVEMENT)
    rows = HORIZON_Y + (WALL_BASE_Y - HORIZON_Y) * 1.09 ** np.arange(16)  # perspective makes near rows wider
    for y1, y2 in zip(rows[:-1].tolist(), rows[1:].tolist(), strict=True):
        spread1, spread2 = (y1 - HORIZON_Y) * 0.36, (y2 - HORIZON_Y) * 0.36
        for i in range(-24, 24):
            corners = [(middle + i * spread1, y1), (middle + (i + 0.97) * spread1, y1)]
            corners += [(middle + (i + 0.97) * spread2, y2 - 1), (middle + i * spread2, y2 - 1)]
            paint.polygon(corners, _tone(PAVEMENT, float(rng.normal(1.0, 0.022)) * (0.93 + 0.09 * (y1 / low))))
    paint.rectangle(0, WALL_BASE_Y, stage.width, WALL_BASE_Y + 4, _tone(PAVEMENT, 0.66))


def _kiosk(paint: _Painter, place: Occluder, rng: np.random.Generator) -> None:
    left, right, base = place.left, place.right, place.base
    green = (84 + rng.uniform(-10, 10), 106, 70)
    paint.rectangle(left, place.top + 26, right, base, _tone(green, 0.8))
    paint.rectangle(left + 6, base - 92, right - 6, base - 6, _tone(green, 0.95))
    paint.rectangle(left + 12, place.top + 52, right - 12, base - 98, (84, 96, 104))
    for x in np.arange(left + 18, right - 34, 27.0).tolist():  # newspapers
        for y in (place.top + 58, place.top + 94):
            paint.rectangle(x, y, x + 21, y + 30, (186, 192, 194))
            paint.rectangle(x + 2, y + 12, x + 19, y + 27, (rng.uniform(70, 150), rng.uniform(70, 150), 120))
            paint.rectangle(x + 2, y + 3, x + 19, y + 8, (70, 70, 74))
    paint.polygon(
        ((left - 12, place.top + 30), (left + 14, place.top), (right - 14, place.top), (right + 12, place.top + 30)),
        _tone(green, 0.6),
    )
    paint.rectangle(left, place.top + 30, right, place.top + 48, _tone(green, 1.25))
    paint.text("NEWS", (left + right) / 2 - 31, place.top + 45, 15, (210, 216, 214))


def _van(paint: _Painter, place: Occluder, rng: np.random.Generator) -> None:
    left, right, top, base = place.left, place.right, place.top, place.base
    body = (150 + rng.uniform(-12, 12), 140, 126)
    paint.rectangle(left + 6, base - 26, right - 4, base - 2, (38, 38, 40))  # under it nothing is seen
    paint.rectangle(left, top + 6, right - 56, base - 14, body)
    paint.polygon(
        (
            (left, top + 6),
            (left + 8, top),
            (right - 62, top),
            (right - 50, top + 30),
            (right - 50, base - 14),
            (left, base - 14),
        ),
        body,
    )
    paint.polygon(
        (
            (right - 64, top + 4),
            (right - 30, top + 20),
            (right - 4, base - 104),
            (right, base - 92),
            (right, base - 14),
            (right - 64, base - 14),
        ),
        _tone(body, 0.94),
    )
    paint.polygon(
        ((right - 58, top + 28), (right - 34, top + 34), (right - 14, base - 110), (right - 58, base - 110)),
        (88, 82, 74),
    )
    paint.rectangle(left + 12, top + 40, right - 78, base - 96, _tone(body, 1.08))
    paint.text("PARCELS", left + 30, top + 92, 22, (88, 78, 62))
    paint.rectangle(left, base - 62, right, base - 54, _tone(body, 0.72))
    for x in (left + 52, right - 50):
        paint.disc(x, base - 19, 25, 25, (40, 40, 42))
        paint.disc(x, base - 19, 12, 12, (128, 130, 132))
    paint.rectangle(right - 12, base - 52, right, base - 38, (150, 200, 214))
    paint.rectangle(left, base - 84, left + 7, base - 62, (60, 56, 146))


def _lamp(paint: _Painter, x: float) -> None:
    paint.rectangle(x - 3, 40, x + 3, 392, (62, 62, 60))
    paint.rectangle(x - 7, 372, x + 7, 394, (52, 52, 50))
    paint.polygon(((x - 12, 18), (x + 12, 18), (x + 7, 44), (x - 7, 44)), (150, 176, 184))
    paint.polygon(((x - 14, 18), (x, 6), (x + 14, 18)), (52, 52, 50))


def _ground_shade(paint: _Painter, place: Occluder) -> None:
    """The soft shadow of something large."""
    shade = np.zeros(paint.mask.shape, np.float32)
    corners = (
        (place.left + 4, place.base - 8),
        (place.right, place.base - 8),
        (place.right + 70, place.base + 26),
        (place.left + 50, place.base + 26),
    )
    points = np.rint(np.array(corners) * paint.scale).astype(np.int32)
    cv2.fillPoly(shade, [points], 0.3)
    shade = np.asarray(cv2.GaussianBlur(shade, (0, 0), 9 * paint.scale), np.float32)
    paint.image = np.asarray(paint.image * (1 - shade[..., None]), np.uint8)


def paint_backdrop(stage: Stage, width_px: int, height_px: int, rng: np.random.Generator) -> Backdrop:
    """Paint the stage at the size of the real picture."""
    paint = _Painter(width_px, height_px)
    wall = _WALLS[int(rng.integers(len(_WALLS)))]
    _house(paint, stage, wall, rng)
    signs = rng.permutation(_SIGNS).tolist()
    x = float(rng.uniform(-60, 10))
    while x < stage.width:
        width = float(rng.uniform(170, 230))
        _shop(paint, x, width, signs[0], rng)
        signs = [*signs[1:], signs[0]]
        x += width + float(rng.uniform(14, 40))
    _pavement(paint, stage, rng)
    grain = cv2.GaussianBlur(rng.normal(0, 5, (height_px, width_px)).astype(np.float32), (0, 0), 0.7)
    paint.image = np.clip(paint.image + grain[..., None], 0, 255).astype(np.uint8)
    for place in stage.occluders:
        _ground_shade(paint, place)
    paint.masking = True
    _lamp(paint, stage.width / 2 + float(rng.uniform(-24, 24)))
    for place in stage.occluders:
        (_kiosk if place.kind == "kiosk" else _van)(paint, place, rng)
    return Backdrop(paint.image, paint.mask, (wall, PAVEMENT, (92, 88, 80)))

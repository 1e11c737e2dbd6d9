"""What is behind people: one wide picture a camera, of walls, windows, shops, plants, cars, paving and clutter.

Nothing in it is meant to be looked at for itself: it must be as uneven, as coloured and as blurred as a street.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

HEIGHT_PX, WIDTH_PX = 400, 1000
_LINEAR = ((np.arange(256) / 255) ** 2.2).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Street:
    """A background."""

    picture: NDArray[np.uint8]
    """(HEIGHT_PX, WIDTH_PX, 3) sRGB."""
    edge_px: int
    """The row where the ground meets what stands on it."""


def sample_street(rng: np.random.Generator) -> Street:
    """A background of a camera."""
    edge = int(rng.uniform(0.25, 0.8) * HEIGHT_PX)
    picture = np.empty((HEIGHT_PX, WIDTH_PX, 3), np.float32)
    picture[:edge] = _wall(edge, rng)
    picture[edge:] = _ground(HEIGHT_PX - edge, rng)
    if rng.random() < 0.25:  # leaves of every size, as far trees, crowds and junk are
        _dead_leaves(picture[: int(edge * rng.uniform(0.5, 1.1))], rng, int(rng.integers(150, 500)))
    for _ in range(int(rng.integers(2, 16))):
        _thing(picture, edge, rng)
    picture *= np.exp(0.35 * _cloud((HEIGHT_PX, WIDTH_PX), rng, 220))[..., None]
    picture *= np.exp(0.2 * _cloud((HEIGHT_PX, WIDTH_PX), rng, 60))[..., None]
    if rng.random() < 0.5:
        _lamps(picture[:edge], rng)
    blur = float(rng.choice([0.6, 1.2, 2.5, 4.5], p=[0.3, 0.35, 0.25, 0.1]))
    picture = cv2.GaussianBlur(np.clip(picture, 0, 255), (0, 0), blur)
    picture += rng.normal(0, 2.5, picture.shape).astype(np.float32)
    return Street(np.clip(picture, 0, 255).astype(np.uint8), edge)


def patch(street: Street, rng: np.random.Generator, size: tuple[int, int], edge_share: float) -> Floats:
    """(h, w, 3) linear RGB: a piece of the street whose ground begins near `edge_share` of the height."""
    height, width = size
    zoom = rng.uniform(0.55, 1.3)  # pixels of the street a pixel of the patch, at a height of 256
    rows, columns = int(zoom * 256), max(2, int(zoom * 256 * width / height))
    top = int(np.clip(street.edge_px - edge_share * rows, 0, HEIGHT_PX - rows))
    left = int(rng.integers(0, WIDTH_PX - columns + 1))
    piece = street.picture[top : top + rows, left : left + columns]
    return _LINEAR[cv2.resize(piece, (width, height), interpolation=cv2.INTER_AREA)]


def _paint(rng: np.random.Generator, vivid: float = 0.1) -> Floats:
    """A colour of things: mostly grey, brown or beige."""
    saturation = rng.uniform(0.3, 0.85) if rng.random() < vivid else rng.beta(1.2, 7)
    hue = rng.uniform(0, 1) if rng.random() < 0.5 else rng.uniform(0.03, 0.14)
    return np.float32(colorsys.hsv_to_rgb(hue, saturation, rng.uniform(0.08, 0.95))) * 255


def _cloud(size: tuple[int, int], rng: np.random.Generator, scale: float) -> Floats:
    """Smooth noise of about -1..1 whose features are `scale` pixels wide."""
    height, width = size
    small = rng.normal(0, 0.6, (max(2, int(height / scale) + 2), max(2, int(width / scale) + 2))).astype(np.float32)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def _texture(size: tuple[int, int], rng: np.random.Generator, depth: float) -> Floats:
    """(h, w, 1) grey noise of several scales, as rough surfaces show."""
    total = np.zeros(size, np.float32)
    for scale in (2, 5, 12, 30):
        total += _cloud(size, rng, scale) * depth
    return total[..., None]


def _wall(height: int, rng: np.random.Generator) -> Floats:
    out = np.empty((height, WIDTH_PX, 3), np.float32)
    left = 0
    while left < WIDTH_PX:
        width = int(min(rng.uniform(60, 420), WIDTH_PX - left))
        out[:, left : left + width] = _facade((height, width), rng)
        left += width
    return out


def _facade(size: tuple[int, int], rng: np.random.Generator) -> Floats:
    kinds = ("plaster", "brick", "windows", "shop", "plants", "sky", "dark", "panels")
    kind = rng.choice(kinds, p=[0.16, 0.12, 0.18, 0.2, 0.12, 0.06, 0.08, 0.08])
    height, width = size
    out = np.tile(_paint(rng), (height, width, 1)) + _texture(size, rng, rng.uniform(1, 7))
    if kind == "brick":
        _add_bricks(out, rng)
    elif kind in ("windows", "panels"):
        y, x = np.mgrid[:height, :width].astype(np.float32)
        step_x, step_y = rng.uniform(25, 130), rng.uniform(30, 150)
        hole = (x % step_x > step_x * rng.uniform(0.1, 0.5)) & (y % step_y > step_y * rng.uniform(0.1, 0.5))
        inside = _paint(rng) * rng.uniform(0.2, 0.8) + _texture(size, rng, 8) + _reflections(size, rng)
        out = np.where(hole[..., None], inside, out)
    elif kind == "plants":
        green = colorsys.hsv_to_rgb(rng.uniform(0.18, 0.38), rng.uniform(0.2, 0.6), rng.uniform(0.15, 0.5))
        leaves = sum(_cloud(size, rng, scale) for scale in (3, 7, 18))
        out = 255 * np.float32(green) * np.exp(0.45 * np.asarray(leaves))[..., None]
    elif kind == "sky":
        tint = np.float32([1 - rng.uniform(0, 0.25), 1 - rng.uniform(0, 0.1), 1])
        out = rng.uniform(170, 235) * tint + _texture(size, rng, 1)
    elif kind in ("shop", "dark"):
        out = out * (1.0 if kind == "shop" else rng.uniform(0.05, 0.3))
        for _ in range(int(rng.integers(1, 8))):
            _box(out, rng, lit=True)
    return np.asarray(out, np.float32)


def _add_bricks(out: Floats, rng: np.random.Generator) -> None:
    """Rows of bricks, each of a shade of its own, with joints between."""
    height, width = out.shape[:2]
    row = int(rng.integers(5, 14))
    y, x = np.mgrid[:height, :width]
    shades = rng.normal(0, 12, (height // row + 1, width // (2 * row) + 1)).astype(np.float32)
    out += shades.repeat(row, 0).repeat(2 * row, 1)[:height, :width, None]
    out[(y % row < 1) | ((x + (y // row % 2) * row) % (2 * row) < 1)] += rng.uniform(-35, 35)


def _reflections(size: tuple[int, int], rng: np.random.Generator) -> Floats:
    return (np.clip(_cloud(size, rng, 25), 0, 2) * rng.uniform(0, 60))[..., None]


def _box(out: Floats, rng: np.random.Generator, lit: bool = False) -> None:
    """A pane, a poster, a shelf, a sign: a textured rectangle, sometimes bright, in a frame."""
    height, width = out.shape[:2]
    w, h = int(rng.uniform(0.1, 0.8) * width) + 2, int(rng.uniform(0.1, 0.9) * height) + 2
    left, top = int(rng.integers(0, max(1, width - w))), int(rng.integers(0, max(1, height - h)))
    piece = out[top : top + h, left : left + w]
    colour = _paint(rng, 0.4)
    if lit and rng.random() < 0.4:
        colour = np.float32([255, 225, 170]) * rng.uniform(0.6, 1.0)
    piece[:] = colour + _texture(piece.shape[:2], rng, rng.uniform(2, 14))
    if rng.random() < 0.5:  # rows of goods or letters
        y, x = np.mgrid[: piece.shape[0], : piece.shape[1]]
        step = rng.uniform(5, 22)
        marks = ((y % (2 * step) < step) & (_cloud(piece.shape[:2], rng, step / 2) > 0.1)) & (x > 0)
        piece[marks] = _paint(rng, 0.5)
    if rng.random() < 0.6:
        cv2.rectangle(out, (left, top), (left + w, top + h), _paint(rng).tolist(), int(rng.integers(1, 6)))


def _ground(height: int, rng: np.random.Generator) -> Floats:
    size = (height, WIDTH_PX)
    base = (
        np.float32([1, 1, 1])
        * rng.uniform(45, 165)
        * np.float32([1 + rng.normal(0.01, 0.025), 1, 1 + rng.normal(-0.01, 0.025)])
    )
    if rng.random() < 0.15:
        base = _paint(rng, 0.0)
    out = base + _texture(size, rng, rng.uniform(1, 6))
    y, x = np.mgrid[:height, :WIDTH_PX].astype(np.float32)
    near = (y + 30) / (height + 30)  # rows grow with nearness, as perspective has it
    if rng.random() < 0.5:  # slabs or boards
        across = np.log(near) * rng.uniform(4, 14)
        along = (x - WIDTH_PX * rng.uniform(0, 1)) / (near * rng.uniform(30, 160))
        tone = rng.uniform(-30, 30)
        out[((across % 1 < 0.06) | (along % 1 < 0.03))] += tone
    for _ in range(int(rng.integers(0, 4))):  # markings, kerbs, stains
        first, second = rng.uniform(0, WIDTH_PX, 2), rng.uniform(0, height, 2)
        line = np.zeros(size, np.uint8)
        cv2.line(line, (int(first[0]), int(second[0])), (int(first[1]), int(second[1])), 255, int(rng.integers(2, 30)))
        out = np.where((line > 0)[..., None], 0.4 * out + 0.6 * _paint(rng, 0.1), out)
    return np.asarray(out, np.float32)


def _dead_leaves(out: Floats, rng: np.random.Generator, count: int) -> None:
    """Overlapping shapes whose sizes follow a power law, which gives a picture the statistics of nature (Lee 2001)."""
    height, width = out.shape[:2]
    for _ in range(count):
        radius = 4 / rng.uniform(0.03, 1) ** 0.7
        centre = (int(rng.uniform(0, width)), int(rng.uniform(0, height)))
        axes = (max(1, int(radius * rng.uniform(0.3, 1.5))), max(1, int(radius * rng.uniform(0.5, 2))))
        cv2.ellipse(out, centre, axes, rng.uniform(0, 180), 0, 360, (_paint(rng, 0.2) * 0.8).tolist(), -1)


def _thing(out: Floats, edge: int, rng: np.random.Generator) -> None:
    """Something that stands on the ground: a post, a bin, a car, a bush, a bicycle, somebody far away."""
    kind = rng.choice(["post", "box", "car", "bush", "wheel", "person"], p=[0.25, 0.2, 0.2, 0.1, 0.05, 0.2])
    foot = int(min(HEIGHT_PX - 1, edge + rng.exponential(25)))
    at, colour = int(rng.uniform(0, WIDTH_PX)), _paint(rng, 0.35)
    if kind == "post":
        wide = int(rng.integers(2, 14))
        cv2.rectangle(out, (at, foot - int(rng.uniform(60, 400))), (at + wide, foot), colour.tolist(), -1)
        cv2.line(out, (at, 0), (at, foot), (colour * 1.3).tolist(), 1)
    elif kind == "box":
        wide, high = int(rng.uniform(15, 110)), int(rng.uniform(20, 110))
        cv2.rectangle(out, (at, foot - high), (at + wide, foot), colour.tolist(), -1)
        cv2.rectangle(out, (at, foot - high), (at + wide, foot - high + 6), (colour * 0.7).tolist(), -1)
    elif kind == "car":
        _car(out, at, foot, colour, rng)
    elif kind == "bush":
        tone = np.float32([0.25, 0.35, 0.18]) * rng.uniform(120, 400)
        for _ in range(40):
            spot = (int(at + rng.normal(0, 25)), int(foot - abs(rng.normal(0, 28))))
            cv2.circle(out, spot, int(rng.integers(2, 9)), (tone * rng.uniform(0.5, 1.3)).tolist(), -1)
    elif kind == "wheel":
        for shift in (0, 45):
            cv2.circle(out, (at + shift, foot - 20), 20, (colour * 0.4).tolist(), 2)
        cv2.line(out, (at, foot - 20), (at + 45, foot - 45), colour.tolist(), 2)
    else:
        high = rng.uniform(50, 200)
        cv2.ellipse(
            out, (at, int(foot - 0.92 * high)), (int(0.05 * high), int(0.07 * high)), 0, 0, 360, (150, 110, 90), -1
        )
        cv2.ellipse(
            out, (at, int(foot - 0.66 * high)), (int(0.13 * high), int(0.22 * high)), 0, 0, 360, colour.tolist(), -1
        )
        cv2.rectangle(
            out,
            (int(at - 0.1 * high), int(foot - 0.5 * high)),
            (int(at + 0.1 * high), foot),
            (_paint(rng) * 0.6).tolist(),
            -1,
        )


def _car(out: Floats, at: int, foot: int, colour: Floats, rng: np.random.Generator) -> None:
    size = rng.uniform(0.7, 2.2)
    wide, high = int(150 * size), int(34 * size)
    body = np.array([[0, -0.3], [0, -1], [0.18, -1.1], [0.3, -1.8], [0.72, -1.8], [0.88, -1.1], [1, -0.9], [1, -0.3]])
    glass = np.array([[0.22, -1.1], [0.32, -1.68], [0.7, -1.68], [0.84, -1.1]])
    for outline, paint in ((body, colour), (glass, np.float32([40, 45, 50]))):
        points = (outline * [wide, high] + [at, foot]).astype(np.int32)
        cv2.fillPoly(out, [points], paint.tolist(), cv2.LINE_AA)
    for share in (0.2, 0.8):
        cv2.circle(out, (int(at + share * wide), int(foot - 0.3 * high)), int(0.34 * high), (25, 25, 25), -1)
        cv2.circle(out, (int(at + share * wide), int(foot - 0.3 * high)), int(0.18 * high), (120, 120, 120), -1)


def _lamps(out: Floats, rng: np.random.Generator) -> None:
    glow = np.zeros_like(out)
    for _ in range(int(rng.integers(1, 12))):
        spot = (int(rng.uniform(0, out.shape[1])), int(rng.uniform(0, out.shape[0])))
        cv2.circle(glow, spot, int(rng.integers(1, 10)), (255, rng.uniform(190, 255), rng.uniform(110, 255)), -1)
    out += cv2.GaussianBlur(glow, (0, 0), rng.uniform(1, 6)) * 1.5

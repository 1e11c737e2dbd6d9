"""Training pictures of rendered figures: crops as a detector would cut them out of a video, with all their faults.

Random are pose, facing, size, background, light, colour cast, blur, noise, compression, somebody or something in the
way, limbs cut off by the picture's border, and the looseness of the box.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from tracker.demo.drawing import Pose, Sprite, draw_figure
from tracker.demo.figures import cloth_colour, sample_figure

if TYPE_CHECKING:
    from tracker.demo.figures import Figure
    from tracker.types import DoubleArray, Image


@dataclass(frozen=True, slots=True)
class CropConfig:
    """How hard the crops are; each share is a probability in 0..1."""

    min_height_px: float = 56.0
    """Smallest body height."""
    max_height_px: float = 250.0
    """Largest body height; heights are drawn evenly on a logarithmic scale."""
    sideways: float = 0.65
    """Share of crops of somebody who walks across the picture; the others face any way."""
    occluded: float = 0.3
    """Share of crops where another person or a thing hides a part."""
    neighbour: float = 0.25
    """Share of crops where another person stands behind."""
    cut_off: float = 0.2
    """Share of crops where one side is missing, as at the border of the picture."""
    box_jitter: float = 0.05
    """Standard deviation of each side of the box, as a share of the box's size."""
    light: float = 1.0
    """Strength of brightness, contrast and colour changes; 0 for none."""
    blurred: float = 0.35
    """Share of crops with focus or motion blur."""
    noise: float = 6.0
    """Largest standard deviation of sensor noise, in grey levels."""
    compressed: float = 0.35
    """Share of crops with JPEG artefacts."""


def paste(image: Image, sprite: Sprite, x: float, y: float) -> None:
    """Lay a sprite over `image` (changed in place) so that its foot point comes to (x, y); what lies outside is cut."""
    left, top = round(x - sprite.foot_x), round(y - sprite.foot_y)
    height, width = sprite.alpha.shape
    x1, y1, x2, y2 = max(left, 0), max(top, 0), min(left + width, image.shape[1]), min(top + height, image.shape[0])
    if x1 >= x2 or y1 >= y2:
        return
    rows, columns = slice(y1 - top, y2 - top), slice(x1 - left, x2 - left)
    target = image[y1:y2, x1:x2]
    rest = cv2.cvtColor(255 - sprite.alpha[rows, columns], cv2.COLOR_GRAY2BGR)
    target[:] = cv2.add(cv2.multiply(target, rest, scale=1 / 255), sprite.colour[rows, columns])


def silhouette_box(sprite: Sprite) -> tuple[int, int, int, int]:
    """`x1, y1, x2, y2` of the covered part (alpha of at least half), in the sprite's own pixels."""
    x, y, width, height = cv2.boundingRect((sprite.alpha >= 128).view(np.uint8))
    return x, y, x + width, y + height


def _background(rng: np.random.Generator, height: int, width: int) -> Image:
    coarse = rng.normal(0, rng.uniform(4, 24), (6, 5, 3)) + np.array(cloth_colour(rng)) * 0.5 + rng.uniform(30, 110)
    small = np.clip(coarse, 0, 255).astype(np.uint8)
    image = np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    for _ in range(int(rng.integers(0, 4))):  # walls, windows, posts
        corner = rng.integers(0, (width, height))
        size = (rng.uniform(0.05, 0.7, 2) * (width, height)).astype(int)
        cv2.rectangle(image, corner.tolist(), (corner + size).tolist(), cloth_colour(rng), -1)
    return image


def _pose(rng: np.random.Generator, config: CropConfig) -> Pose:
    side = 90.0 if rng.random() < 0.5 else 270.0
    facing = side + rng.normal(0, 12) if rng.random() < config.sideways else rng.uniform(0, 360)
    stride = 0.0 if rng.random() < 0.12 else float(rng.uniform(0.7, 1.1))
    return Pose(float(rng.uniform(0, 2 * np.pi)), float(facing), stride)


def _hide_part(image: Image, rng: np.random.Generator, foot: tuple[float, float], height_px: float) -> None:
    """Somebody or something in front, over at most about half of the figure."""
    x, y = foot
    if rng.random() < 0.5:
        aside = float(rng.choice([-1, 1]) * rng.uniform(0.13, 0.36)) * height_px
        scale = float(rng.uniform(0.95, 1.25))
        sprite = draw_figure(sample_figure(rng), _pose(rng, CropConfig()), height_px * scale)
        paste(image, sprite, x + aside, y + (scale - 1) * 0.6 * height_px)
        return
    left, right = (-1.0, rng.uniform(-0.12, 0.02)) if rng.random() < 0.5 else (rng.uniform(-0.02, 0.12), 1.0)
    top = -1.2
    if rng.random() < 0.4:  # a low wall or a car hides the legs instead
        left, right, top = -1.0, 1.0, -rng.uniform(0.15, 0.5)
    first, last = (int(x + left * height_px), int(y + top * height_px)), (int(x + right * height_px), int(y + 9))
    cv2.rectangle(image, first, last, cloth_colour(rng), -1)


def _relight(image: Image, rng: np.random.Generator, strength: float) -> Image:
    gain = np.exp(strength * (rng.normal(0, 0.16) + rng.normal(0, 0.045, 3)))  # (3,) exposure and colour cast
    offset = strength * rng.normal(0, 7)
    levels = np.arange(256)[:, None] / 255.0
    curve = 255 * levels ** np.exp(strength * rng.normal(0, 0.16)) * gain + offset  # (256, 3)
    table = np.clip(curve, 0, 255).astype(np.uint8)[None]
    return np.asarray(cv2.LUT(image, table), np.uint8)


def _degrade(image: Image, rng: np.random.Generator, config: CropConfig) -> Image:
    if rng.random() < config.blurred:
        if rng.random() < 0.5:
            image = np.asarray(cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.4, 1.5))), np.uint8)
        else:
            image = np.asarray(cv2.blur(image, (int(rng.integers(2, 6)), 1)), np.uint8)
    if config.noise > 0:
        sigma = float(rng.uniform(0.5, max(config.noise, 0.5)))
        # a few thousand values, repeated along the rows: a draw for each pixel would take most of the time
        noise = np.resize((sigma * rng.standard_normal(8191, np.float32)).astype(np.int16), image.shape)
        image = np.asarray(cv2.add(image, noise, dtype=cv2.CV_8U), np.uint8)
    if rng.random() < config.compressed:
        coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 92))])[1]
        image = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    return image


def _loose_box(box: DoubleArray, rng: np.random.Generator, config: CropConfig) -> DoubleArray:
    """(4,) -> (4,) the box as a detector would give it: shaken, and maybe one side cut off."""
    size = np.tile(box[2:] - box[:2], 2)
    loose = box + rng.normal(0, config.box_jitter, 4) * size
    if rng.random() < config.cut_off:
        side = int(rng.choice(4, p=[0.35, 0.05, 0.35, 0.25]))
        loose[side] += (1 if side < 2 else -1) * rng.uniform(0.1, 0.4) * size[side]
    return loose


def sample_crop(
    figure: Figure, rng: np.random.Generator, config: CropConfig | None = None, *, size: tuple[int, int] | None = None
) -> Image:
    """One crop of `figure` as a detector would cut it out, BGR uint8.

    `size` is (width_px, height_px) of the result; None leaves the crop at its natural size. The same state of `rng`
    gives the same crop.
    """
    config = config or CropConfig()
    height_px = float(np.exp(rng.uniform(np.log(config.min_height_px), np.log(config.max_height_px))))
    sprite = draw_figure(figure, _pose(rng, config), height_px)
    height, width = sprite.alpha.shape
    image = _background(rng, height, width)
    foot = (sprite.foot_x, sprite.foot_y)
    if rng.random() < config.neighbour:
        scale = float(rng.uniform(0.7, 1.0))
        other = draw_figure(sample_figure(rng), _pose(rng, config), height_px * scale)
        paste(
            image, other, foot[0] + float(rng.uniform(-0.4, 0.4)) * height_px, foot[1] - (1 - scale) * height_px * 0.5
        )
    paste(image, sprite, *foot)
    if rng.random() < config.occluded:
        _hide_part(image, rng, foot, height_px)
    image = _degrade(_relight(image, rng, config.light) if config.light > 0 else image, rng, config)
    box = _loose_box(np.array(silhouette_box(sprite), np.float64), rng, config)
    x1, y1 = np.clip(box[:2], 0, (width - 4, height - 4)).astype(int)
    x2, y2 = np.clip(box[2:], (x1 + 4, y1 + 4), (width, height)).astype(int)
    crop = image[y1:y2, x1:x2]
    return np.ascontiguousarray(crop) if size is None else np.asarray(cv2.resize(crop, size), np.uint8)

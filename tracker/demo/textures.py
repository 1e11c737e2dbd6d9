"""Cloth: patterns wrapped once around a body, so that turning shows another part of the same shirt."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tracker.demo.figures import Figure
    from tracker.types import Image

_ROWS, _COLUMNS = 64, 256  # of a panorama: neck to hem, and once around, the front in the middle


def _checks(rows: NDArray[np.intp], columns: NDArray[np.intp], period: int) -> NDArray[np.float32]:
    """(rows, 1), (1, columns) -> share of the accent colour: two sets of translucent bands, as in tartan."""
    across = (rows // period) % 2
    along = (columns // (period * 2)) % 2
    share: NDArray[np.float32] = (0.5 * across + 0.5 * along).astype(np.float32)
    return share


def _accent_share(figure: Figure, rng: np.random.Generator) -> NDArray[np.float32]:
    """(64, 256) how much of the accent colour each spot of the top shows, 0..1."""
    rows, columns = np.arange(_ROWS)[:, None], np.arange(_COLUMNS)[None, :]
    share = np.zeros((_ROWS, _COLUMNS), np.float32)
    period = int(rng.integers(5, 10))
    if figure.pattern == "stripes":
        share += (rows // period) % 2
    elif figure.pattern == "bars":
        share += (columns // (2 * period)) % 2
    elif figure.pattern == "checks":
        share = _checks(rows, columns, period)
    elif figure.pattern == "noise":
        coarse = rng.random((_ROWS // 4, _COLUMNS // 8)).astype(np.float32)
        share = (cv2.resize(coarse, (_COLUMNS, _ROWS), interpolation=cv2.INTER_CUBIC) > 0.58).astype(np.float32)
    elif figure.pattern == "block":  # the lower part, or a chest band, in another colour
        start = int(rng.integers(14, 36))
        share[start : start + int(rng.integers(12, 50))] = 1
    elif figure.pattern == "logo":
        middle = _COLUMNS // 2
        centre = (middle if rng.random() < 0.7 else middle + 12, int(rng.integers(16, 28)))
        size = (int(rng.integers(12, 26)), int(rng.integers(6, 11)))
        cv2.ellipse(share, centre, size, 0, 0, 360, 1.0, -1)
        cv2.rectangle(share, (0, 12), (30, 34), 1.0, -1)  # the back print is a block
    return share


@lru_cache(maxsize=512)
def top_panorama(figure: Figure) -> Image:
    """(64, 256, 3) the top's cloth once around the body; column 128 is the middle of the chest. Do not write to it."""
    rng = np.random.default_rng(figure.texture_seed)
    share = _accent_share(figure, rng)[..., None]  # (64, 256, 1)
    colour = (1 - share) * np.array(figure.top, np.float32) + share * np.array(figure.top_accent, np.float32)
    weave = 1 + rng.normal(0, 0.05, (_ROWS, _COLUMNS, 1))
    panorama: Image = np.clip(colour * weave, 0, 255).astype(np.uint8)
    panorama.setflags(write=False)
    return panorama


@lru_cache(maxsize=512)
def fold_map(texture_seed: int) -> NDArray[np.uint8]:
    """(24, 16) smooth brightness of creases in the cloth, 255 where it is brightest. Do not write to it."""
    rng = np.random.default_rng(texture_seed + 1)
    noise = cv2.GaussianBlur(rng.normal(0, 1, (24, 16)).astype(np.float32), (0, 0), 0.9)
    folds: NDArray[np.uint8] = np.clip(232 + 34 * noise, 170, 255).astype(np.uint8)
    folds.setflags(write=False)
    return folds


def wrap(panorama: Image, facing_deg: float, width: int, height: int) -> Image:
    """(height, width, 3) what of a panorama is seen on a round body that faces this way, shaded towards its sides."""
    across = (np.arange(width) + 0.5) / width * 2 - 1  # (width,) -1 left edge .. 1 right edge
    # facing right (90 degrees) puts the chest on the right edge
    angle = np.arcsin(across) - np.deg2rad(facing_deg)
    columns = ((0.5 + angle / (2 * np.pi)) * _COLUMNS).astype(np.intp) % _COLUMNS
    # a round body under light from the upper left: brightest left of the middle
    light = 1.06 - 0.42 * (across + 0.25) ** 2  # (width,)
    strip = panorama[:, columns] * light[None, :, None].astype(np.float32)  # (64, width, 3)
    return np.asarray(cv2.resize(cv2.convertScaleAbs(strip), (width, height)), np.uint8)

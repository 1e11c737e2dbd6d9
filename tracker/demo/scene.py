"""Rendered clips with known truth: a street, people who walk, hide, leave and come back; the same for the same seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import cv2
import numpy as np

from tracker.demo.backdrop import paint_backdrop
from tracker.demo.body import Pose
from tracker.demo.camera import CameraKind, CameraPath, View
from tracker.demo.cast import TWINS, pick_cast
from tracker.demo.choreography import PLANNED_S, choreograph
from tracker.demo.compositing import Box, Picture
from tracker.demo.drawing import Sprite, draw_figure
from tracker.demo.stage import HEIGHT, body_height, build_stage
from tracker.demo.truth import Truth
from tracker.errors import ConfigError
from tracker.types import Frame, SourceInfo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from tracker.types import DoubleArray, Image

_PHASES = 32  # painted poses of one gait cycle: at 25 frames a second a cycle takes about 23 frames
_NOISE_PAD_PX = 64
_Row = tuple[int, int, Box, Box, float]


@dataclass(frozen=True, slots=True)
class DemoConfig:
    """A rendered clip. The same values give the same pixels."""

    seed: int = 0
    """Chooses the street, the people and what they do."""
    duration_s: float = PLANNED_S
    """Length of the clip, at most 40 s; a shorter one shows the beginning of the same story."""
    rate_hz: float = 25.0
    """Frames a second."""
    width_px: int = 960
    """Width of the picture, 4/3 to 16/9 of its height."""
    height_px: int = 540
    """Height of the picture."""
    figures: int = 10
    """How many people appear, 10 to 14."""
    noise: float = 2.5
    """Standard deviation of the sensor noise, in grey levels."""
    camera: CameraKind = "static"
    """`static`; `pan`, to and fro; or `shake`, as in a hand. The last two see a part of the street, enlarged."""

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ConfigError(f"seed must be 0 or more, got {self.seed}")
        if not 0 < self.duration_s <= PLANNED_S:
            raise ConfigError(f"duration_s must be above 0 and at most {PLANNED_S:g}, got {self.duration_s}")
        if not 1 <= self.rate_hz <= 120:
            raise ConfigError(f"rate_hz must be within 1..120, got {self.rate_hz}")
        if self.height_px < 120 or not 4 / 3 - 0.01 <= self.width_px / self.height_px <= 16 / 9 + 0.01:
            size = f"{self.width_px}x{self.height_px}"
            raise ConfigError(f"the picture must be 120 rows or higher, and 4/3 to 16/9 as wide as high, got {size}")
        if not 10 <= self.figures <= 14:
            raise ConfigError(f"figures must be within 10..14, got {self.figures}")
        if not 0 <= self.noise <= 20:
            raise ConfigError(f"noise must be within 0..20 grey levels, got {self.noise}")
        if self.camera not in get_args(CameraKind):
            raise ConfigError(f"camera must be one of {', '.join(get_args(CameraKind))}, got {self.camera!r}")

    @property
    def frames(self) -> int:
        """How many frames the clip has, at least one."""
        return max(1, round(self.duration_s * self.rate_hz))


class DemoClip:
    """A rendered street scene as a `tracker.types.Source`.

    Ten or more people of differing size walk through a still street with a kiosk and a van. In a whole clip of 40 s,
    for every seed: 12 or more full occlusions of 1 s or longer, 10 returns after 5 s or more outside the picture,
    two pairs who look alike (identities 1 and 2, 3 and 4; 2 comes while 1 is away), and people who cross.
    Frames are painted as they are asked for.
    """

    twins = tuple((a + 1, b + 1) for a, b in TWINS)
    """Identities that look alike."""

    def __init__(self, config: DemoConfig | None = None) -> None:
        self.config = config or DemoConfig()
        c = self.config
        rng = np.random.default_rng(c.seed)
        self._scale = c.height_px / HEIGHT
        stage = build_stage(c.width_px / self._scale, rng)
        self._backdrop = paint_backdrop(stage, c.width_px, c.height_px, rng)
        self.figures = pick_cast(c.figures, self._backdrop.colours, rng)
        """What identity 1, 2, ... looks like."""
        self.walks = choreograph(self.figures, stage, rng)
        """Where identity 1, 2, ... goes."""
        self._path = None if c.camera == "static" else CameraPath(c.camera, c.width_px, c.height_px, c.seed)
        self._front_y = min(place.base for place in stage.occluders)
        self._noise_seed = int(rng.integers(2**31))
        self._sprites: dict[tuple[int, int, float, float, int], Sprite] = {}
        self._rows: list[_Row] = []
        self._closed = False

    @property
    def info(self) -> SourceInfo:
        """Name, size, rate and length."""
        c = self.config
        return SourceInfo(f"demo-{c.seed}", c.width_px, c.height_px, c.rate_hz, c.frames, live=False)

    @property
    def truth(self) -> Truth:
        """What is true of the frames that were painted so far: of the whole clip once it has been iterated."""
        rows = self._rows
        return Truth(
            np.array([r[0] for r in rows], np.int64),
            np.array([r[1] for r in rows], np.int64),
            np.array([r[2] for r in rows], np.float32).reshape(-1, 4),
            np.array([r[3] for r in rows], np.float32).reshape(-1, 4),
            np.array([r[4] for r in rows], np.float64),
        )

    def view(self, time_s: float) -> DoubleArray:
        """(2, 3) affine from pixels of the whole street to pixels of the picture, as the camera is at a moment."""
        return np.eye(2, 3) if self._path is None else self._path.view(time_s)

    def __iter__(self) -> Iterator[Frame]:
        self._rows.clear()
        rng = np.random.default_rng(self._noise_seed)
        grain = self._grain(rng)
        for index in range(1, self.config.frames + 1):
            if self._closed:
                return
            time_s = (index - 1) / self.config.rate_hz
            image = self._paint(index, time_s)
            if self.config.noise > 0:
                image = self._add_noise(image, grain, rng)
            yield Frame(image, index, time_s)

    def close(self) -> None:
        """Stop painting; what was painted stays in `truth`."""
        self._closed = True

    def __enter__(self) -> DemoClip:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _grain(self, rng: np.random.Generator) -> tuple[Image, Image]:
        """What noise adds and what it takes away, larger than the picture so that each frame takes another part."""
        shape = (self.config.height_px + _NOISE_PAD_PX, self.config.width_px + _NOISE_PAD_PX, 3)
        noise = np.rint(self.config.noise * rng.standard_normal(shape, np.float32))
        return np.maximum(noise, 0).astype(np.uint8), np.maximum(-noise, 0).astype(np.uint8)

    def _add_noise(self, image: Image, grain: tuple[Image, Image], rng: np.random.Generator) -> Image:
        y, x = rng.integers(0, _NOISE_PAD_PX, 2).tolist()
        part = np.s_[y : y + image.shape[0], x : x + image.shape[1]]
        return np.asarray(cv2.subtract(cv2.add(image, grain[0][part]), grain[1][part]), np.uint8)

    def _sprite(self, who: int, time_s: float, ground_y: float) -> Sprite:
        phase, facing, stride = self.walks[who].gait(time_s)
        step = round(phase / (2 * np.pi) * _PHASES) % _PHASES if stride else 0
        # in steps of two pixels, so that slowly growing figures are not painted anew in each frame
        height = max(8, 2 * round(body_height(ground_y, self.figures[who].height_m) * self._scale / 2))
        key = (who, step, facing, stride, height)
        sprite = self._sprites.get(key)
        if sprite is None:
            pose = Pose(2 * np.pi * step / _PHASES, facing, stride)
            sprite = self._sprites[key] = draw_figure(self.figures[who], pose, height)
        return sprite

    def _paint(self, index: int, time_s: float) -> Image:
        now = np.array([time_s])
        present = []
        for who, walk in enumerate(self.walks):
            here, x, y = walk.at(now)
            if here[0]:
                present.append((float(y[0]), float(x[0]), who))
        picture = Picture(self._backdrop)
        shown = []
        for ground_y, across, who in sorted(present):  # from back to front
            sprite = self._sprite(who, time_s, ground_y)
            foot_x, foot_y = across * self._scale, ground_y * self._scale
            left, top = round(foot_x - sprite.foot_x), round(foot_y - sprite.foot_y)
            behind = ground_y < self._front_y
            picture.cast_shadow(foot_x, foot_y, sprite.alpha.shape[0], behind)
            picture.add(sprite, left, top, who + 1, behind)
            shown.append((who + 1, sprite, left, top))
        view = picture if self._path is None else View(picture, self._path.view(time_s))
        for label, sprite, left, top in sorted(shown, key=lambda row: row[0]):
            seen = view.seen(sprite, left, top, label)
            if seen is not None:
                self._rows.append((index, label, *seen))
        return view.image

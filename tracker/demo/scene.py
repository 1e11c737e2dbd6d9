"""Rendered clips with known truth: a street, people who walk, hide, leave and come back; the same for the same seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import numpy as np

from tracker.demo.backdrop import paint_backdrop
from tracker.demo.camera import CameraKind, CameraPath
from tracker.demo.cast import TWINS, pick_cast
from tracker.demo.choreography import PLANNED_S, choreograph
from tracker.demo.painted import PaintedClip, Standing
from tracker.demo.stage import HEIGHT, build_stage
from tracker.demo.walkers import Walkers
from tracker.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PHASES = 32  # painted poses of one gait cycle: at 25 frames a second a cycle takes about 23 frames


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


class DemoClip(PaintedClip):
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
        scale = c.height_px / HEIGHT
        stage = build_stage(c.width_px / scale, rng)
        backdrop = paint_backdrop(stage, c.width_px, c.height_px, rng)
        self.figures = pick_cast(c.figures, backdrop.colours, rng)
        """What identity 1, 2, ... looks like."""
        self.walks = choreograph(self.figures, stage, rng)
        """Where identity 1, 2, ... goes."""
        self._sprite = Walkers(self.figures, self.walks, scale, phases=_PHASES, step_px=2)
        super().__init__(
            f"demo-{c.seed}",
            backdrop,
            min(place.base for place in stage.occluders),
            rate_hz=c.rate_hz,
            frames=c.frames,
            noise=c.noise,
            noise_seed=int(rng.integers(2**31)),
            camera=None if c.camera == "static" else CameraPath(c.camera, c.width_px, c.height_px, c.seed),
        )

    def _standing(self, time_s: float) -> Iterator[Standing]:
        now = np.array([time_s])
        for who, walk in enumerate(self.walks):
            here, x, y = walk.at(now)
            if here[0]:
                ground_y = float(y[0])
                yield Standing(ground_y, float(x[0]), who, self._sprite(who, time_s, ground_y))

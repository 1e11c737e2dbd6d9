"""Films people who walk before a picture that stands still, whoever they are: a source with known truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from tracker.demo.backdrop import Backdrop
from tracker.demo.choreography import Walk
from tracker.demo.drawing import Sprite
from tracker.demo.painted import PaintedClip, Standing

NOISE = 2.5
"""Standard deviation of the sensor noise, in grey levels."""
SpriteOf = Callable[[int, float, float], Sprite]
"""(row of the person, time in seconds, ground line in reference pixels) -> the sprite to paint."""


@dataclass(frozen=True)
class Light:
    """Light on people: it differs from place to place, and a little from visit to visit; the scene keeps its own."""

    place: np.ndarray
    """(3, 3) log gain of blue, green and red at the left, in the middle and at the right."""
    depth: np.ndarray
    """(3,) log gain that comes with the distance from the back to the front of the stage."""
    visits: np.ndarray
    """(people, 64, 3) log gain of each visit."""

    @classmethod
    def draw(cls, people: int, rng: np.random.Generator) -> Light:
        """About a third brighter or darker, with a tenth of colour cast."""
        place = rng.normal(0, 0.28, (3, 1)) + rng.normal(0, 0.08, (3, 3))
        visits = rng.normal(0, 0.10, (people, 64, 1)) + rng.normal(0, 0.03, (people, 64, 3))
        return cls(place - place.mean(axis=0), rng.normal(0, 0.12, 3), visits)

    def gain(self, who: int, visit: int, across: float, depth: float) -> np.ndarray:
        """(3,) factor for somebody at `across` and `depth`, each 0..1."""
        place = [np.interp(across, (0.0, 0.5, 1.0), column) for column in self.place.T]
        return np.asarray(np.exp(place + (depth - 0.5) * self.depth + self.visits[who, visit % 64]))


class Play(PaintedClip):
    """People of all kinds before a backdrop, each visit in a light of its own."""

    def __init__(
        self,
        name: str,
        backdrop: Backdrop,
        walks: Sequence[Walk],
        sprite: SpriteOf,
        front_y: float,
        light: Light,
        *,
        rate_hz: float,
        frames: int,
        noise_seed: int,
    ) -> None:
        super().__init__(name, backdrop, front_y, rate_hz=rate_hz, frames=frames, noise=NOISE, noise_seed=noise_seed)
        self._walks, self._sprite, self._light = walks, sprite, light

    def _standing(self, time_s: float) -> Iterator[Standing]:
        for who, walk in enumerate(self._walks):
            for number, visit in enumerate(walk.visits):
                if visit.start_s <= time_s <= visit.end_s:
                    y, x = (float(np.interp(time_s, visit.time_s, of)) for of in (visit.y, visit.x))
                    yield Standing(y, x, who, self._lit(self._sprite(who, time_s, y), who, number, x, y))

    def _lit(self, sprite: Sprite, who: int, visit: int, across: float, ground_y: float) -> Sprite:
        width = self.info.width_px / self._scale
        gain = self._light.gain(who, visit, across / width, np.clip((ground_y - 290) / 200, 0, 1))
        colour = cv2.multiply(sprite.colour, (*gain.tolist(), 0.0), dtype=cv2.CV_8U)
        # premultiplied: no colour may be brighter than its coverage
        colour = cv2.min(colour, cv2.cvtColor(sprite.alpha, cv2.COLOR_GRAY2BGR))
        return Sprite(np.asarray(colour, np.uint8), sprite.alpha, sprite.foot_x, sprite.foot_y)

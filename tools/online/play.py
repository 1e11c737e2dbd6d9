"""Films people who walk before a picture that stands still, whoever they are: a source with known truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType

import cv2
import numpy as np

from tracker.demo.backdrop import Backdrop
from tracker.demo.choreography import Walk
from tracker.demo.compositing import Box, Picture
from tracker.demo.drawing import Sprite
from tracker.demo.stage import HEIGHT
from tracker.demo.truth import Truth
from tracker.types import Frame, SourceInfo

NOISE = 2.5
"""Standard deviation of the sensor noise, in grey levels."""
_NOISE_PAD_PX = 64
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


class Play:
    """A `tracker.types.Source` of people before a backdrop; `truth` is known of the frames that were painted."""

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
        height, width = backdrop.image.shape[:2]
        self.info = SourceInfo(name, width, height, rate_hz, frames, live=False)
        self._backdrop, self._walks, self._sprite, self._light = backdrop, walks, sprite, light
        self._front_y, self._noise_seed = front_y, noise_seed
        self._scale = height / HEIGHT
        self._rows: list[tuple[int, int, Box, Box, float]] = []

    @property
    def truth(self) -> Truth:
        """One row a person and frame painted so far; identity n is row n - 1 of the walks."""
        rows = self._rows
        return Truth(
            np.array([r[0] for r in rows], np.int64),
            np.array([r[1] for r in rows], np.int64),
            np.array([r[2] for r in rows], np.float32).reshape(-1, 4),
            np.array([r[3] for r in rows], np.float32).reshape(-1, 4),
            np.array([r[4] for r in rows], np.float64),
        )

    def __iter__(self) -> Iterator[Frame]:
        self._rows.clear()
        rng = np.random.default_rng(self._noise_seed)
        shape = (self.info.height_px + _NOISE_PAD_PX, self.info.width_px + _NOISE_PAD_PX, 3)
        noise = np.rint(NOISE * rng.standard_normal(shape, np.float32))
        more, less = np.maximum(noise, 0).astype(np.uint8), np.maximum(-noise, 0).astype(np.uint8)
        for index in range(1, (self.info.frames or 0) + 1):
            time_s = (index - 1) / (self.info.rate_hz or 1.0)
            image = self._paint(index, time_s)
            y, x = rng.integers(0, _NOISE_PAD_PX, 2).tolist()
            part = np.s_[y : y + image.shape[0], x : x + image.shape[1]]
            yield Frame(np.asarray(cv2.subtract(cv2.add(image, more[part]), less[part]), np.uint8), index, time_s)

    def close(self) -> None:
        """Nothing is held."""

    def __enter__(self) -> Play:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _paint(self, index: int, time_s: float) -> np.ndarray:
        picture, shown = Picture(self._backdrop), []
        for ground_y, across, who, visit in sorted(self._present(time_s)):  # from back to front
            sprite = self._lit(self._sprite(who, time_s, ground_y), who, visit, across, ground_y)
            foot_x, foot_y = across * self._scale, ground_y * self._scale
            left, top = round(foot_x - sprite.foot_x), round(foot_y - sprite.foot_y)
            behind = ground_y < self._front_y
            picture.cast_shadow(foot_x, foot_y, sprite.alpha.shape[0], behind)
            picture.add(sprite, left, top, who + 1, behind)
            shown.append((who + 1, sprite, left, top))
        for label, sprite, left, top in sorted(shown, key=lambda row: row[0]):
            seen = picture.seen(sprite, left, top, label)
            if seen is not None:
                self._rows.append((index, label, *seen))
        return picture.image

    def _present(self, time_s: float) -> Iterator[tuple[float, float, int, int]]:
        for who, walk in enumerate(self._walks):
            for number, visit in enumerate(walk.visits):
                if visit.start_s <= time_s <= visit.end_s:
                    y = float(np.interp(time_s, visit.time_s, visit.y))
                    yield y, float(np.interp(time_s, visit.time_s, visit.x)), who, number

    def _lit(self, sprite: Sprite, who: int, visit: int, across: float, ground_y: float) -> Sprite:
        width = self.info.width_px / self._scale
        gain = self._light.gain(who, visit, across / width, np.clip((ground_y - 290) / 200, 0, 1))
        colour = cv2.multiply(sprite.colour, (*gain.tolist(), 0.0), dtype=cv2.CV_8U)
        # premultiplied: no colour may be brighter than its coverage
        colour = cv2.min(colour, cv2.cvtColor(sprite.alpha, cv2.COLOR_GRAY2BGR))
        return Sprite(np.asarray(colour, np.uint8), sprite.alpha, sprite.foot_x, sprite.foot_y)

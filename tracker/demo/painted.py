"""A clip that is painted: figures before a backdrop, frame by frame, and what is true of these frames."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tracker.demo.camera import View
from tracker.demo.compositing import Picture
from tracker.demo.grain import Grain
from tracker.demo.stage import HEIGHT
from tracker.demo.truth import Truth
from tracker.types import Frame, SourceInfo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self

    from tracker.demo.backdrop import Backdrop
    from tracker.demo.camera import CameraPath
    from tracker.demo.drawing import Sprite
    from tracker.demo.truth import Row
    from tracker.types import DoubleArray, Image


class Standing(NamedTuple):
    """Somebody who is there at a moment, in reference pixels."""

    ground_y: float
    """The ground line: the greater, the nearer."""
    x: float
    """Across."""
    who: int
    """Identity `who + 1`."""
    sprite: Sprite
    """To be painted."""


class PaintedClip(ABC):
    """A `tracker.types.Source` whose frames are painted as they are asked for; the same each time it is iterated.

    Args:
        name: of the source.
        backdrop: before which figures are painted; the picture has its size.
        front_y: who stands above this line, in reference pixels, is behind what stands before the back lanes.
        rate_hz: frames a second.
        frames: how many.
        noise: standard deviation of the sensor noise, in grey levels.
        noise_seed: of that noise.
        camera: None for one that stands still and sees all of the backdrop.
    """

    def __init__(
        self,
        name: str,
        backdrop: Backdrop,
        front_y: float,
        *,
        rate_hz: float,
        frames: int,
        noise: float,
        noise_seed: int,
        camera: CameraPath | None = None,
    ) -> None:
        height, width = backdrop.image.shape[:2]
        self.info = SourceInfo(name, width, height, rate_hz, frames, live=False)
        """Name, size, rate and length."""
        self._scale = height / HEIGHT
        self._backdrop, self._front_y, self._camera = backdrop, front_y, camera
        self._frames, self._rate_hz = frames, rate_hz
        self._noise, self._noise_seed = noise, noise_seed
        self._rows: list[Row] = []
        self._closed = False

    @abstractmethod
    def _standing(self, time_s: float) -> Iterator[Standing]:
        """All who are there at a moment, in any order."""

    @property
    def truth(self) -> Truth:
        """What is true of the frames that were painted so far: of the whole clip once it has been iterated."""
        return Truth.of_rows(self._rows)

    def view(self, time_s: float) -> DoubleArray:
        """(2, 3) affine from pixels of the whole backdrop to pixels of the picture, as the camera is at a moment."""
        return np.eye(2, 3) if self._camera is None else self._camera.view(time_s)

    def __iter__(self) -> Iterator[Frame]:
        self._rows.clear()
        grain = Grain(self._noise, self.info.width_px, self.info.height_px, self._noise_seed)
        for index in range(1, self._frames + 1):
            if self._closed:
                return
            time_s = (index - 1) / self._rate_hz
            yield Frame(grain.on(self._paint(index, time_s)), index, time_s)

    def close(self) -> None:
        """Stop painting; what was painted stays in `truth`."""
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _paint(self, index: int, time_s: float) -> Image:
        picture, shown = Picture(self._backdrop), []
        for ground_y, x, who, sprite in sorted(self._standing(time_s), key=lambda s: s[:3]):  # from back to front
            foot_x, foot_y = x * self._scale, ground_y * self._scale
            left, top = round(foot_x - sprite.foot_x), round(foot_y - sprite.foot_y)
            behind = ground_y < self._front_y
            picture.cast_shadow(foot_x, foot_y, sprite.alpha.shape[0], behind)
            picture.add(sprite, left, top, who + 1, behind)
            shown.append((who + 1, sprite, left, top))
        view = picture if self._camera is None else View(picture, self._camera.view(time_s))
        for label, sprite, left, top in sorted(shown, key=lambda row: row[0]):
            seen = view.seen(sprite, left, top, label)
            if seen is not None:
                self._rows.append((index, label, *seen))
        return view.image

"""Composites: cut-outs of real people who walk through real empty places."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from online.cutouts import Person, read_people
from online.play import Light, Play
from online.walks import Crowd, plan_walks
from tracker.demo.backdrop import Backdrop
from tracker.demo.choreography import Walk
from tracker.demo.drawing import Sprite
from tracker.demo.stage import HEIGHT, body_height

PLACES = ("one-by-one-person-detection", "car-detection")
"""Videos with stretches where nobody is; which serves goes by the seed."""
_EMPTY_FRAMES = {"one-by-one-person-detection": 10}  # nobody is there at first; else the median over all frames
_SAMPLES = 60
_PICTURE_S = 0.3  # each picture of a walker is shown so long, to and fro
_STEP_PX = 2


def composite(
    data: Path, cache: Path, seed: int, crowd: Crowd, *, width_px: int, height_px: int, rate_hz: float
) -> Play:
    """The clip of a seed; `cache` keeps cut-outs between calls."""
    rng = np.random.default_rng((seed, 51))
    scale = height_px / HEIGHT
    people = read_people(data, cache)
    people = [people[i] for i in rng.permutation(len(people))[: crowd.people]]
    backdrop = _backdrop(data, PLACES[seed % len(PLACES)], width_px, height_px, rng)
    heights = rng.normal(1.70, 0.08, len(people)).clip(1.5, 1.9).tolist()
    walks = plan_walks(heights, width_px / scale, (), crowd, rng)
    light = Light.draw(len(people), rng)
    return Play(
        f"composite-{seed}", backdrop, walks, _Painter(people, walks, scale), 0.0, light,
        rate_hz=rate_hz, frames=round(crowd.duration_s * rate_hz), noise_seed=int(rng.integers(2**31)),
    )  # fmt: skip


def _backdrop(data: Path, place: str, width_px: int, height_px: int, rng: np.random.Generator) -> Backdrop:
    """A random part of an empty place, mirrored or not."""
    empty = _empty(data / "video" / f"{place}.mp4", _EMPTY_FRAMES.get(place))
    share = float(rng.uniform(0.8, 1.0))
    height, width = (int(side * share) for side in empty.shape[:2])
    y, x = int(rng.integers(empty.shape[0] - height + 1)), int(rng.integers(empty.shape[1] - width + 1))
    part = empty[y : y + height, x : x + width]
    part = part[:, ::-1] if rng.random() < 0.5 else part
    image = np.asarray(cv2.resize(part, (width_px, height_px), interpolation=cv2.INTER_AREA), np.uint8)
    return Backdrop(image, np.zeros((height_px, width_px), np.uint8), ())


def _empty(video: Path, first: int | None) -> np.ndarray:
    """Median of the first frames, or of frames all over the video."""
    capture = cv2.VideoCapture(str(video))
    if not capture.isOpened():
        raise FileNotFoundError(f"{video} must be a video")
    total = first or int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    wanted, frames = set(np.linspace(0, total - 1, min(total, _SAMPLES)).astype(int).tolist()), []
    for index in range(total):
        there, frame = capture.read()
        if there and index in wanted:
            frames.append(frame)
    capture.release()
    return np.median(np.stack(frames), axis=0).astype(np.uint8)


class _Painter:
    """Sprites of people, each resized once."""

    def __init__(self, people: list[Person], walks: list[Walk], scale: float) -> None:
        self._people, self._walks, self._scale = people, walks, scale
        self._known: dict[tuple[int, int, bool, int], Sprite] = {}

    def __call__(self, who: int, time_s: float, ground_y: float) -> Sprite:
        _, facing, stride = self._walks[who].gait(time_s)
        count = len(self._people[who].pictures)
        beat = int(time_s / _PICTURE_S) % (2 * count - 2)
        which = min(beat, 2 * count - 2 - beat) if stride else 0
        height = _STEP_PX * round(body_height(ground_y, self._walks[who].height_m) * self._scale / _STEP_PX)
        key = (who, which, facing < 180, height)
        if key not in self._known:
            self._known[key] = self._draw(*key)
        return self._known[key]

    def _draw(self, who: int, which: int, mirrored: bool, height: int) -> Sprite:
        person = self._people[who]
        picture, mask = person.pictures[which], person.masks[which]
        if mirrored:
            picture, mask = picture[:, ::-1], mask[:, ::-1]
        size = (max(8, round(picture.shape[1] * height / picture.shape[0])), height)
        how = cv2.INTER_AREA if height < picture.shape[0] else cv2.INTER_LINEAR
        alpha = np.asarray(cv2.resize(mask, size, interpolation=how), np.uint8)
        colour = cv2.resize(picture, size, interpolation=how)
        covered = cv2.multiply(colour, cv2.cvtColor(alpha, cv2.COLOR_GRAY2BGR), scale=1 / 255)
        return Sprite(np.asarray(covered, np.uint8), alpha, size[0] / 2, float(height))

"""Scenes whose reasons are looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from tracker import Detections, Tracker, TrackerConfig, Tracks

DT_S = 0.04

Person = tuple[float, np.ndarray]  # left edge of the box, vector


class Stage:
    """Shows people to a tracker, beside two bystanders who teach it what the same and different people look like."""

    def __init__(self, config: TrackerConfig | None = None) -> None:
        self.tracker = Tracker(config, explain=True)
        self.frame = 0

    @staticmethod
    def box(x: float, y: float = 100.0) -> list[float]:
        return [x, y, x + 40, y + 100]

    @staticmethod
    def unit(seed: int) -> np.ndarray:
        v = np.random.default_rng(seed).normal(size=64)
        return np.asarray(v / np.linalg.norm(v))

    def show(self, *people: Person) -> Tracks:
        boxes = [self.box(900), self.box(1100), *(self.box(x) for x, _ in people)]
        vectors = np.stack([self.unit(101), self.unit(102), *(v for _, v in people)])
        result = self.tracker.update(Detections(boxes, embeddings=vectors), time_s=self.frame * DT_S)
        self.frame += 1
        return result

    def play(self, frames: int, scene: Callable[[int], Iterable[Person]] = lambda _: ()) -> list[Tracks]:
        return [self.show(*scene(i)) for i in range(frames)]


@pytest.fixture
def stage() -> type[Stage]:
    return Stage


@pytest.fixture(scope="session")
def street(shared_data: Path) -> list[Detections]:
    """A street with ten people, at 25 frames a second: real detections and vectors."""
    with np.load(shared_data / "cache" / "TUD-Stadtmitte.npz") as file:
        cache = {name: file[name] for name in file.files}  # the archive unpacks anew at each look
    cache["emb"] = cache["emb"].astype(np.float32)
    cache["emb"] /= np.linalg.norm(cache["emb"], axis=1, keepdims=True)
    frames = []
    for number in range(1, int(cache["frames"]) + 1):
        rows = cache["frame"] == number
        vectors, boxes = cache["emb"][rows], cache["dets"][rows]
        frames.append(Detections(boxes[:, :4], boxes[:, 4], None, vectors, frame_size=(640, 500)))
    return frames


@pytest.fixture(scope="session")
def crowd() -> list[Detections]:
    """People who walk about, are missed, hide, overlap, and look alike; of two classes."""
    people, rng = 14, np.random.default_rng(5)
    place, speed = rng.uniform(0, 400, (people, 2)), rng.normal(0, 4, (people, 2))
    own, classes = rng.normal(size=(people, 32)) + 0.6, np.arange(people) % 2
    frames = []
    for frame in range(150):
        place = np.clip(place + speed, 0, 400)
        seen = (rng.random(people) > 0.1) & ((frame + 9 * np.arange(people)) % 50 > 8)
        boxes = np.c_[place, place + np.array([40, 100])] + rng.normal(0, 1.5, (people, 4))
        vectors = own + rng.normal(0, 0.5, own.shape)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        scores = np.where(rng.random(people) < 0.2, rng.uniform(0.05, 0.6, people), rng.uniform(0.6, 1, people))
        has = rng.random(people) > 0.2
        mixed = np.where(rng.random(people) < 0.05, 1 - classes, classes)
        frames.append(
            Detections(boxes[seen], scores[seen], mixed[seen], vectors[seen], has[seen], frame_size=(640, 500))
        )
    return frames


@pytest.fixture(params=["street", "crowd"])
def stream(request: pytest.FixtureRequest) -> list[Detections]:
    """Either of them."""
    frames: list[Detections] = request.getfixturevalue(request.param)
    return frames

"""This project's tracker, with its default settings."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import tracker
from peers.base import Appearance, Peer, Result, Scene, Seen, Step
from tracker import Detections, Tracker, TrackerConfig

_CORE = ("tracker.py", "table.py", "identities.py", "memory.py", "lives.py", "config.py", "boxes.py", "arrays.py")
_PACKAGES = ("association", "motion", "types")


@dataclass(frozen=True)
class Ours(Peer):
    """Known by its sources, which change more often than its version."""

    @property
    def version(self) -> str:
        root = Path(tracker.__file__).parent
        paths = [root / name for name in _CORE]
        paths += [path for package in _PACKAGES for path in sorted((root / package).rglob("*.py"))]
        digest = hashlib.sha256(b"".join(path.read_bytes() for path in paths))
        return f"sources {digest.hexdigest()[:10]}"


def _make(scene: Scene) -> Step:
    ours = Tracker(appearance=scene.embedder)

    def step(seen: Seen) -> Result:
        vectors = seen.embeddings if seen.embeddings.shape[1] else None
        tracks = ours.update(_detections(seen, scene, vectors), time_s=seen.frame / scene.rate_hz)
        return tracks.ids, tracks.boxes.astype(float)

    return step


def asking(
    config: TrackerConfig, count: Callable[[int], None] = lambda _: None, *, embeds: bool = True
) -> Callable[[Scene], Step]:
    """The tracker with other settings, which asks for the vectors that it wants, unless it is not to embed.

    `count` is told how many, at each request.
    """

    def make(scene: Scene) -> Step:
        ours = Tracker(config, appearance=scene.embedder)

        def step(seen: Seen) -> Result:
            def embed(rows: NDArray[np.int64]) -> NDArray[np.float32]:
                count(len(rows))
                return seen.embeddings[rows]

            asked = embed if embeds and seen.embeddings.shape[1] else None
            tracks = ours.update(_detections(seen, scene, None), time_s=seen.frame / scene.rate_hz, embed=asked)
            return tracks.ids, tracks.boxes.astype(float)

        return step

    return make


def _detections(seen: Seen, scene: Scene, vectors: NDArray[np.float32] | None) -> Detections:
    boxes, scores, classes = seen.detections[:, :4], seen.detections[:, 4], seen.detections[:, 5]
    return Detections(boxes, scores, classes, vectors, frame_size=scene.size)


OURS = Ours(
    "reidtrack",
    "reidtrack",
    Appearance.OPTIONAL,
    "defaults; told the time of each frame and the embedder's card",
    _make,
)

"""This project's tracker, with its default settings."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import tracker
from peers.base import Appearance, Peer, Result, Scene, Seen, Step
from tracker import Detections, Tracker

_CORE = ("tracker.py", "table.py", "identities.py", "memory.py", "lives.py", "config.py", "boxes.py", "types.py")


@dataclass(frozen=True)
class _Ours(Peer):
    """Known by its sources, which change more often than its version."""

    @property
    def version(self) -> str:
        root = Path(tracker.__file__).parent
        paths = [root / name for name in _CORE]
        paths += [path for package in ("association", "motion") for path in sorted((root / package).rglob("*.py"))]
        digest = hashlib.sha256(b"".join(path.read_bytes() for path in paths))
        return f"sources {digest.hexdigest()[:10]}"


def _make(scene: Scene) -> Step:
    ours = Tracker()

    def step(seen: Seen) -> Result:
        boxes, scores, classes = seen.detections[:, :4], seen.detections[:, 4], seen.detections[:, 5]
        vectors = seen.embeddings if seen.embeddings.shape[1] else None
        detections = Detections(boxes, scores, classes, vectors, frame_size=scene.size)
        tracks = ours.update(detections, time_s=seen.frame / scene.rate_hz)
        return tracks.ids, tracks.boxes.astype(float)

    return step


OURS = _Ours("reidtrack", "reidtrack", Appearance.OPTIONAL, "defaults; told the time of each frame", _make)

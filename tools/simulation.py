"""A simulated detector and embedder on ground truth: known paths of real people, imperfect boxes and vectors.

Public ground truths without pictures (MOT17) give real motion, crossings and occlusions. This module adds what a
detector and an embedder would make of them, seeded:

- an object is missed the likelier the less of it is visible (a logistic curve), and at times for no reason;
- boxes are displaced by noise of two kinds, white and slowly varying, in units of the object's size;
- scores fall with visibility;
- false detections come alone or stay for a while at one place;
- a vector is `sqrt(d) common + sqrt(s - d) identity + sqrt(1 - s) noise`, so that the cosine of two of one identity is
  about `s` and of two identities about `d`. The identity part drifts away and back with a time constant (pose, light),
  so that the same person looks less alike after a while; and a vector of a covered person is mixed with the coverer's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tracker.boxes import area, intersection


@dataclass(frozen=True)
class DetectorModel:
    """An imperfect detector."""

    miss_rate: float = 0.04
    """Share of fully visible objects that are missed."""
    half_visibility: float = 0.3
    """Visibility at which half of the objects are missed."""
    white_noise: float = 0.02
    """Standard deviation of the box's sides, in sizes, from frame to frame."""
    slow_noise: float = 0.03
    """The same, for noise that changes over half a second."""
    false_rate: float = 0.5
    """False detections that begin a frame."""
    false_duration_s: float = 0.3
    """Mean time that a false detection stays."""


@dataclass(frozen=True)
class EmbedderModel:
    """An imperfect embedder."""

    same: float = 0.82
    """Mean cosine of two crops of one identity, shortly after each other."""
    different: float = 0.5
    """Mean cosine of two identities."""
    drift: float = 0.3
    """Share of `same - different` that is lost over a long time."""
    drift_s: float = 2.0
    """How fast it is lost."""
    dimension: int = 64
    """D of the vectors."""


EMBEDDERS = {
    "easy": EmbedderModel(0.85, 0.3, 0.2),
    "medium": EmbedderModel(0.82, 0.5, 0.3),
    "hard": EmbedderModel(0.78, 0.6, 0.4),
    "very hard": EmbedderModel(0.72, 0.62, 0.5),
}


@dataclass(frozen=True)
class Simulated:
    """One sequence as a tracker sees it, and the truth."""

    name: str
    rate_hz: float
    frames: int
    frame: np.ndarray
    """(n,) frame of each detection, from 1."""
    detections: np.ndarray
    """(n, 6) float32 x1, y1, x2, y2, score, class 0."""
    embeddings: np.ndarray
    """(n, D) float32 unit vectors; D = 0 where there is no appearance."""
    size: tuple[int, int]
    """(width, height) of the picture in pixels."""


def read_truth(folder: Path) -> tuple[np.ndarray, float, int, tuple[int, int]]:
    """Rows (n, 7) `frame, identity, x1, y1, x2, y2, visibility`, rate in Hz, frames and (width, height) of a sequence.

    Only rows that count: flag 1 and, in MOT16/17/20, pedestrians.
    """
    rate_hz, frames, size = read_sequence_info(folder)
    raw = np.loadtxt(folder / "gt" / "gt.txt", delimiter=",", ndmin=2)
    keep = raw[:, 6] != 0
    seventeen = raw.shape[1] == 9  # MOT15 has ten columns, the eighth is a coordinate
    if seventeen:
        keep &= raw[:, 7] == 1
    visibility = raw[:, 8] if seventeen else np.ones(len(raw))
    rows = np.c_[raw[:, :2], raw[:, 2:4], raw[:, 2:4] + raw[:, 4:6], visibility][keep]
    return rows, rate_hz, frames, size


def read_sequence_info(folder: Path) -> tuple[float, int, tuple[int, int]]:
    """Rate in Hz, frames and (width, height) of a sequence, as its `seqinfo.ini` says."""
    info = dict(line.strip().split("=", 1) for line in (folder / "seqinfo.ini").read_text().splitlines() if "=" in line)
    return float(info["frameRate"]), int(info["seqLength"]), (int(info["imWidth"]), int(info["imHeight"]))


def simulate(
    folder: Path, seed: int, detector: DetectorModel = DetectorModel(), embedder: EmbedderModel = EmbedderModel()
) -> Simulated:
    """What `detector` and `embedder` would make of a MOT17 sequence."""
    rng = np.random.default_rng(seed)
    rows, rate, frames, size = read_truth(folder)
    identities, who = np.unique(rows[:, 1], return_inverse=True)
    common = _unit(rng.normal(size=(1, embedder.dimension)))
    own = _Drift(rng, len(identities), embedder, rate)
    box_noise = rng.normal(size=(len(identities), 4)) * detector.slow_noise
    remember = np.exp(-1 / (0.5 * rate))
    ghosts = _Ghosts(rng, detector, rate, size, rows)
    frame_out, det_out, emb_out = [], [], []
    for frame in range(1, frames + 1):
        own.step()
        shock = rng.normal(size=box_noise.shape) * detector.slow_noise
        box_noise = remember * box_noise + np.sqrt(1 - remember**2) * shock
        here = np.flatnonzero(rows[:, 0] == frame)
        boxes, visible, ident = rows[here, 2:6], rows[here, 6], who[here]
        chance = (1 - detector.miss_rate) / (1 + np.exp(-(visible - detector.half_visibility) / 0.08))
        seen = rng.random(len(here)) < chance
        noise = box_noise[ident] + rng.normal(size=(len(here), 4)) * detector.white_noise
        side = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
        moved = boxes + noise * side
        score = np.clip(0.25 + 0.6 * visible + rng.normal(0, 0.1, len(here)), 0.05, 0.99)
        vectors = _vectors(rng, embedder, common, own.vectors[ident], boxes)
        false_boxes, false_scores = ghosts.step()
        false_vectors = _unit(
            np.sqrt(embedder.different) * common
            + np.sqrt(1 - embedder.different) * _unit(rng.normal(size=(len(false_boxes), embedder.dimension)))
        )
        detected = np.concatenate((np.c_[moved, score][seen], np.c_[false_boxes, false_scores]))
        frame_out.append(np.full(len(detected), frame))
        det_out.append(np.c_[detected, np.zeros(len(detected))])
        emb_out.append(np.concatenate((vectors[seen], false_vectors)))
    return Simulated(
        folder.name,
        rate,
        frames,
        np.concatenate(frame_out),
        np.concatenate(det_out).astype(np.float32),
        np.concatenate(emb_out).astype(np.float32),
        size,
    )


def public_detections(folder: Path) -> Simulated:
    """The public detections of a MOT15 sequence, without appearance."""
    _, rate, frames, size = read_truth(folder)
    raw = np.loadtxt(folder / "det" / "det.txt", delimiter=",", ndmin=2)
    boxes = np.c_[raw[:, 2:4], raw[:, 2:4] + raw[:, 4:6], np.clip(raw[:, 6], 0, 1), np.zeros(len(raw))]
    nothing = np.zeros((len(raw), 0), np.float32)
    return Simulated(folder.name, rate, frames, raw[:, 0].astype(np.int64), boxes.astype(np.float32), nothing, size)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


class _Drift:
    """Unit vectors of identities, each wandering about its own centre."""

    def __init__(self, rng: np.random.Generator, count: int, model: EmbedderModel, rate: float) -> None:
        self._rng, self._model = rng, model
        self._centre = _unit(rng.normal(size=(count, model.dimension)))
        self._offset = _unit(rng.normal(size=(count, model.dimension)))
        self._keep = np.exp(-1 / (model.drift_s * rate))

    def step(self) -> None:
        shock = self._rng.normal(size=self._offset.shape) / np.sqrt(self._model.dimension)
        self._offset = self._keep * self._offset + np.sqrt(1 - self._keep**2) * shock

    @property
    def vectors(self) -> np.ndarray:
        drift = self._model.drift
        return _unit(np.sqrt(1 - drift) * self._centre + np.sqrt(drift) * self._offset)


def _vectors(
    rng: np.random.Generator, model: EmbedderModel, common: np.ndarray, own: np.ndarray, boxes: np.ndarray
) -> np.ndarray:
    """Vectors (n, D) of the objects of one frame; who is covered by somebody nearer looks like both."""
    noise = _unit(rng.normal(size=own.shape))
    clear = np.sqrt(model.different) * common + np.sqrt(model.same - model.different) * own
    vectors = clear + np.sqrt(1 - model.same) * noise
    if len(boxes) > 1:
        nearer = boxes[None, :, 3] > boxes[:, None, 3]  # (n, n): the second stands in front of the first
        share = intersection(boxes, boxes) / np.maximum(area(boxes)[:, None], 1e-9) * nearer
        front, covered = share.argmax(axis=1), share.max(axis=1)[:, None]
        vectors = (1 - covered) * vectors + covered * vectors[front]
    return _unit(vectors)


class _Ghosts:
    """False detections."""

    def __init__(
        self, rng: np.random.Generator, model: DetectorModel, rate: float, size: tuple[int, int], rows: np.ndarray
    ) -> None:
        self._rng, self._model, self._rate, self._size = rng, model, rate, size
        self._heights = rows[:, 5] - rows[:, 3]
        self._boxes = np.zeros((0, 4))
        self._scores = np.zeros(0)

    def step(self) -> tuple[np.ndarray, np.ndarray]:
        rng = self._rng
        stay = rng.random(len(self._boxes)) < np.exp(-1 / (self._model.false_duration_s * self._rate))
        n = rng.poisson(self._model.false_rate)
        height = rng.choice(self._heights, n)
        centre = rng.uniform((0, 0), self._size, (n, 2))
        half = np.c_[0.42 * height, height] / 2
        fresh = np.c_[centre - half, centre + half]
        self._boxes = np.concatenate((self._boxes[stay], fresh))
        self._scores = np.concatenate((self._scores[stay], np.clip(rng.normal(0.4, 0.15, n), 0.05, 0.95)))
        jitter = rng.normal(0, self._model.white_noise, self._boxes.shape) * np.tile(
            self._boxes[:, 2:] - self._boxes[:, :2], 2
        )
        return self._boxes + jitter, np.clip(self._scores + rng.normal(0, 0.05, len(self._scores)), 0.05, 0.95)

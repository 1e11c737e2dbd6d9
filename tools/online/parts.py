"""What is made of a part of a clip, kept on disk: crops with their true identities, and tracks, to measure on."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from online.clips import Clip, part_truth
from reid import Embedder
from reid.data import Crops
from reid.data.cache import PixelCache
from reid.data.pictures import FilePictures, encode
from reid.embedder import crop_corners
from tracker import Tracker
from tracker.boxes import iou
from tracker.detectors.file import FileDetector
from tracker.evaluation import MotTracks, Scores, score_tracks
from tracker.pipeline import Pipeline
from tracker.types import FrameResult, RunInfo, Sink
from tracker.video import open_source

_MATCH_IOU = 0.5
_LEAST_HEIGHT_PX, _SCORE = 40, 0.5  # of detections that are measured on
_CACHE_MB = 256
_JPEG_QUALITY = 95


def model_digest(model: Path) -> str:
    """First 12 of the SHA-256 of a model file."""
    return hashlib.sha256(model.read_bytes()).hexdigest()[:12]


def follow(clip: Clip, part: Literal[1, 2], model: Path, sinks: Sequence[Sink]) -> None:
    """Run the product's pipeline over a part, with cached detections."""
    cv2.setNumThreads(1)
    first, last = (1, clip.split) if part == 1 else (clip.split + 1, clip.frames)
    embedder = Embedder(model, device="cpu", threads=1)
    source = open_source(clip.video, start=str(first), end=str(last))
    detector = FileDetector(clip.detections)
    Pipeline(source, detector, embedder, Tracker(appearance=embedder.info)).run(sinks)


def track(clip: Clip, model: Path, out: Path) -> Scores:
    """How well the second part is tracked with this model, by a tracker that begins there."""
    file = out / "tracks" / f"{clip.folder.name}-{model_digest(model)}.json"
    if not file.is_file():
        rows = _Rows()
        follow(clip, 2, model, [rows])
        truth, found = part_truth(clip, 2), rows.tracks
        truth = replace(truth, frame=truth.frame - clip.split)
        scores = score_tracks(truth, replace(found, frame=found.frame - clip.split), clip.frames - clip.split)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({name: getattr(scores, name) for name in Scores.__dataclass_fields__}))
    return Scores(**json.loads(file.read_text()))


def hidden_crops(clip: Clip, out: Path) -> Crops:
    """Crops of the second part as the detector boxed them, with their true identities.

    One a person every `clip.spacing_s`: confident detections that match a person of whom enough is seen, one-to-one.
    """
    folder = out / "hidden" / clip.folder.name
    if not (folder / "table.npz").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _cut(clip, folder)
    with np.load(folder / "table.npz") as table:
        identity, time_s = table["identity"], table["time_s"]
    names, number = np.unique(identity, return_inverse=True)
    pictures = FilePictures([folder / f"{row:06d}.jpg" for row in range(len(identity))])
    return Crops(
        pictures, number, [f"{clip.folder.name}/{name}" for name in names.tolist()], time_s=time_s,
        group=np.zeros(len(identity), np.int64), cache=PixelCache(pictures, _CACHE_MB << 20),
    )  # fmt: skip


def true_identities(clip: Clip, frame: NDArray[np.int64], boxes: NDArray[np.floating]) -> NDArray[np.int64]:
    """(n,) whom each box shows, one-to-one in each frame; -1 where it is nobody's at IoU 0.5."""
    who = np.full(len(frame), -1, np.int64)
    truth = clip.truth
    for number in np.unique(frame).tolist():
        mine, theirs = np.flatnonzero(frame == number), np.flatnonzero((truth.frame == number) & truth.considered)
        overlap = iou(boxes[mine], truth.boxes[theirs])
        rows, columns = linear_sum_assignment(-overlap)
        good = overlap[rows, columns] >= _MATCH_IOU
        who[mine[rows[good]]] = truth.id[theirs[columns[good]]]
    return who


def _cut(clip: Clip, folder: Path) -> None:
    detector, identities, times, boxes_out = FileDetector(clip.detections, conf=_SCORE), [], [], []
    due: dict[int, float] = {}  # by identity
    for frame in clip.frames_of(2):
        boxes = detector(frame).boxes
        boxes = boxes[boxes[:, 3] - boxes[:, 1] >= _LEAST_HEIGHT_PX]
        if not len(boxes):
            continue
        who = true_identities(clip, np.full(len(boxes), frame.index), boxes)
        corners = crop_corners(boxes, frame.image.shape[1], frame.image.shape[0])
        for identity, (x1, y1, x2, y2), box in zip(who.tolist(), corners.tolist(), boxes.tolist(), strict=True):
            if identity < 0 or frame.time_s < due.get(identity, 0.0):
                continue
            due[identity] = frame.time_s + clip.spacing_s - 1e-3
            data = encode(frame.image[y1:y2, x1:x2], _JPEG_QUALITY)
            (folder / f"{len(identities):06d}.jpg").write_bytes(data)
            identities.append(identity)
            times.append(frame.time_s)
            boxes_out.append(box)
    np.savez(
        folder / "table.npz", identity=np.array(identities, np.int64), time_s=np.array(times), boxes=np.array(boxes_out)
    )


class _Rows:
    """A sink that keeps the tracks."""

    def __init__(self) -> None:
        self._rows: list[NDArray[np.float64]] = [np.zeros((0, 6))]

    def open(self, run: RunInfo) -> None:
        """Nothing to open."""

    def write(self, result: FrameResult) -> None:
        """Keep one frame."""
        tracks = result.tracks
        self._rows.append(np.c_[np.full(len(tracks), result.frame.index), tracks.ids, tracks.boxes])

    def close(self) -> None:
        """Nothing to close."""

    @property
    def tracks(self) -> MotTracks:
        """All of them."""
        table = np.concatenate(self._rows)
        return MotTracks(table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2:])

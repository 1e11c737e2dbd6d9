"""Crops of MOT sequences, cut from their frames by ground truth or by a tracker's own output."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reid.data.cache import PixelCache
from reid.data.config import DataConfig
from reid.data.crops import Crops
from reid.data.mot_sequences import FrameReader, MotSequence, find_sequences
from reid.data.mot_text import MotRows, read_mot
from reid.data.pictures import MemoryPictures
from reid.data.selection import spread_evenly
from reid.embedder import crop_corners
from reid.errors import DataError
from reid.tracklets.cutting import PieceCutter

_EXACT_MB = 512  # crops that are kept as they were; the rest as JPEG
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class _Boxes:
    """Boxes of one sequence that are wanted as crops, in order of frames."""

    frame: NDArray[np.int64]  # (n,)
    corners: NDArray[np.int64]  # (n, 4) whole pixels inside the frame
    identity: NDArray[np.int64]  # (n,) 0..i-1
    names: list[str]  # (i,)
    kin: list[int]  # (i,) the track's number
    together: NDArray[np.int64]  # (m, 2)


def read_mot_crops(path: Path, config: DataConfig, frames: FrameReader | None = None) -> Crops:
    """Crops of one sequence or of all in a folder. Frames are read once, here; crops stay in memory.

    By ground truth, each number of a sequence is a labelled identity, and people of different sequences count as
    different. By a tracker's output, each tracklet is an identity: tracks are cut as `reid.tracklets.PieceCutter` does,
    and only tracklets that were seen together are known to be different.

    Raises:
        DataError: there is no sequence, a file is wrong, or no crop remains.
    """
    sequences = find_sequences(path, config)
    pictures = MemoryPictures(_EXACT_MB << 20)
    parts: list[tuple[_Boxes, NDArray[np.float64]]] = []
    for sequence in sequences:
        boxes = _wanted(sequence, config)
        kept = _cut(sequence, boxes, pictures, frames)
        parts.append((_select(boxes, kept), (boxes.frame[kept] - 1) / sequence.rate_hz))
    if not len(pictures):
        raise DataError(
            f"{path} must give crops of at least {config.least_width_px}x{config.least_height_px} px and visibility "
            f"{config.least_visibility:g}, found none in {len(sequences)} sequences: lower least_height_px, "
            "least_width_px or least_visibility"
        )
    before = np.cumsum([0, *(len(boxes.names) for boxes, _ in parts)])
    group = np.repeat(np.arange(len(parts)), [len(boxes.frame) for boxes, _ in parts])
    kin = np.array([(k, number) for k, (boxes, _) in enumerate(parts) for number in boxes.kin], np.int64)
    return Crops(
        pictures,
        np.concatenate([boxes.identity + start for (boxes, _), start in zip(parts, before, strict=False)]),
        [f"{s.name}/{name}" for s, (boxes, _) in zip(sequences, parts, strict=True) for name in boxes.names],
        labelled=[s.truth for s, (boxes, _) in zip(sequences, parts, strict=True) for _ in boxes.names],
        time_s=np.concatenate([time_s for _, time_s in parts]),
        group=group,
        together=np.concatenate([boxes.together + start for (boxes, _), start in zip(parts, before, strict=False)]),
        kin=np.unique(kin, axis=0, return_inverse=True)[1].reshape(-1),
        licence=config.licence,
        cache=PixelCache(pictures, config.cache_mb << 20),
    )


def _wanted(sequence: MotSequence, config: DataConfig) -> _Boxes:
    """The boxes of a sequence that are large and visible enough, at most so many an identity."""
    rows = read_mot(sequence.text, truth=sequence.truth)
    height_px, width_px = sequence.size_px()
    identity, names, kin, together = _identities(rows, sequence)
    corners = crop_corners(rows.boxes, width_px, height_px)  # (n, 4)
    size = corners[:, 2:] - corners[:, :2]  # (n, 2)
    area = np.maximum((rows.boxes[:, 2:] - rows.boxes[:, :2]).prod(axis=1), 1)
    visible = np.minimum(rows.visibility, size.prod(axis=1) / area)  # what the border cuts off is not seen either
    keep = (identity >= 0) & rows.considered & (visible >= config.least_visibility)
    keep &= (size[:, 0] >= config.least_width_px) & (size[:, 1] >= config.least_height_px)
    available = np.array([number for number, _ in sequence.pictures], np.int64)
    if sequence.video is None:
        keep &= np.isin(rows.frame, available)
    chosen = np.flatnonzero(keep)
    if config.most_crops is not None:
        chosen = chosen[spread_evenly(identity[chosen], rows.frame[chosen], config.most_crops)]
    _logger.info("%s: %d of %d boxes are taken", sequence.name, len(chosen), len(keep))
    return _Boxes(rows.frame[chosen], corners[chosen], identity[chosen], names, kin, together)


def _identities(
    rows: MotRows, sequence: MotSequence
) -> tuple[NDArray[np.int64], list[str], list[int], NDArray[np.int64]]:
    """(n,) identity or tracklet of each row (-1 for none), their names, tracks' numbers, and pairs seen together."""
    if sequence.truth:
        numbers, identity = np.unique(rows.id, return_inverse=True)
        return identity, [str(number) for number in numbers.tolist()], numbers.tolist(), np.zeros((0, 2), np.int64)
    cutter = PieceCutter(first=0)
    identity = np.full(len(rows.frame), -1, np.int64)
    pairs = []
    starts = np.flatnonzero(np.r_[True, np.diff(rows.frame) > 0, True])
    for start, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        frame = slice(start, end)
        time_s = (int(rows.frame[start]) - 1) / sequence.rate_hz
        pieces = cutter.update(rows.id[frame], rows.boxes[frame], time_s)
        identity[frame] = pieces.tracklet
        pairs.append(pieces.together)
    track = np.zeros(int(identity.max(initial=-1)) + 1, np.int64)
    track[identity[identity >= 0]] = rows.id[identity >= 0]
    names = [f"{number} ({which})" for which, number in enumerate(track.tolist())]
    return identity, names, track.tolist(), np.concatenate(pairs)


def _cut(
    sequence: MotSequence, boxes: _Boxes, pictures: MemoryPictures, reader: FrameReader | None
) -> NDArray[np.int64]:
    """Cut the crops out of the frames; which of the boxes (in order) were there."""
    kept: list[int] = []
    for number, image in sequence.frames(frozenset(boxes.frame.tolist()), reader):
        first, last = np.searchsorted(boxes.frame, [number, number + 1])
        for row in range(int(first), int(last)):
            x1, y1, x2, y2 = boxes.corners[row].tolist()
            crop = image[y1:y2, x1:x2]
            if crop.shape[:2] != (y2 - y1, x2 - x1):
                raise DataError(f"{sequence.name}: frame {number} is smaller than the first; all must be of one size")
            pictures.add(crop, f"{sequence.name}, frame {number}, {boxes.names[boxes.identity[row]]}")
            kept.append(row)
    if len(kept) < len(boxes.frame):
        _logger.warning("%s: %d boxes lie in frames that are missing", sequence.name, len(boxes.frame) - len(kept))
    return np.array(kept, np.int64)


def _select(boxes: _Boxes, rows: NDArray[np.int64]) -> _Boxes:
    return _Boxes(boxes.frame[rows], boxes.corners[rows], boxes.identity[rows], boxes.names, boxes.kin, boxes.together)

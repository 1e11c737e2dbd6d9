"""Finds MOT sequences on disk: where their frames are, where their boxes, and how fast they run."""

from __future__ import annotations

import configparser
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import cv2

from reid.data.config import DataConfig
from reid.data.files import VIDEO_SUFFIXES, describe, entries, first_few, pictures_in
from reid.data.pictures import Image, decode
from reid.errors import DataError

FrameReader: TypeAlias = Callable[[Path], Iterable[tuple[int, Image]]]
"""Given a video, its frames in order as (number from 1, (H, W, 3) uint8 BGR)."""

_DEFAULT_RATE_HZ = 25.0
_DRAWN = ("annotated", "contact_sheet")  # what `reidtrack` writes beside its tracks has boxes drawn into it
_DETECTOR = re.compile(r"(MOT17-\d+)-(DPM|FRCNN|SDP)")
_AT_ONCE = 8  # decoded frames in memory
_SHOWN = 3
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MotSequence:
    """One sequence; exactly one of `pictures` and `video` is there."""

    name: str
    text: Path
    """Ground truth, or a tracker's output."""
    truth: bool
    rate_hz: float
    pictures: tuple[tuple[int, Path], ...]
    """Numbers, from 1, and files of the frames."""
    video: Path | None

    def size_px(self) -> tuple[int, int]:
        """(height_px, width_px) of the frames.

        Raises:
            DataError: the first frame cannot be read.
        """
        if self.video is None:
            return _read_frame(self.pictures[0][1]).shape[:2]
        video = _open_video(self.video)
        size = (int(video.get(cv2.CAP_PROP_FRAME_HEIGHT)), int(video.get(cv2.CAP_PROP_FRAME_WIDTH)))
        video.release()
        return size

    def frames(self, wanted: frozenset[int], reader: FrameReader | None) -> Iterator[tuple[int, Image]]:
        """The wanted frames in order; those that are not there are passed over."""
        if self.video is not None:
            if reader is None:
                yield from _video_frames(self.video, wanted)
            else:
                yield from ((number, image) for number, image in reader(self.video) if number in wanted)
            return
        kept = [(number, path) for number, path in self.pictures if number in wanted]
        with ThreadPoolExecutor(_AT_ONCE // 2, thread_name_prefix="reidtrack-decode") as pool:
            for start in range(0, len(kept), _AT_ONCE):
                part = kept[start : start + _AT_ONCE]
                images = pool.map(_read_frame, [path for _, path in part])
                yield from zip((number for number, _ in part), images, strict=True)


def find_sequences(path: Path, config: DataConfig) -> list[MotSequence]:
    """The sequence that a video or folder is, or those in its folders (up to two levels below).

    A sequence is a folder with ground truth in `gt/gt.txt` or `gt.txt` (or with `config.tracks`, a file or a folder of
    `NAME.txt`, or a `tracks.txt` in it), and with pictures in `img1` or the folder that `seqinfo.ini` names, or else in
    itself where numbers are all their names, or else a video, or else any pictures in itself. Of MOT17's three copies
    of a sequence, one a public detector, the first is taken.

    Raises:
        DataError: there is none; the message says what was found and what was expected.
    """
    if path.is_file():
        sequence = _sequence(path.parent, config, video=path)
        if sequence is None:
            raise DataError(
                f"{path} must have ground truth in gt/gt.txt or gt.txt beside it, or a tracker's output must be given "
                f"(tracks); found {describe(path.parent)} beside it"
            )
        return [sequence]
    found = _below(path, config, levels=2)
    if not found:
        raise DataError(
            f"{path} must be a MOT sequence or hold some: gt/gt.txt (or a tracker's output given as tracks) beside a "
            f"folder img1 of pictures or a video; found {describe(path)}"
        )
    sequences = _without_copies(found)
    _tell_of_pictures(sequences)
    return sequences


def has_sequences(path: Path, config: DataConfig) -> bool:
    """Whether `find_sequences` would find one."""
    return bool(_below(path, config, levels=2))


def _below(folder: Path, config: DataConfig, levels: int) -> list[MotSequence]:
    sequence = _sequence(folder, config)
    if sequence is not None:
        return [sequence]
    return [s for child in entries(folder)[0] for s in _below(child, config, levels - 1)] if levels else []


def _sequence(folder: Path, config: DataConfig, video: Path | None = None) -> MotSequence | None:
    """The sequence that a folder is, None where it is none."""
    info = _sequence_info(folder)
    name = info.get("name") or (video.stem if video else folder.resolve().name)
    text, truth = _boxes(folder, name, config)
    if text is None:
        return None
    pictures: list[Path] = []
    if video is None:
        frames = folder / info.get("imdir", "img1")
        pictures = pictures_in(frames) if frames.is_dir() else []
        if not pictures:
            beside = _undrawn_pictures(folder)
            video = None if _numbered(beside) else _video_in(folder)
            pictures = beside if video is None else []
    if not pictures and video is None:
        return None
    numbered = [int(p.stem) for p in pictures] if _numbered(pictures) else []
    numbers = numbered if numbered and 0 not in numbered else range(1, len(pictures) + 1)
    rate_hz = _rate(info.get("framerate"), folder, video)
    return MotSequence(name, text, truth, rate_hz, tuple(zip(numbers, pictures, strict=True)), video)


def _undrawn_pictures(folder: Path) -> list[Path]:
    return [path for path in pictures_in(folder) if path.stem not in _DRAWN]


def _numbered(pictures: list[Path]) -> bool:
    """Whether names alone say that pictures are frames."""
    return bool(pictures) and all(path.stem.isdecimal() for path in pictures)


def _video_in(folder: Path) -> Path | None:
    """The video that lies in a folder, if one does."""
    videos = [path for path in entries(folder)[1] if path.suffix.lower() in VIDEO_SUFFIXES and path.stem not in _DRAWN]
    if len(videos) > 1:
        raise DataError(f"{folder} must hold one video, got {', '.join(p.name for p in videos)}: name the one meant")
    return videos[0] if videos else None


def _tell_of_pictures(sequences: Iterable[MotSequence]) -> None:
    """Say which pictures are no frames, since somebody may have thought that they are."""
    for sequence in sequences:
        beside = [] if sequence.video is None else _undrawn_pictures(sequence.video.parent)
        if beside:
            _logger.warning(
                "frames are those of %s; left out pictures beside it, since frames of their own belong into img1: %s",
                sequence.video,
                first_few(beside, _SHOWN, lambda path: path.name),
            )


def _boxes(folder: Path, name: str, config: DataConfig) -> tuple[Path | None, bool]:
    """The text of a sequence, and whether it is ground truth."""
    if config.tracks is not None:
        if config.tracks.is_dir():
            text = config.tracks / f"{name}.txt"
            return (text if text.is_file() else None), False
        if not config.tracks.is_file():
            raise DataError(f"tracks must be a MOT text file or a folder of NAME.txt, and there is no {config.tracks}")
        return config.tracks, False
    for text in (folder / "gt" / "gt.txt", folder / "gt.txt"):
        if text.is_file():
            return text, True
    text = folder / "tracks.txt"
    return (text if text.is_file() else None), False


def _without_copies(found: list[MotSequence]) -> list[MotSequence]:
    kept: dict[str, MotSequence] = {}
    for sequence in found:
        match = _DETECTOR.fullmatch(sequence.name)
        key = match[1] if match else str(sequence.text)
        if key in kept:
            _logger.info("%s shows the same people as %s: left out", sequence.name, kept[key].name)
        else:
            kept[key] = sequence
    return list(kept.values())


def _sequence_info(folder: Path) -> dict[str, str]:
    """What `seqinfo.ini` says, keys in lower case; nothing where there is none."""
    path = folder / "seqinfo.ini"
    if not path.is_file():
        return {}
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(path, encoding="utf-8-sig")
        return dict(parser["Sequence"])
    except (configparser.Error, KeyError, UnicodeDecodeError) as error:
        raise DataError(f"{path} must be a MOTChallenge seqinfo.ini with a section [Sequence]: {error}") from error


def _rate(stated: str | None, folder: Path, video: Path | None) -> float:
    if stated is not None:
        try:
            rate_hz = float(stated)
        except ValueError:
            rate_hz = 0.0
        if not 0 < rate_hz < float("inf"):
            raise DataError(f"{folder / 'seqinfo.ini'}: frameRate must be a number above 0, got {stated!r}")
        return rate_hz
    if video is not None:
        capture = _open_video(video)
        rate_hz = capture.get(cv2.CAP_PROP_FPS)
        capture.release()
        if 0 < rate_hz < float("inf"):
            return float(rate_hz)
    return _DEFAULT_RATE_HZ


def _read_frame(path: Path) -> Image:
    try:
        image = decode(path.read_bytes())
    except OSError as error:
        raise DataError(f"frame {path} cannot be read: {error.strerror}") from error
    if image is None:
        raise DataError(f"frame {path} cannot be decoded: it is damaged or no picture")
    return image


def _open_video(path: Path) -> cv2.VideoCapture:
    video = cv2.VideoCapture(str(path))
    if not video.isOpened():
        raise DataError(f"video {path} cannot be opened: it is damaged, or of a kind that OpenCV cannot read here")
    return video


def _video_frames(path: Path, wanted: frozenset[int]) -> Iterator[tuple[int, Image]]:
    """Frames of a video, decoded only where wanted."""
    video = _open_video(path)
    try:
        for number in range(1, max(wanted, default=0) + 1):
            if not video.grab():
                return
            if number in wanted:
                done, image = video.retrieve()
                if done:
                    yield number, image.astype("uint8", copy=False)
    finally:
        video.release()

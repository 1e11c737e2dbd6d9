"""Videos on disk as MOT sequences: pictures, hidden truth and cached detections, made once and read from then on.

OUT/clips/<kind>-<seed>-<digest>/
video.webm (or .mp4)    what `reidtrack adapt` takes
gt/gt.txt, seqinfo.ini  the hidden truth
det/det.txt             what the detector saw
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sequences import write_sequence
from simulation import DetectorModel, simulate

from online.composite import composite
from online.play import Play
from online.street import street
from online.walks import Crowd
from tracker.detectors.motion import MotionDetector
from tracker.evaluation import MotTruth, read_mot_truth
from tracker.types import Frame
from tracker.video import open_source
from tracker.video.writer import CODECS, VideoWriter

Kind: TypeAlias = Literal["rendered", "composite", "tud"]
Detector: TypeAlias = Literal["motion", "simulated"]
VERSION = 1
"""Of what is painted: another number paints anew."""
TUD = Path("seq") / "TUD-Stadtmitte"
_TUD_SPLIT, _TUD_SCORE = 100, 0.1
_CODEC = next(codec for codec in CODECS if codec.name == "VP8")  # everywhere the same, whatever else is there


@dataclass(frozen=True)
class ClipConfig:
    """One video."""

    kind: Kind
    seed: int
    crowd: Crowd = field(default_factory=Crowd)
    width_px: int = 640
    height_px: int = 360
    rate_hz: float = 10.0
    detector: Detector = "motion"
    """The product's default, or a model of one on the truth."""

    @property
    def name(self) -> str:
        """Of its folder: another one for other settings."""
        text = json.dumps([VERSION, asdict(self)], sort_keys=True)
        return f"{self.kind}-{self.seed}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


@dataclass(frozen=True, eq=False)
class Clip:
    """A video that is there."""

    folder: Path
    kind: Kind
    video: Path
    rate_hz: float
    frames: int
    split: int
    """The second part begins after this frame."""
    truth: MotTruth
    later_s: tuple[float, ...]
    """Delays after which people are to be found again."""
    min_gap_s: float
    """Matches nearer in time than this do not count."""
    spacing_s: float
    """Between two crops of a person that are measured on."""

    @property
    def detections(self) -> Path:
        """MOTChallenge text."""
        return self.folder / "det" / "det.txt"

    def frames_of(self, part: Literal[1, 2]) -> Iterator[Frame]:
        """The frames of a part, with the numbers and times of the whole."""
        first, last = (1, self.split) if part == 1 else (self.split + 1, self.frames)
        with open_source(self.video, start=str(first), end=str(last)) as source:
            yield from source


def make_clip(config: ClipConfig, data: Path, out: Path, say: Callable[[str], None]) -> Clip:
    """The video of a configuration, from `out` where it was made before."""
    if config.kind == "tud":
        return _tud(data, out)
    folder = out / "clips" / config.name
    if not (folder / "det" / "det.txt").is_file():
        say(f"making {folder.name}")
        draft = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(draft, ignore_errors=True)
        _film(_play(config, data, out), draft)
        _detect(draft, config.detector, config.seed)
        with suppress(FileNotFoundError):
            shutil.rmtree(folder)
        draft.rename(folder)
    return Clip(
        folder, config.kind, _video(folder), config.rate_hz, round(config.crowd.duration_s * config.rate_hz),
        round(config.crowd.split_s * config.rate_hz), read_mot_truth(folder / "gt" / "gt.txt"),
        later_s=(2.0, 10.0, 30.0, 60.0), min_gap_s=10.0, spacing_s=0.5,
    )  # fmt: skip


def _play(config: ClipConfig, data: Path, out: Path) -> Play:
    if config.kind == "rendered":
        return street(
            config.seed, config.crowd, width_px=config.width_px, height_px=config.height_px, rate_hz=config.rate_hz
        )
    return composite(
        data, out / "cutouts", config.seed, config.crowd,
        width_px=config.width_px, height_px=config.height_px, rate_hz=config.rate_hz,
    )  # fmt: skip


def _film(play: Play, folder: Path) -> None:
    """Paint everything into a video, and write what is true of it."""
    folder.mkdir(parents=True)
    info = play.info
    writer = VideoWriter(folder / "video", (info.width_px, info.height_px), info.rate_hz or 1.0, codec=_CODEC)
    for frame in play:
        writer.write(frame.image)
    writer.close()
    write_sequence(play, folder, info.name)


def _video(folder: Path) -> Path:
    return next(path for path in sorted(folder.glob("video.*")) if path.suffix in (".webm", ".mp4"))


def _detect(folder: Path, detector: Detector, seed: int) -> None:
    """Every frame's detections as text."""
    if detector == "simulated":
        seen = simulate(folder, seed, DetectorModel())
        _write_detections(folder, seen.frame, seen.detections)
        return
    motion, frames, rows = MotionDetector(), [], []
    with open_source(_video(folder)) as source:
        for frame in source:
            found = motion(frame)
            frames.append(np.full(len(found), frame.index))
            rows.append(np.c_[found.boxes, found.scores])
    _write_detections(folder, np.concatenate(frames), np.concatenate(rows))


def _write_detections(folder: Path, frame: NDArray[np.int64], rows: NDArray[np.floating]) -> None:
    """`frame` (n,), `rows` (n, 5 or more) corners and score."""
    (folder / "det").mkdir(exist_ok=True)
    with (folder / "det" / "det.txt").open("w", encoding="ascii") as file:
        for number, (x1, y1, x2, y2, score) in zip(frame.tolist(), rows[:, :5].tolist(), strict=True):
            file.write(f"{number},-1,{x1:.2f},{y1:.2f},{x2 - x1:.2f},{y2 - y1:.2f},{score:.4f}\n")


def _tud(data: Path, out: Path) -> Clip:
    """TUD-Stadtmitte with the cached detections of a real detector; for reporting only."""
    folder = out / "clips" / "tud"
    if not (folder / "det" / "det.txt").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        cache = np.load(data / "cache" / f"{TUD.name}.npz")
        confident = cache["dets"][:, 4] >= _TUD_SCORE
        _write_detections(folder, cache["frame"][confident], cache["dets"][confident])
    truth = read_mot_truth(data / TUD / "gt" / "gt.txt")
    return Clip(
        folder, "tud", data / TUD / f"{TUD.name}.mp4", 25.0, 179, _TUD_SPLIT, truth,
        later_s=(0.5, 1.0, 2.0), min_gap_s=0.5, spacing_s=0.2,
    )  # fmt: skip


def part_truth(clip: Clip, part: Literal[1, 2]) -> MotTruth:
    """The truth of one part, frames numbered as in the whole."""
    truth = clip.truth
    keep = (truth.frame <= clip.split) if part == 1 else (truth.frame > clip.split)
    return replace(
        truth, frame=truth.frame[keep], id=truth.id[keep], boxes=truth.boxes[keep],
        considered=truth.considered[keep], classes=truth.classes[keep],
    )  # fmt: skip

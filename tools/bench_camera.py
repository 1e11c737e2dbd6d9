"""Measures what a moving camera costs the tracker, and what the estimate of its motion gives back; prints Markdown.

    python tools/bench_camera.py [--seeds 100 101] [--rates 5 10 30] [--cameras static] [--detector FILE.onnx]

Clips are rendered with a static, a panning and a shaking camera, the same story each. Detections are simulated from the
clip's truth by the detector model of `tools/simulation.py`, as background subtraction needs a camera that stands;
embeddings are the default embedder's of the rendered pixels, and camera motion is estimated from these. Each clip is
tracked three times: with camera motion off, estimated and true. "of static" is the IDF1 with the estimate as a share of
that of the static clips at the same rate, camera motion off.

"ms" is the CPU time of the estimate a frame, "share" its share of the CPU time of all work on a frame: embedder,
tracker, estimate and, where a detector is named, that detector, whose boxes are not used. One thread, no decoding.

The bars: at least 90 % of static with a camera that moves, and a share below 5 % with one that stands. Exits with 1
where one is missed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from sequences import write_sequence
from simulation import Simulated, simulate

from reid import Embedder
from tracker import Detections, Frame, Tracker
from tracker.camera import CameraMotion
from tracker.demo import DemoClip, DemoConfig
from tracker.detectors import open_detector
from tracker.evaluation import MotTracks, score_tracks
from tracker.evaluation.mot import read_mot_truth
from tracker.motion.camera import compose

CAMERAS = ("static", "pan", "shake")
MODES = ("off", "estimated", "true")
LEAST_OF_STATIC, MOST_SHARE = 0.9, 0.05
"""The bars."""


@dataclass
class Clock:
    """CPU seconds of this thread, by kind of work."""

    seconds: dict[str, float] = field(default_factory=dict)

    def __call__(self, kind: str, work: Callable[[], Any]) -> Any:
        """What `work` returns; its time is added to `kind`."""
        began = time.thread_time()
        try:
            return work()
        finally:
            self.seconds[kind] = self.seconds.get(kind, 0.0) + time.thread_time() - began


@dataclass(frozen=True)
class Measured:
    """One clip."""

    idf1: dict[str, float]
    """By mode."""
    estimate_ms: float
    """CPU time of the estimate a frame."""
    share: float
    """Of the estimate in all work on a frame, 0..1."""


class Seen:
    """The detections of one frame, embedded when they are first asked for, once for all trackers."""

    def __init__(self, frame: Frame, boxes: np.ndarray, scores: np.ndarray, embedder: Embedder, clock: Clock) -> None:
        self.frame, self.clock, self.embedder = frame, clock, embedder
        height, width = frame.image.shape[:2]
        self.detections = Detections(boxes, scores, frame_size=(width, height))
        self._vectors = np.zeros((len(boxes), embedder.info.dimension), np.float32)
        self._known = np.zeros(len(boxes), bool)

    def embed(self, rows: np.ndarray) -> np.ndarray:
        """(n, D) of these rows."""
        new = rows[~self._known[rows]]
        if len(new):
            boxes = self.detections.boxes[new]
            self._vectors[new] = self.clock("embed", lambda: self.embedder(self.frame.image, boxes))
            self._known[new] = True
        return self._vectors[rows]


class Follower:
    """One tracker and the rows that it gives."""

    def __init__(self, embedder: Embedder) -> None:
        self.tracker = Tracker(appearance=embedder.info)
        self.rows: list[np.ndarray] = []

    def update(self, seen: Seen, motion: np.ndarray | None) -> None:
        """Follow into the next frame."""
        frame = seen.frame
        tracks = self.tracker.update(seen.detections, time_s=frame.time_s, embed=seen.embed, camera_motion=motion)
        self.rows.append(np.c_[np.full(len(tracks), frame.index), tracks.ids, tracks.boxes])

    @property
    def tracks(self) -> MotTracks:
        """All of them."""
        table = np.concatenate(self.rows)
        return MotTracks(table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2:])


def simulated(config: DemoConfig, folder: Path) -> Simulated:
    """What a detector would see of a clip, whose truth is left in `folder`, as that of a MOT17 sequence."""
    clip = DemoClip(config)
    for _ in clip:
        pass
    write_sequence(clip, folder, clip.info.name)
    return simulate(folder, config.seed)


def true_motion(clip: DemoClip, before_s: float, now_s: float) -> np.ndarray:
    """(2, 3) from pixels of one frame to those of a later one."""
    return compose(cv2.invertAffineTransform(clip.view(before_s)), clip.view(now_s))


def measure(config: DemoConfig, embedder: Embedder, detector: Any) -> Measured:
    """Track one clip in each mode."""
    clock, camera, last_s = Clock(), CameraMotion(), 0.0
    followers = {mode: Follower(embedder) for mode in MODES}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sequence = simulated(config, folder)
        clip = DemoClip(config)
        for frame in clip:
            found = sequence.detections[sequence.frame == frame.index]
            seen = Seen(frame, found[:, :4], found[:, 4], embedder, clock)
            if detector is not None:
                clock("detect", lambda frame=frame: detector(frame))
            estimate = clock("camera", lambda seen=seen: camera.update(seen.frame.image, seen.detections.boxes))
            before = clock.seconds.get("embed", 0.0)
            clock("track", lambda seen=seen, motion=estimate: followers["estimated"].update(seen, motion))
            clock.seconds["track"] -= clock.seconds.get("embed", 0.0) - before
            followers["off"].update(seen, None)
            followers["true"].update(seen, true_motion(clip, last_s, frame.time_s))
            last_s = frame.time_s
        truth = read_mot_truth(folder / "gt" / "gt.txt")
    idf1 = {mode: score_tracks(truth, f.tracks, config.frames).idf1 for mode, f in followers.items()}
    total = sum(clock.seconds.values())
    return Measured(idf1, 1000 * clock.seconds["camera"] / config.frames, clock.seconds["camera"] / total)


@dataclass(frozen=True)
class Row:
    """One camera at one rate: means over the clips."""

    camera: str
    rate_hz: float
    idf1: dict[str, float]
    """By mode."""
    of_static: float | None
    """Share of the IDF1 of the static clips; None where these were not run."""
    estimate_ms: float
    share: float

    @property
    def missed(self) -> str:
        """The bar that it misses, in words; empty: none."""
        where = f"{self.camera} at {self.rate_hz:g} Hz"
        if self.camera == "static":
            late = self.share >= MOST_SHARE
            return f"{where}: the estimate takes {self.share:.1%} of the time, {MOST_SHARE:.0%} allowed" if late else ""
        low = self.of_static is not None and self.of_static < LEAST_OF_STATIC
        return f"{where}: {self.of_static:.1%} of static, {LEAST_OF_STATIC:.0%} demanded" if low else ""

    def __str__(self) -> str:
        idf1 = " | ".join(f"{self.idf1[mode]:.1f}" for mode in MODES)
        of_static = "" if self.of_static is None else f"{self.of_static:.1%}"
        return (
            f"| {self.camera} | {self.rate_hz:g} | {idf1} | {of_static} | {self.estimate_ms:.2f} | {self.share:.1%} |"
        )


def rows(
    cameras: Sequence[str], rates: Sequence[float], config: DemoConfig, seeds: Sequence[int], detector: Any
) -> Iterator[Row]:
    """The table, as it is measured."""
    embedder = Embedder(device="cpu", threads=1)
    for rate in rates:
        static = None
        for kind in (camera for camera in CAMERAS if camera in cameras):
            clips = [replace(config, camera=kind, rate_hz=rate, seed=seed) for seed in seeds]  # type: ignore[arg-type]
            runs = [measure(clip, embedder, detector) for clip in clips]
            idf1 = {mode: float(np.mean([run.idf1[mode] for run in runs])) for mode in MODES}
            static = idf1["off"] if kind == "static" else static
            ms, share = (float(np.mean([getattr(run, name) for run in runs])) for name in ("estimate_ms", "share"))
            yield Row(kind, rate, idf1, None if static is None else idf1["estimated"] / static, ms, share)


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[100, 101, 102], help="clips (default: 100 101 102)")
    parser.add_argument("--rates", type=float, nargs="+", default=[5.0, 10.0, 30.0], help="frames a second")
    parser.add_argument("--cameras", nargs="+", choices=CAMERAS, default=list(CAMERAS), help="default: all")
    parser.add_argument("--duration", type=float, default=40.0, help="seconds of each clip (default: 40)")
    parser.add_argument("--width", type=int, default=960, help="of the picture in pixels, 16:9 (default: 960)")
    parser.add_argument("--detector", help="an ONNX file whose time counts as work on a frame")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    detector = None if args.detector is None else open_detector(args.detector, device="cpu", threads=1)
    config = DemoConfig(duration_s=args.duration, width_px=args.width, height_px=args.width * 9 // 16)
    print("| camera | Hz | IDF1 off | estimated | true | of static | ms | share |\n|---|---|---|---|---|---|---|---|")
    missed = []
    for row in rows(args.cameras, args.rates, config, args.seeds, detector):
        print(row, flush=True)
        missed += [row.missed] if row.missed else []
    print("\n" + ("\n".join(f"MISSED: {line}" for line in missed) or "bars met"))
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())

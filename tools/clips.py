"""Rendered clips as sequences that trackers can be scored on, without rendering, detecting and embedding them again.

    python tools/clips.py OUT --seeds 100 101 [--rates 25] [--duration 40]

A clip of `reidtrack demo` is rendered with a camera that stands, its detections are those of the command's default
detector (`motion`), and each has the vector of the default embedder. It becomes a folder `OUT/demo-SEED-RATEhz` like
that of a MOT sequence: `gt/gt.txt`, `seqinfo.ini`, `seen.npz` (`frame` (n,), `dets` (n, 6), `emb` (n, D), `frames`) and
`embedder.card.json`. One that is there is kept while what made it is the same: renderer, detector, embedder, OpenCV.

Settings are developed on seeds from 100 on; seeds 0 to 9 are for reporting only.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy

import cv2
import numpy as np
from sequences import write_sequence

import tracker
from reid import Embedder
from reid.embedder import DEFAULT_MODEL
from tracker.demo import DemoClip, DemoConfig
from tracker.detectors import MotionDetector

DURATION_S = DemoConfig().duration_s
CARD = "embedder.card.json"
_MADE_BY = ("demo", "detectors", "boxes.py", "image.py", "types")


@functools.cache
def default_embedder() -> Embedder:
    """Loaded where a clip is to be made: to read one takes no model runtime."""
    return Embedder(device="cpu", threads=1)


def made_by(config: DemoConfig) -> str:
    """Changes when the clip, its detections or their vectors may have changed."""
    root = Path(tracker.__file__).parent
    paths = [path for name in _MADE_BY for path in sorted((root / name).rglob("*.py")) or [root / name]]
    model = hashlib.sha256(DEFAULT_MODEL.read_bytes()).hexdigest()
    said = f"{config} {model} {cv2.__version__}".encode()
    return hashlib.sha256(said + b"".join(path.read_bytes() for path in paths)).hexdigest()[:16]


def name_of(config: DemoConfig) -> str:
    """Of the clip's folder."""
    return f"demo-{config.seed}-{config.rate_hz:g}hz"


def ensure(config: DemoConfig, out: Path) -> tuple[Path, bool]:
    """The clip's folder below `out`, and whether it had to be made."""
    folder, known = out / name_of(config), made_by(config)
    seen = folder / "seen.npz"
    if seen.is_file() and str(np.load(seen)["made_by"]) == known:
        return folder, False
    folder.mkdir(parents=True, exist_ok=True)
    clip, embedder = DemoClip(config), default_embedder()
    frames, detections, vectors = watch(clip, embedder)
    write_sequence(clip, folder, folder.name)
    (folder / CARD).write_text(embedder.card.to_json(), encoding="utf-8")
    # last, so that what was interrupted is made again
    said = {"frames": config.frames, "model_hash": embedder.info.model_hash, "made_by": known}
    np.savez(seen, frame=frames, dets=detections, emb=vectors, **said)
    return folder, True


def watch(clip: DemoClip, embedder: Embedder) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frame (n,), detection (n, 6) `x1, y1, x2, y2, score, class` and vector (n, D) of whatever the detector finds."""
    detector = MotionDetector()
    frames, rows, vectors = [], [], [np.zeros((0, embedder.info.dimension), np.float32)]
    for frame in clip:
        found = detector(frame)
        if len(found):
            frames.append(np.full(len(found), frame.index))
            rows.append(np.c_[found.boxes, found.scores, found.classes].astype(np.float32))
            vectors.append(embedder(frame.image, found.boxes))
    if not frames:
        return np.zeros(0, np.int64), np.zeros((0, 6), np.float32), vectors[0]
    return np.concatenate(frames), np.concatenate(rows), np.concatenate(vectors)


def ensure_all(seeds: list[int], rates: list[float], duration_s: float, out: Path, quiet: bool = False) -> list[Path]:
    """The folders of all clips of these seeds at these rates, seed by seed; says on standard error which are made."""
    folders = []
    for seed in seeds:
        for rate in rates:
            folder, fresh = ensure(DemoConfig(seed=seed, rate_hz=rate, duration_s=duration_s), out)
            if fresh and not quiet:
                print(f"rendered {folder}", file=sys.stderr, flush=True)
            folders.append(folder)
    return folders


def main(argv: list[str] | None = None) -> int:
    """Render what is asked for and print the folders."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", required=True)
    parser.add_argument("--rates", type=float, nargs="+", default=[25.0], help="frames a second (default: 25)")
    parser.add_argument("--duration", type=float, default=DURATION_S, help="seconds (default: %(default)s)")
    args = parser.parse_args(argv)
    cv2.setNumThreads(1)
    for folder in ensure_all(args.seeds, args.rates, args.duration, args.out):
        print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Does `reidtrack train` learn to tell objects apart that no yardstick was made for?

    python tools/bench_training.py DATA --yardstick osnet_x0_25.onnx [--seeds 11,12,13] [--config FILE] [--json FILE]

DATA is a folder an identity. For each seed a fifth of the identities is set aside and never seen; a network is trained
from a random start on the others, as `reidtrack train` would (it holds some of them out for its own validation); then
every picture of the unseen identities searches all the others. Beside it, on the same pictures: the yardstick model,
and a histogram of colours in horizontal stripes, which learned nothing. The figure of a seed is rank-1 minus the better
of the two, with an interval from a bootstrap over identities.

Settings may be tuned on other seeds; then report seeds that were never looked at.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from reid import Embedder
from reid.data import Crops, open_crops, split_identities
from reid.evaluation import EvaluationConfig, Report, evaluate
from reid.learning.trainer import TrainConfig, train
from tracker.cli.config_file import load_config
from tracker.cli.schema import KeyPath, build
from tracker.cli.train_settings import TrainSettings

UNSEEN_SHARE = 0.2
STRIPES, HUES, SATURATIONS = 6, 16, 8
WIDTH_PX, HEIGHT_PX = 64, 128
BAR = 0.15
FIGURES = EvaluationConfig(later_s=())


def histogram(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, 128, 64, 3) BGR -> (n, 768) of unit length: hues and saturations of six stripes, without the side borders."""
    out = []
    for picture in pixels:
        hsv = cv2.cvtColor(picture, cv2.COLOR_BGR2HSV)
        bins = []
        for stripe in range(STRIPES):
            part = np.ascontiguousarray(hsv[stripe * 21 : (stripe + 1) * 21 + 2, 8:56])
            counts = cv2.calcHist([part], [0, 1], None, [HUES, SATURATIONS], [0, 180, 0, 256]).ravel()
            bins.append(np.sqrt(counts / counts.sum()))
        vector = np.concatenate(bins)
        out.append(vector / np.linalg.norm(vector))
    return np.array(out, np.float32)


def embed(
    function: Callable[[NDArray[np.uint8]], NDArray[np.float32]], crops: Crops, height_px: int, width_px: int
) -> Any:
    """(N, D) vectors of all crops, resized to what the function wants."""
    rows = np.array_split(np.arange(len(crops)), max(1, len(crops) // 64))
    return np.concatenate([function(crops.pixels(part, height_px, width_px)) for part in rows])


def figures(vectors: NDArray[np.float32], unseen: Crops) -> Report:
    """Every picture searches all the others."""
    return evaluate(vectors, unseen.identity, config=FIGURES)


def run_seed(crops: Crops, seed: int, config: TrainConfig, yardstick: Path, folder: Path) -> dict[str, Any]:
    """Train on the rest, measure on the unseen; figures by name."""
    seen, unseen = split_identities(crops, share=UNSEEN_SHARE, seed=seed)
    began = time.process_time()
    config = dataclasses.replace(config, seed=seed)
    result = train(config, seen, None, folder / f"seed-{seed}.onnx", existing="replace", progress=show)
    assert result.model is not None, "nobody asked it to stop"
    spent_s = time.process_time() - began
    reports = {"histogram": figures(embed(histogram, unseen, HEIGHT_PX, WIDTH_PX), unseen)}
    for name, path in (("yardstick", yardstick), ("trained", result.model)):
        embedder = Embedder(str(path), device="cpu")
        reports[name] = figures(embed(embedder.crops, unseen, embedder.card.height_px, embedder.card.width_px), unseen)
    best = max(("histogram", "yardstick"), key=lambda name: reports[name].rank_1.value)
    gain = reports["trained"].minus(reports[best])["rank_1"]
    return {
        "seed": seed,
        "unseen_identities": len(unseen.identities),
        "unseen_pictures": len(unseen),
        **{f"{name}_rank_1": report.rank_1.value for name, report in reports.items()},
        **{f"{name}_mAP": report.mean_average_precision.value for name, report in reports.items()},
        "better_yardstick": best,
        "gain": gain.value,
        "gain_low": gain.low,
        "gain_high": gain.high,
        "training_cpu_s": round(spent_s),
    }


def show(row: Any) -> None:
    """A line at every validation."""
    if row.validation_map is not None:
        held_out = f"held out: mAP {row.validation_map:.3f}, rank-1 {row.validation_rank1:.3f}"
        print(f"  step {row.step}/{row.steps}: loss {row.loss:.3f}; {held_out}", flush=True)


def main() -> int:
    """0 where every seed passes the bar."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--yardstick", type=Path, required=True, help="an embedder for people, as ONNX")
    parser.add_argument("--seeds", default="11,12,13", help="a split and a training each")
    parser.add_argument("--config", type=Path, help="settings as for reidtrack train; else what suits wide objects")
    parser.add_argument("--out", type=Path, help="keep models and histories here")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    config = build(TrainConfig, settings(args.config))
    crops = open_crops(args.data)
    print(f"{len(crops)} pictures of {len(crops.identities)} identities", flush=True)
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.out or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for seed in map(int, args.seeds.split(",")):
            print(f"seed {seed}", flush=True)
            rows.append(run_seed(crops, seed, config, args.yardstick, folder))
            print(line(rows[-1]), flush=True)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    return 0 if all(row["gain"] >= BAR for row in rows) else 1


def settings(path: Path | None) -> dict[KeyPath, Any]:
    """Keys of a training's settings. One thread, so that the same seed gives the same losses on any machine's CPU."""
    given = {} if path is None else load_config(path, TrainSettings)
    square: dict[KeyPath, Any] = {("model", "height_px"): 128, ("model", "width_px"): 128, ("threads",): 1}
    return square | {key: value for key, value in given.items() if key[0] not in ("kind", "data")}


def line(row: dict[str, Any]) -> str:
    """One split in a line."""
    ranks = ", ".join(f"{name} {row[f'{name}_rank_1']:.3f}" for name in ("trained", "yardstick", "histogram"))
    return (
        f"  rank-1 on {row['unseen_identities']} unseen identities: {ranks}; gain over the {row['better_yardstick']} "
        f"{row['gain']:+.3f} [{row['gain_low']:+.3f}, {row['gain_high']:+.3f}], {row['training_cpu_s']} s of CPU"
    )


if __name__ == "__main__":
    sys.exit(main())

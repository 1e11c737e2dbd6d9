"""Scores the tracker, with its default settings, on public ground truth; prints one Markdown table.

    python tools/bench_accuracy.py DATA [--seeds 3] [--held-out]

DATA is the folder of real sequences (`gt_text/MOT15`, `gt_text/MOT17`, `cache/TUD-Stadtmitte.npz`). MOT15 sequences are
tracked on their public detections, by motion alone; MOT17 ones on the simulated detector and embedder of
`tools/simulation.py`, from easy to very hard appearance and without any; TUD-Stadtmitte, which nothing is tuned on, on
cached detections and embeddings. Every input is scored over seeds: each drops another 3 % of the detections.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from simulation import EMBEDDERS, Simulated, public_detections, simulate

from tracker import Detections, Tracker
from tracker.evaluation import MotTracks, MotTruth, Scores, score_tracks
from tracker.evaluation.mot import read_mot_truth

TUNED_ON = {"MOT15": ("ADL-Rundle-6", "ETH-Bahnhof", "Venice-2"), "MOT17": ("02", "05", "09", "11")}
HELD_OUT = {"MOT15": ("ETH-Pedcross2", "ETH-Sunnyday", "KITTI-13"), "MOT17": ("04", "10", "13")}
DROPPED = 0.03


def track(sequence: Simulated, seed: int) -> MotTracks:
    """Run a fresh tracker over a sequence of which a seeded share of the detections is dropped."""
    keep = np.random.default_rng(seed).random(len(sequence.frame)) >= DROPPED
    tracker, rows = Tracker(), []
    for frame in range(1, sequence.frames + 1):
        here = np.flatnonzero((sequence.frame == frame) & keep)
        boxes, scores = sequence.detections[here, :4], sequence.detections[here, 4]
        vectors = sequence.embeddings[here] if sequence.embeddings.shape[1] else None
        result = tracker.update(Detections(boxes, scores, None, vectors), time_s=frame / sequence.rate_hz)
        rows.append(np.c_[np.full(len(result), frame), result.ids, result.boxes])
    table = np.concatenate(rows)
    return MotTracks(table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2:])


def inputs(data: Path, names: dict[str, tuple[str, ...]]) -> Iterator[tuple[str, Path, Simulated]]:
    """Title, ground truth and what the tracker sees."""
    for name in names["MOT15"]:
        folder = data / "gt_text" / "MOT15" / name
        yield f"{name}, motion only", folder / "gt" / "gt.txt", public_detections(folder)
    for number in names["MOT17"]:
        folder = data / "gt_text" / "MOT17" / f"MOT17-{number}"
        for kind, embedder in EMBEDDERS.items():
            seen = simulate(folder, 0, embedder=embedder)
            yield f"{folder.name}, {kind}", folder / "gt" / "gt.txt", seen
        yield f"{folder.name}, motion only", folder / "gt" / "gt.txt", replace(seen, embeddings=seen.embeddings[:, :0])


def tud_stadtmitte(data: Path) -> tuple[str, Path, Simulated]:
    """The one sequence with real detections and real embeddings."""
    cache = np.load(data / "cache" / "TUD-Stadtmitte.npz")
    vectors = cache["emb"].astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    seen = Simulated("TUD-Stadtmitte", 25.0, int(cache["frames"]), cache["frame"], cache["dets"], vectors)
    return "TUD-Stadtmitte, OSNet", data / "seq" / "TUD-Stadtmitte" / "gt" / "gt.txt", seen


def line(title: str, truth: MotTruth, sequence: Simulated, seeds: int) -> str:
    """One row of the table: means over seeds."""
    scores: list[Scores] = [score_tracks(truth, track(sequence, s), sequence.frames) for s in range(seeds)]
    figures = [[s.hota, s.ass_a, s.idf1, s.mota, s.switches] for s in scores]
    return f"| {title} | " + " | ".join(f"{value:.1f}" for value in np.mean(figures, axis=0)) + " |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of real sequences")
    parser.add_argument("--seeds", type=int, default=3, help="inputs a sequence (default: 3)")
    parser.add_argument("--held-out", action="store_true", help="the sequences that no setting is chosen on")
    args = parser.parse_args()
    print("| sequence | HOTA | AssA | IDF1 | MOTA | switches |\n|---|---|---|---|---|---|")
    for title, truth, sequence in inputs(args.data, HELD_OUT if args.held_out else TUNED_ON):
        print(line(title, read_mot_truth(truth), sequence, args.seeds), flush=True)
    title, truth, sequence = tud_stadtmitte(args.data)
    print(line(title, read_mot_truth(truth), sequence, args.seeds))


if __name__ == "__main__":
    main()

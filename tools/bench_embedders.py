"""Compares embedders on the same crops: is one better than a colour histogram, by more than chance?

    python tools/bench_embedders.py DATA [DATA ...] --models default osnet_x0_25.onnx [--json FILE]

DATA is whatever `reidtrack reid eval` reads: a folder an identity, Market-1501-style names, or a MOT sequence. Beside
the models stands a histogram of colours in horizontal stripes, which learned nothing. Figures have 95 % intervals from
a bootstrap over identities; the differences from the histogram are paired: the same identities are drawn for both.
Milliseconds a crop are medians over batches of 8, on the processor, all models in turn.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from bench_training import HEIGHT_PX, WIDTH_PX, embed, histogram
from numpy.typing import NDArray

from reid import Embedder
from reid.data import open_crops
from reid.errors import ReidError
from reid.evaluation import EvaluationConfig, Report, evaluate

FIGURES = EvaluationConfig(later_s=())
MEASURES = {"AUC": "auc", "mAP": "mean_average_precision", "rank-1": "rank_1"}
BATCH, ROUNDS = 8, 9

Embed = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def milliseconds(functions: dict[str, tuple[Embed, NDArray[np.uint8]]]) -> dict[str, float]:
    """A crop, by name: each function on a batch of its own size, in turn, medians over rounds."""
    spent: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(ROUNDS):
        for name, (function, batch) in functions.items():
            began = time.perf_counter()
            function(batch)
            spent[name].append((time.perf_counter() - began) * 1e3 / len(batch))
    return {name: float(np.median(values[1:])) for name, values in spent.items()}


def compare(data: Path, embedders: dict[str, tuple[Embed, int, int]]) -> list[dict[str, Any]]:
    """A row a model: figures with intervals, and how far above the first model (the histogram) they are."""
    crops = open_crops(data)
    reports: dict[str, Report] = {}
    for name, (function, height_px, width_px) in embedders.items():
        vectors = embed(function, crops, height_px, width_px)
        reports[name] = evaluate(vectors, crops.identity, group=crops.group, config=FIGURES)
    spent_ms = milliseconds({n: (f, crops.pixels(np.arange(BATCH), h, w)) for n, (f, h, w) in embedders.items()})
    base = next(iter(reports.values()))
    rows = []
    for name, report in reports.items():
        row: dict[str, Any] = {"data": str(data), "model": name, "ms_a_crop": spent_ms[name]}
        gains = report.minus(base)
        for title, measure in MEASURES.items():
            for kind, estimate in ((title, getattr(report, measure)), (f"{title} gain", gains.get(measure))):
                row[kind] = None if estimate is None else (estimate.value, estimate.low, estimate.high)
        rows.append(row)
    print(f"\n{data.name}: {base.crops} crops of {base.identities} identities\n")
    print("| model | " + " | ".join(f"{t} | above the histogram" for t in MEASURES) + " | ms a crop |")
    print("|---" * (2 * len(MEASURES) + 2) + "|")
    for row in rows:
        print(line(row), flush=True)
    return rows


def line(row: dict[str, Any]) -> str:
    """One model in a row of the table."""
    cells = [row["model"]]
    for title in MEASURES:
        value, gain = row[title], row[f"{title} gain"]
        cells.append("" if value is None else f"{value[0]:.4f}")
        cells.append("" if gain is None else f"{gain[0]:+.4f} [{gain[1]:+.4f}, {gain[2]:+.4f}]")
    return "| " + " | ".join([*cells, f"{row['ms_a_crop']:.2f}"]) + " |"


def main() -> int:
    """0 where all could be compared."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+", metavar="DATA")
    parser.add_argument("--models", nargs="+", default=["default"], help="ONNX files, or default (default: default)")
    parser.add_argument("--json", type=Path, help="write all figures here too")
    args = parser.parse_args()
    embedders: dict[str, tuple[Embed, int, int]] = {"histogram": (histogram, HEIGHT_PX, WIDTH_PX)}
    rows = []
    try:
        for name in args.models:
            embedder = Embedder(name, device="cpu")
            title = name if name == "default" else Path(name).stem
            embedders[title] = (embedder.crops, embedder.card.height_px, embedder.card.width_px)
        for data in args.data:
            rows += compare(data, embedders)
    except ReidError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if args.json:
        args.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""How good a model is on the hidden second part of a clip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from bench_training import HEIGHT_PX, WIDTH_PX, histogram
from numpy.typing import NDArray

from online.clips import Clip
from online.parts import hidden_crops, model_digest, track
from reid import Embedder
from reid.data import Crops
from reid.evaluation import EvaluationConfig, Report, evaluate
from tracker.evaluation import Scores

HISTOGRAM = Path("histogram")
"""In place of a model: colours in horizontal stripes, which learned nothing."""
_BATCH = 64


@dataclass(frozen=True, eq=False)
class Measured:
    """One model on one clip."""

    report: Report
    """Re-association on hidden-truth crops: mAP, rank-1, TPR at FPR, and rank-1 after each delay."""
    scores: Scores | None
    """Of tracking the second part; None where it was not asked for."""


def measure(clip: Clip, model: Path, out: Path, *, tracking: bool = True) -> Measured:
    """Figures of a model file, or of `HISTOGRAM`; from disk where they are known."""
    crops = hidden_crops(clip, out)
    config = EvaluationConfig(protocol="single", min_gap_s=clip.min_gap_s, later_s=clip.later_s)
    vectors = _vectors(clip, model, crops, out)
    report = evaluate(vectors, crops.identity, time_s=crops.time_s, group=crops.group, config=config)
    scores = track(clip, model, out) if tracking and model != HISTOGRAM else None
    return Measured(report, scores)


def _vectors(clip: Clip, model: Path, crops: Crops, out: Path) -> NDArray[np.float32]:
    """(N, D), once for each model and clip."""
    name = HISTOGRAM.name if model == HISTOGRAM else model_digest(model)
    file = out / "vectors" / f"{clip.folder.name}-{name}.npy"
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        function: Callable[[NDArray[np.uint8]], NDArray[np.float32]] = histogram
        height_px, width_px = HEIGHT_PX, WIDTH_PX
        if model != HISTOGRAM:
            embedder = Embedder(model, device="cpu", threads=1)
            function, height_px, width_px = embedder.crops, embedder.card.height_px, embedder.card.width_px
        parts = np.array_split(np.arange(len(crops)), max(1, len(crops) // _BATCH))
        np.save(file, np.concatenate([function(crops.pixels(rows, height_px, width_px)) for rows in parts]))
    return np.asarray(np.load(file), np.float32)


def figures(measured: Measured) -> dict[str, float]:
    """By name, in per cent."""
    report = measured.report
    found = {"mAP": report.mean_average_precision.value, "rank-1": report.rank_1.value}
    if report.tpr_at_fpr_1e3 is not None:
        found["TPR at FPR 1e-3"] = report.tpr_at_fpr_1e3.value
    found |= {f"rank-1 after {part.later_s:g} s": part.rank_1.value for part in report.reassociation}
    percent = {name: 100 * value for name, value in found.items()}
    if measured.scores is not None:
        percent |= {"AssA": measured.scores.ass_a, "IDF1": measured.scores.idf1}
    return percent

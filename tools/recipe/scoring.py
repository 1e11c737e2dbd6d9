"""Scores and calibration on identities that were not trained on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import reid
from reid.calibration import Calibration
from reid.card import Score
from reid.data.relations import DIFFERENT, SAME, UNKNOWN
from reid.evaluation import EvaluationConfig, evaluate
from reid.evaluation.metrics import auc, cmc, mean_average_precision

_CAUTION = (
    "rendered figures are no photographs: strangers of one real scene are more alike, so more of them pass, and "
    "probabilities are too high"
)


@torch.no_grad()
def embed(function: Any, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(N, h, w, 3) -> (N, D) in batches of 64."""
    parts = [function(torch.from_numpy(pixels[i : i + 64])) for i in range(0, len(pixels), 64)]
    return np.asarray(torch.cat(parts).double().numpy(), np.float64)


def retrieval(vectors: NDArray[np.float64], identity: NDArray[np.int64]) -> dict[str, float]:
    """Every crop queries all others: AUC over pairs, mAP, rank-1, and rank-1 against the look-alike alone."""
    cosine = vectors @ vectors.T  # (N, N)
    itself = np.eye(len(cosine), dtype=bool)
    same = identity[:, None] == identity[None]
    twin = (identity[:, None] // 2 == identity[None] // 2) & ~same
    upper = np.triu(~itself)
    return {
        "AUC": auc(cosine[upper], same[upper]),
        "mAP": mean_average_precision(cosine, same, itself),
        "rank-1": cmc(cosine, same, itself, ranks=(1,))[0],
        "rank-1 against the look-alike": cmc(cosine, same, itself | ~(same | twin), ranks=(1,))[0],
    }


def measured(vectors: NDArray[np.float64], identity: NDArray[np.int64], data: str) -> tuple[Score, ...]:
    """AUC, mAP and rank-1 as `retrieval` has them, with intervals over identities, for the card in the file."""
    report = evaluate(vectors, identity, config=EvaluationConfig(later_s=()))
    figures = {"AUC": report.auc, "mAP": report.mean_average_precision, "rank-1": report.rank_1}
    return tuple(Score(data, name, figure.value, figure.low, figure.high) for name, figure in figures.items())


def calibrate(vectors: NDArray[np.float64], identity: NDArray[np.int64], seed: int) -> Calibration:
    """Fit on pairs of held-out identities; half of the strangers are look-alikes.

    Rendered clothes are more colourful than real ones, so against random strangers alone the evidence would be too
    generous wherever people resemble each other.
    """
    rng = np.random.default_rng(seed)
    first, second = np.triu_indices(len(vectors), 1)
    same = identity[first] == identity[second]
    twin = ~same & (identity[first] // 2 == identity[second] // 2)
    twins = np.flatnonzero(twin)
    strangers = rng.choice(np.flatnonzero(~same & ~twin), len(twins), replace=False)
    relations = np.full((len(vectors), len(vectors)), UNKNOWN, np.int8)
    relations[first[same], second[same]] = SAME
    relations[first[twins], second[twins]] = DIFFERENT
    relations[first[strangers], second[strangers]] = DIFFERENT
    data = f"crops of {len(np.unique(identity))} rendered figures, half of the strangers look-alikes"
    fit = reid.calibrate(vectors, identity, relations=lambda rows: relations[np.ix_(rows, rows)], seed=seed, data=data)
    if fit is None:
        raise SystemExit(f"cosines of {data} say nothing: crops of one must be more alike than crops of two")
    return replace(fit, caution=_CAUTION)

"""Scores and calibration on identities that were not trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from reid.calibration import Calibration, fit_calibration
from reid.evaluation.metrics import auc, cmc, mean_average_precision


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
    chosen = np.concatenate((np.flatnonzero(same), twins, strangers))
    cosine = np.einsum("nd,nd->n", vectors[first[chosen]], vectors[second[chosen]])
    # so few identities cannot support more evidence than one error among them would refute
    return fit_calibration(cosine, same[chosen], limit=float(np.log(len(np.unique(identity)))))

"""Scores and calibration on identities that were not trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from reid.calibration import Calibration, fit_calibration


@torch.no_grad()
def embed(function: Any, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(N, h, w, 3) -> (N, D) in batches of 64."""
    parts = [function(torch.from_numpy(pixels[i : i + 64])) for i in range(0, len(pixels), 64)]
    return np.asarray(torch.cat(parts).double().numpy(), np.float64)


def retrieval(vectors: NDArray[np.float64], identity: NDArray[np.int64]) -> dict[str, float]:
    """Every crop queries all others: AUC over pairs, mAP, rank-1, and rank-1 against the look-alike alone."""
    cosine = vectors @ vectors.T  # (N, N)
    same = identity[:, None] == identity[None]
    twin = (identity[:, None] // 2 == identity[None] // 2) & ~same
    other = ~np.eye(len(cosine), dtype=bool)
    upper = np.triu(other)
    ranks = np.argsort(np.argsort(cosine[upper])) + 1.0
    positive = same[upper]
    count = int(positive.sum())
    auc = (ranks[positive].sum() - count * (count + 1) / 2) / (count * (len(ranks) - count))
    np.fill_diagonal(cosine, -2)
    order = np.argsort(-cosine, axis=1)[:, :-1]  # the query itself is last
    hits = np.take_along_axis(same, order, axis=1)  # (N, N - 1)
    precision = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    average = (precision * hits).sum(axis=1) / hits.sum(axis=1)
    best_same = np.where(same & other, cosine, -2).max(axis=1)
    best_twin = np.where(twin, cosine, -2).max(axis=1)
    return {
        "AUC": float(auc),
        "mAP": float(average.mean()),
        "rank-1": float(hits[:, 0].mean()),
        "rank-1 against the look-alike": float((best_same > best_twin).mean()),
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

"""Training: batch-hard triplets in batches where everybody's look-alike is present, the hardest negative there is."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recipe.sources import Crops
from reid.learning.embedding import EmbeddingModel
from reid.learning.losses import batch_hard_triplet_loss
from reid.learning.sampling import pk_batches

_PICTURES = 4  # of an identity in a batch
_REPORT_EVERY = 100  # steps


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """How long and how."""

    steps: int
    """Batches."""
    families: int
    """Families in a batch, from all sources together."""
    learning_rate: float
    """Highest rate of the cycle."""
    rising_share: float
    """Share of the steps over which the rate rises to it."""
    margin: float
    """Of the triplets, in distances of unit vectors."""
    seed: int
    """Of batches and augmentation."""


def augment(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """(B, h, w, 3) uint8 -> the same: mirrored, shifted, tinted, one block erased, each by chance."""
    batch, height, width, _ = pixels.shape

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator)

    mirrored = uniform(batch) < 0.5
    columns = torch.arange(width)[None] + ((uniform(batch, 1) - 0.5) * 0.12 * width).round().long()  # (B, w)
    rows = torch.arange(height)[None] + ((uniform(batch, 1) - 0.5) * 0.08 * height).round().long()  # (B, h)
    columns = torch.where(mirrored[:, None], width - 1 - columns, columns).clamp(0, width - 1)
    which = torch.arange(batch)[:, None, None]
    out = pixels[which, rows.clamp(0, height - 1)[:, :, None], columns[:, None, :]].float()  # (B, h, w, 3)
    out *= torch.exp((uniform(batch, 1, 1, 3) - 0.5) * 0.16 + (uniform(batch, 1, 1, 1) - 0.5) * 0.4)
    size = 0.1 + 0.3 * uniform(batch, 2)
    start = uniform(batch, 2) * (1 - size)
    y, x = torch.arange(height) / height, torch.arange(width) / width
    inside_y = (y >= start[:, :1]) & (y < (start + size)[:, :1])  # (B, h)
    inside_x = (x >= start[:, 1:]) & (x < (start + size)[:, 1:])
    erased = inside_y[:, :, None] & inside_x[:, None, :] & (uniform(batch) < 0.3)[:, None, None]
    out = torch.where(erased[..., None], uniform(batch, 1, 1, 3) * 255, out)
    return out.clamp(0, 255).to(torch.uint8)


def families(crops: Crops, count: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Rows of batches: `count` families, both members, four pictures each; every family once before any comes twice."""
    names, counts = np.unique(crops.identity, return_counts=True)
    fit = names[counts > 1]
    kin = fit[np.isin(fit, fit ^ 1)]  # identities (I,) of families of whom both members have a triplet
    if len(kin) < 2 * count:
        raise SystemExit(f"at least {count} families with two pictures of everybody are needed, got {len(kin) // 2}")
    rows_of = {name: np.flatnonzero(crops.identity == name) for name in kin.tolist()}
    seed = int(rng.integers(2**32))
    for both in pk_batches(kin // 2, identities=count, pictures=2, batches=sys.maxsize, seed=seed):
        yield np.concatenate([_draw(rows_of[name], rng) for name in kin[both].tolist()])


def _draw(rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    return rng.choice(rows, _PICTURES, replace=len(rows) < _PICTURES)


def train(model: EmbeddingModel, sources: Sequence[Crops], config: TrainingConfig) -> None:
    """Train the learned part in place, on as many families of each source; a line of progress now and then.

    Each source has a loss of its own: its identities are never compared with those of another, which would be too easy.
    """
    generator, rng = torch.Generator().manual_seed(config.seed), np.random.default_rng(config.seed)
    optimizer = torch.optim.AdamW(model.parameters(), config.learning_rate, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.learning_rate, config.steps, pct_start=config.rising_share
    )
    streams = [families(crops, config.families // len(sources), rng) for crops in sources]
    model.train()
    began, recent = time.perf_counter(), np.zeros(len(sources))
    for step in range(1, config.steps + 1):
        rows = [next(stream) for stream in streams]
        pixels = np.concatenate([crops.pixels[r] for crops, r in zip(sources, rows, strict=True)])
        vectors = model.learned(augment(torch.from_numpy(pixels), generator)).split([len(r) for r in rows])
        losses = [
            batch_hard_triplet_loss(part, torch.from_numpy(crops.identity[r]), margin=config.margin)
            for part, crops, r in zip(vectors, sources, rows, strict=True)
        ]
        optimizer.zero_grad()
        torch.stack(losses).sum().backward()
        optimizer.step()
        schedule.step()
        recent += [float(loss.detach()) for loss in losses]
        if step % _REPORT_EVERY == 0 or step == config.steps:
            means = ", ".join(f"{value / ((step - 1) % _REPORT_EVERY + 1):.4f}" for value in recent)
            print(f"step {step}/{config.steps}: loss {means}, {time.perf_counter() - began:.0f} s", flush=True)
            recent[:] = 0
    model.eval()

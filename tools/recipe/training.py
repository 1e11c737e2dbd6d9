"""The training: batch-hard triplets among look-alikes, and beside them what a teacher finds alike."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recipe.sources import Crops
from reid.learning.embedding import EmbeddingModel
from reid.learning.losses import TripletLoss

_PICTURES = 4  # of an identity in a batch


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """How long and how."""

    steps: int
    """Batches."""
    people: int
    """Families of rendered people in a batch."""
    figures: int
    """Families of the demo's figures in a batch."""
    learning_rate: float
    """Highest rate of the blocks with ImageNet's weights; new layers learn three times as fast."""
    margin: float
    """Of the triplets."""
    distillation: float
    """Weight of the teacher; 0 without one."""
    same_camera: float
    """Share of the families whose crops come from one camera each, as a tracker sees them."""
    seed: int
    """Seed of batches and augmentation."""


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


def families(crops: Crops, count: int, same_camera: float, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Rows of batches: `count` families, both members, four pictures each; every family once before any comes twice."""
    order = np.argsort(crops.identity, kind="stable")
    names, starts = np.unique(crops.identity[order], return_index=True)
    rows_of = dict(zip(names.tolist(), np.split(order, starts[1:]), strict=True))
    kin = np.unique(names // 2)
    while True:
        for chosen in np.split(rng.permutation(kin), range(count, len(kin), count)):
            if len(chosen) == count or len(kin) < count:
                picks = [_pick(crops, rows_of, int(family), same_camera, rng) for family in chosen]
                yield np.concatenate(picks)


def _pick(
    crops: Crops, rows_of: dict[int, NDArray[np.int64]], family: int, same_camera: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    members = [rows_of[name] for name in (2 * family, 2 * family + 1) if name in rows_of]
    if rng.random() < same_camera:
        camera = rng.choice(np.unique(crops.camera[members[0]]))
        seen = [rows[crops.camera[rows] == camera] for rows in members]
        members = [some if len(some) >= 2 else rows for some, rows in zip(seen, members, strict=True)]
    return np.concatenate([rng.choice(rows, _PICTURES, replace=len(rows) < _PICTURES) for rows in members])


def distillation_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean square difference of the cosines among a batch, (B, D) against (B, E): their sizes need not agree.

    Source: Park, Kim, Lu, Cho 2019, "Relational Knowledge Distillation" (distances there, cosines here).
    """
    other = ~torch.eye(len(student), dtype=torch.bool)
    return (student @ student.T - teacher @ teacher.T)[other].square().mean()


def train(
    model: EmbeddingModel,
    figures: Crops,
    people: Crops | None,
    teacher: NDArray[np.float32] | None,
    config: TrainingConfig,
) -> None:
    """Train the learned part in place; a line of progress every hundred steps."""
    generator, rng = torch.Generator().manual_seed(config.seed), np.random.default_rng(config.seed)
    triplet_loss = TripletLoss(config.margin, "batch_hard")
    optimizer, schedule = _optimiser(model, config)
    batches = _batches(figures, people, config, rng)
    model.train()
    began, recent = time.perf_counter(), np.zeros(2)
    for step in range(1, config.steps + 1):
        pixels, labels, rows = next(batches)
        vectors = model.learned(augment(torch.from_numpy(pixels), generator))
        triplets = triplet_loss(vectors, torch.from_numpy(labels))
        loss = triplets
        if teacher is not None and len(rows):
            alike = distillation_loss(vectors[: len(rows)], torch.from_numpy(teacher[rows]))
            loss = loss + config.distillation * alike
            recent[1] += float(alike.detach())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        recent[0] += float(triplets.detach())
        if step % 100 == 0:
            losses, seconds = recent / 100, time.perf_counter() - began
            print(
                f"step {step}/{config.steps}: triplets {losses[0]:.4f}, teacher {losses[1]:.4f}, {seconds:.0f} s",
                flush=True,
            )
            recent[:] = 0
    model.eval()


def _optimiser(
    model: EmbeddingModel, config: TrainingConfig
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """AdamW with a one-cycle rate; what begins at random learns three times as fast as what ImageNet taught."""
    old = [p for name, p in model.backbone.named_parameters() if name.startswith("features") and p.requires_grad]
    new = [p for name, p in model.backbone.named_parameters() if not name.startswith("features")]
    rates = [config.learning_rate, 3 * config.learning_rate]
    optimizer = torch.optim.AdamW([{"params": old}, {"params": new}], config.learning_rate, weight_decay=1e-3)
    return optimizer, torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, config.steps, pct_start=0.1)


def _batches(
    figures: Crops, people: Crops | None, config: TrainingConfig, rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]]:
    """Pixels and labels, people first, and the people's rows."""
    drawn = families(figures, config.figures, 0.0, rng)
    if people is None:
        for rows in drawn:
            yield figures.pixels[rows], figures.identity[rows], rows[:0]
        return
    painted = families(people, config.people, config.same_camera, rng)
    for rows, other in zip(painted, drawn, strict=False):
        # figures and people are numbered from 0 both: below it there is room for the figures
        labels = np.concatenate((people.identity[rows], -1 - figures.identity[other]))
        yield np.concatenate((people.pixels[rows], figures.pixels[other])), labels, rows

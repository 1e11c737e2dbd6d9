"""Training of the learned part, by the project's own trainer, in batches where everybody's look-alike is present."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from recipe.sources import HEIGHT_PX, WIDTH_PX, Crops, labelled
from reid.learning.augment_config import AugmentConfig
from reid.learning.model_config import ModelConfig
from reid.learning.sampling import SamplerConfig
from reid.learning.trainer import LossConfig, OptimizerConfig, TrainConfig, TrainProgress, ValidationConfig, train

_VALIDATE_EVERY = 5  # epochs; only to see how it goes: the last weights are taken
_REPORT_EVERY = 50  # steps
_AUGMENTATION = AugmentConfig(
    occlude=0.0, colour=1.0, brightness=0.2, contrast=0.0, saturation=0.0, light_colour=0.08, hue_turn=0.0,
    shadow=0.0, low_resolution=0.0, blur=0.0, erase=0.3,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Lesson:
    """What differs between the two trainings that follow each other."""

    learning_rate: float
    """The highest."""
    warmup_share: float
    """Share of the steps in which it rises to that."""


LESSONS = (Lesson(2e-3, 0.1), Lesson(1.2e-3, 0.15))
"""First figures alone, which come by the thousand; then figures and people, gently."""


def configure(
    model: ModelConfig, lesson: Lesson, epochs: int, epoch_steps: int, *, seed: int, threads: int
) -> TrainConfig:
    """What differs from the defaults of `reidtrack train`.

    Pictures are changed less than photographs would be: the renderer varies light, cover and cameras already.
    """
    return TrainConfig(
        epochs=epochs,
        epoch_steps=epoch_steps,
        seed=seed,
        device="cpu",
        threads=threads,
        log_every=_REPORT_EVERY,
        model=model,
        loss=LossConfig(margin=0.4, identity_weight=0.0),
        sampler=SamplerConfig(together="always", most_together=2),
        augmentation=_AUGMENTATION,
        optimizer=OptimizerConfig(
            learning_rate=lesson.learning_rate, warmup_share=lesson.warmup_share, average_decay=0.99
        ),
        validation=ValidationConfig(every=_VALIDATE_EVERY, keep="last"),
    )


def learn(config: TrainConfig, sources: Sequence[Crops], validation: Crops, out: Path) -> Path:
    """Train, or go on where an earlier run stopped; returns the checkpoint of the finished network.

    `sources` have identities of their own each; `validation` is somebody else.
    """
    began = time.perf_counter()

    def show(row: TrainProgress) -> None:
        seen = "" if row.validation_rank1 is None else f", rank-1 held out {row.validation_rank1:.3f}"
        spent_s = time.perf_counter() - began
        print(f"step {row.step}/{row.steps}: loss {row.loss:.4f}{seen}, {spent_s:.0f} s", flush=True)

    train(config, labelled(sources), labelled([validation]), out, existing="resume", progress=show)
    return out.with_suffix(".train") / "checkpoint.pt"


def network_config(learned: int, colour: int, learned_share: float, pretrained: Path | None = None) -> ModelConfig:
    """The small network beside the histogram, at the size of rendered crops."""
    return ModelConfig(
        "small", HEIGHT_PX, WIDTH_PX, learned,
        colour_dimension=colour, learned_share=learned_share, pretrained=pretrained,
    )  # fmt: skip

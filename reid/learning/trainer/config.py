"""The settings of a training. No torch in here: the command line makes flags, files and the reference of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from reid.checks import check_number, check_whole
from reid.errors import InputError
from reid.learning.augment_config import AugmentConfig
from reid.learning.model_config import ModelConfig
from reid.learning.sampling import SamplerConfig
from reid.learning.trainer.loss_config import LossConfig

Precision: TypeAlias = Literal["auto", "float32", "bfloat16", "float16"]


@dataclass(frozen=True, slots=True)
class OptimizerConfig:
    """How weights follow their gradients: AdamW, a linear warm-up, then half a cosine."""

    learning_rate: float = 2e-3
    """The highest step size, right after the warm-up; a tenth of it or less for fine-tuning."""
    warmup_share: float = 0.1
    """Share of all steps in which the step size rises from a hundredth of its highest value."""
    final_share: float = 0.01
    """Step size at the end as a share of the highest."""
    weight_decay: float = 5e-4
    """Decoupled decay of weights (AdamW); norms and biases do not decay."""
    clip_norm: float | None = 5.0
    """Longest gradient that is followed at its full length; none for no limit."""
    average_decay: float = 0.0
    """Weights are averaged over about 1 / (1 - this) steps, and the average is validated and exported; 0 takes the
    weights of the last step."""
    frozen: tuple[str, ...] = ()
    """Weights that stay as they are, by name or glob: `backbone.stem*`; for fine-tuning."""
    freeze_batch_norm: bool = False
    """Keep the means and variances of batch norms as they are; for fine-tuning on little data."""

    def __post_init__(self) -> None:
        check_number("learning_rate", self.learning_rate, above=0)
        check_number("weight_decay", self.weight_decay, least=0)
        if self.clip_norm is not None:
            check_number("clip_norm", self.clip_norm, above=0)
        for name, top in (("warmup_share", 0.9), ("final_share", 1.0), ("average_decay", 0.99999)):
            check_number(name, getattr(self, name), least=0, most=top)


@dataclass(frozen=True, slots=True)
class ValidationConfig:
    """What is held out to see how it goes, and when to stop."""

    share: float = 0.2
    """Share of the identities that is held out and never trained on; 0 for none: no score, no calibration."""
    every: int = 5
    """Epochs between two validations; the last epoch is always validated."""
    patience: int = 0
    """Stop after so many validations without a better mAP; 0 never stops early."""
    min_gap_s: float = 0.0
    """Where times are known: crops of an identity nearer in time than this are no matches, since neighbouring frames
    are near copies; as `reidtrack reid eval --min-gap-s`."""
    keep: Literal["best", "last"] = "best"
    """Which weights are exported: those of the validation with the best mAP, or the last."""

    def __post_init__(self) -> None:
        check_number("share", self.share, least=0, most=0.9)
        check_whole("every", self.every, 1)
        check_whole("patience", self.patience, 0)
        check_number("min_gap_s", self.min_gap_s, least=0)


@dataclass(frozen=True, slots=True)
class AlarmConfig:
    """When a training that learns nothing is stopped, with a word on what to change."""

    enabled: bool = True
    """Stop on a collapse. What is not finite stops it in any case, and never reaches a checkpoint."""
    after_steps: int = 100
    """Steps at the beginning in which nothing is judged."""
    for_steps: int = 100
    """How long the sign of a collapse must last."""
    mean_cosine: float = 0.9
    """Collapsed: the mean cosine between the vectors of a batch is above this."""
    margin_tolerance: float = 0.01
    """Parked: the triplet loss is within this share of the margin, and strangers are no farther than this share of the
    margin beyond the own kind."""

    def __post_init__(self) -> None:
        check_whole("after_steps", self.after_steps, 0)
        check_whole("for_steps", self.for_steps, 1)
        check_number("mean_cosine", self.mean_cosine, least=-1, most=1)
        check_number("margin_tolerance", self.margin_tolerance, above=0)


@dataclass(frozen=True, slots=True)
class CardConfig:
    """What the exported model says of itself beyond what is measured."""

    name: str | None = None
    """Its name in messages and reports; none for the name of the file."""
    licence: str | None = None
    """Licence of the weights, as an SPDX expression where there is one."""
    data: str | None = None
    """What it was trained on, in a few words; none for the name of the data's folder. Its licence is `data.licence`."""


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Everything that a training depends on beside its data. The same config, data and seed give the same losses."""

    epochs: int = 60
    """How often the data is gone through."""
    epoch_steps: int | None = None
    """Batches an epoch; none for as many as show as many pictures as there are, and 10 or more."""
    seed: int = 0
    """Of everything that is drawn: weights, held-out identities, batches, augmentation, mined triplets."""
    device: str = "auto"
    """Where it computes: auto (a GPU where there is one), cpu, cuda or cuda:N; a GPU that is not there is an error."""
    precision: Precision = "auto"
    """Of the network's arithmetic: auto is float32 on a CPU, mixed with bfloat16 or float16 on a GPU, as it can."""
    threads: int | None = None
    """CPU threads for arithmetic; none for torch's own choice. Another number rounds sums otherwise."""
    log_every: int = 10
    """Steps between two rows of the history; losses are means over them."""
    tensorboard: bool = False
    """Also write the history for TensorBoard; needs the extra [tensorboard]."""
    model: ModelConfig = field(default_factory=ModelConfig)
    """Which network is trained, and from which weights."""
    loss: LossConfig = field(default_factory=LossConfig)
    """What is minimised."""
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    """What a batch is made of."""
    augmentation: AugmentConfig = field(default_factory=AugmentConfig)
    """How pictures are varied."""
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    """How weights follow their gradients."""
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    """What is held out."""
    alarm: AlarmConfig = field(default_factory=AlarmConfig)
    """When to give up."""
    card: CardConfig = field(default_factory=CardConfig)
    """What the exported model says of itself."""

    def __post_init__(self) -> None:
        check_whole("epochs", self.epochs, 1)
        if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", self.device):
            raise InputError(f"device must be auto, cpu, cuda or cuda:N, got {self.device!r}")
        if self.epoch_steps is not None:
            check_whole("epoch_steps", self.epoch_steps, 1)
        check_whole("seed", self.seed, 0)
        check_whole("log_every", self.log_every, 1)
        if self.threads is not None:
            check_whole("threads", self.threads, 1)

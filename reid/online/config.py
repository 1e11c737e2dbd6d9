"""All settings of online training. No torch in here."""

from __future__ import annotations

from dataclasses import dataclass, field

from reid.checks import check_number, check_whole
from reid.device import Device
from reid.errors import DeviceError, InputError
from reid.online.gate import GateConfig
from reid.online.purity import PurityConfig
from reid.online.slices import SliceConfig


@dataclass(frozen=True, slots=True)
class LessonConfig:
    """How an embedder is taught: few layers, small steps, and what it knew kept in mind."""

    steps: int = 300
    """Batches, in fifties."""
    identities: int = 16
    """Tracklets and figures in a batch."""
    pictures: int = 4
    """Crops of each."""
    learning_rate: float = 5e-4
    """The highest step size."""
    trained_share: float = 0.5
    """Share of the layers that is trained: the last ones."""
    freeze_batch_norm: bool = True
    """Keep the statistics of batch norms."""
    memory_weight: float = 5.0
    """How much it counts that the cosines between crops stay what they were; 0 lets it forget."""
    easy_share: float = 0.4
    """Share of the steps that learn from semi-hard triplets, before the hardest are taken."""
    dropped_positives: float = 0.05
    """Share of the positive pairs of a batch that is left out: the farthest, where labels are most likely wrong."""
    average_decay: float = 0.98
    """The candidate is an average of the weights over about 1 / (1 - this) steps."""
    most_figure_loss: float = 0.0
    """How much mAP it may lose on rendered figures: the candidate goes only so far from where it began that it does not
    lose more. Of the shares 1, 0.75, 0.5, 0.35 and 0.25 of the way the first that will do, or the last."""
    device: str = "cpu"
    """Where it computes: cpu leaves a GPU to the tracking; auto, cuda, cuda:N."""
    threads: int = 1
    """CPU threads for arithmetic."""

    def __post_init__(self) -> None:
        try:
            Device.parse(self.device)
        except DeviceError as error:
            raise InputError(str(error)) from error
        for name, least in (("steps", 1), ("identities", 2), ("pictures", 2), ("threads", 1)):
            check_whole(name, getattr(self, name), least)
        for name, most in (
            ("learning_rate", 1), ("trained_share", 1), ("easy_share", 1), ("dropped_positives", 0.5),
            ("most_figure_loss", 1), ("average_decay", 0.9999),
        ):  # fmt: skip
            check_number(name, getattr(self, name), least=0, most=most)
        check_number("memory_weight", self.memory_weight, least=0)


@dataclass(frozen=True, slots=True)
class AdaptConfig:
    """How an embedder learns from the tracklets of a site."""

    purity: PurityConfig = field(default_factory=PurityConfig)
    """How sure it must be that a tracklet shows one object."""
    slices: SliceConfig = field(default_factory=SliceConfig)
    """What is trained on, and what the gate sees."""
    lesson: LessonConfig = field(default_factory=LessonConfig)
    """How it is taught."""
    gate: GateConfig = field(default_factory=GateConfig)
    """What it must show before it goes live."""

"""All settings of online training. No torch in here."""

from __future__ import annotations

from dataclasses import dataclass, field

from reid.checks import check_number, check_whole
from reid.device import Device
from reid.errors import DeviceError, InputError
from reid.online.burst_config import BurstConfig
from reid.online.gate import GateConfig
from reid.online.harvest_config import HarvestConfig
from reid.online.harvest_store import HarvestStoreConfig
from reid.online.live import LiveConfig
from reid.online.purity import PurityConfig
from reid.online.registry import RegistryConfig
from reid.online.slices import SliceConfig
from reid.online.watch import WatchConfig


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
    """Share of the layers that is trained: the last ones, one at least."""
    freeze_batch_norm: bool = True
    """Keep the statistics of batch norms."""
    memory_weight: float = 5.0
    """How much it counts that the cosines between crops stay what they were; 0 lets it forget."""
    easy_share: float = 0.4
    """Share of the steps that learn from semi-hard triplets, before the hardest are taken."""
    dropped_positives: float = 0.05
    """Share of the positive pairs of a batch that is left out: the farthest, where labels are most likely wrong."""
    remembered_batches: int = 0
    """So many earlier batches are compared with beside each one, as far as it is known who is the same and who is not,
    once the step size has risen (cross-batch memory, Wang et al. 2020); 0 for none. Few, such as 4, since vectors
    drift; on composites it gained nothing."""
    average_decay: float = 0.98
    """The candidate is an average of the weights over about 1 / (1 - this) steps."""
    most_figure_loss: float = 0.0
    """How much mAP it may lose on rendered figures: the candidate goes only so far from where it began that it does not
    lose more. Of the shares 1, 0.75, 0.5, 0.35 and 0.25 of the way the first that will do, or the last."""
    device: str = "cpu"
    """Where it computes: cpu leaves a GPU to the tracking; auto, cuda, cuda:N."""
    threads: int = 1
    """CPU threads for arithmetic, and as many to read pictures."""

    def __post_init__(self) -> None:
        try:
            Device.parse(self.device)
        except DeviceError as error:
            raise InputError(str(error)) from error
        for name, least in (("steps", 1), ("identities", 2), ("pictures", 2), ("threads", 1)):
            check_whole(name, getattr(self, name), least)
        for name, most in (
            ("learning_rate", 1), ("easy_share", 1), ("dropped_positives", 0.5),
            ("most_figure_loss", 1), ("average_decay", 0.9999),
        ):  # fmt: skip
            check_number(name, getattr(self, name), least=0, most=most)
        check_number("trained_share", self.trained_share, above=0, most=1)
        check_whole("remembered_batches", self.remembered_batches, 0)
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


@dataclass(frozen=True, slots=True)
class CycleConfig:
    """When it is learned again."""

    least_new_crops: int = 500
    """Crops that must have been harvested since the last round."""
    wait_s: float = 30.0
    """Seconds between two looks at whether there is enough."""

    def __post_init__(self) -> None:
        check_whole("least_new_crops", self.least_new_crops, 0)
        check_number("wait_s", self.wait_s, above=0)

    @property
    def needed_crops(self) -> int:
        """So many new crops begin a round: without any there is nothing new to learn."""
        return max(1, self.least_new_crops)


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnConfig(AdaptConfig):
    """What a worker does in an online folder."""

    cycle: CycleConfig = field(default_factory=CycleConfig)
    """When it is learned again."""
    models: RegistryConfig = field(default_factory=RegistryConfig)
    """Which embedders are kept."""
    nice: int = 10
    """How far the worker stands back behind other work on the CPU, 0..19."""
    most_busy: float | None = None
    """Largest share of one processor's time that the worker takes: it rests between its steps. 1 for all that it can
    get; none for a half where a tracker started it, and all where it was started by hand."""

    def __post_init__(self) -> None:
        check_whole("nice", self.nice, 0, 19)
        if self.most_busy is not None:
            check_number("most_busy", self.most_busy, above=0, most=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineConfig(LearnConfig):
    """All settings of an online folder: of the tracker that harvests and of the worker beside it."""

    harvest: HarvestConfig = field(default_factory=HarvestConfig)
    """Which crops are harvested."""
    store: HarvestStoreConfig = field(default_factory=HarvestStoreConfig)
    """How much of a harvest is kept, and for how long."""
    bursts: BurstConfig = field(default_factory=BurstConfig)
    """How much of what the detector gave is recorded, so that embedders can be tried on it."""
    live: LiveConfig = field(default_factory=LiveConfig)
    """How a running tracker comes to use an embedder that was admitted."""
    watch: WatchConfig = field(default_factory=WatchConfig)
    """How an embedder is watched once it is live."""

"""Teaches an embedder on what a site showed, and lets the gate decide. The only part of `reid.online` that needs torch.

Labels there are none. Crops of one pure piece of a track show one object; pieces that were seen at the same time show
two; of all other pairs nobody knows, and they are neither drawn together nor pushed apart.
"""

from __future__ import annotations

import copy
import glob
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from reid.calibration_fit import calibrate
from reid.data import Crops, join_crops
from reid.data.config import DataConfig
from reid.data.stores import read_store_crops
from reid.embedder import Embedder
from reid.errors import InputError
from reid.learning.graph import OnnxGraph, write_graph
from reid.learning.losses import relational_distillation_loss
from reid.learning.model_config import ModelConfig
from reid.learning.networks import Network
from reid.learning.relations import SAME, UNKNOWN
from reid.learning.sampling import SamplerConfig
from reid.learning.trainer import (
    CardConfig,
    LossConfig,
    OptimizerConfig,
    TrainConfig,
    TrainProgress,
    ValidationConfig,
    train,
)
from reid.learning.trainer.cost import Batch, Cost
from reid.learning.trainer.metric import MetricLoss
from reid.learning.trainer.running import limited_threads
from reid.learning.trainer.teacher import Teacher
from reid.online.config import AdaptConfig, LessonConfig
from reid.online.figures import load_figures
from reid.online.gate import Verdict, judge, map_of
from reid.online.purity import Pieces, purify
from reid.online.slices import accompanied, of_pieces, split

_EPOCH_STEPS = 50
_AT_ONCE = 64
_MOST_HELD_OUT = 4000  # crops: all their pairs are looked at
_SHARES = (1.0, 0.75, 0.5, 0.35, 0.25)


@dataclass(frozen=True, slots=True)
class AdaptResult:
    """What became of an adaptation."""

    admitted: bool
    """Whether there is a better embedder."""
    reason: str
    """Why, or why not, in a sentence."""
    verdict: Verdict | None
    """The gate's figures; None where nothing could be trained."""
    model: Path | None
    """The better embedder; None where there is none."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Crops, tracklets, pieces, cuts, crops left out, crops trained on and held out."""


def adapt(
    stores: Sequence[str | Path],
    start: str | Path,
    out: str | Path,
    config: AdaptConfig | None = None,
    *,
    seed: int = 0,
    progress: Callable[[TrainProgress], None] = lambda _row: None,
    stop: Callable[[], bool] = lambda: False,
) -> AdaptResult:
    """Train the embedder `start` further on tracklets; `out` is written only where the gate finds it better.

    Args:
        stores: tracklet stores, or folders of them.
        start: the embedder that is live, an ONNX file or `default`.
        out: the file to write.
        config: see `AdaptConfig`.
        seed: of all that is drawn.
        progress: is called with every row of the training's history.
        stop: is asked after every step; True ends it without a result.

    Raises:
        InputError: a store is given twice.
        DataError: there is no store, or one cannot be read.
        ModelError: the embedder cannot be trained.
        CollapseError: the training went wrong.
    """
    c, out = config or AdaptConfig(), Path(out)
    if len({Path(store).resolve() for store in stores}) < len(stores):
        raise InputError("stores must be given once each: what is held out of one would be trained on from the other")
    with limited_threads(c.lesson.threads):
        return _adapt(stores, start, out, c, seed, progress, stop)


def _adapt(
    stores: Sequence[str | Path],
    start: str | Path,
    out: Path,
    c: AdaptConfig,
    seed: int,
    progress: Callable[[TrainProgress], None],
    stop: Callable[[], bool],
) -> AdaptResult:
    """`adapt`, once it is known that it makes sense."""
    live = Embedder(start, device="cpu", threads=c.lesson.threads)
    tracklets = join_crops([read_store_crops(Path(store), DataConfig()) for store in stores])
    pieces, crops = _pure(tracklets, live, c)
    counts = {"crops": len(tracklets), "tracklets": len(tracklets.identities), "pieces": len(pieces.tracklet)}
    counts |= {"cuts": pieces.cut, "crops left out": pieces.left_out}
    trained, held_out = split(crops, c.slices)
    counts |= {"trained on": len(trained), "held out": len(held_out)}
    for part, what, least in (
        (trained, "train on", c.slices.least_trained),
        (held_out, "judge by", c.slices.least_held_out),
    ):
        if len(found := accompanied(part)) < least:
            reason = (
                f"there are {len(found)} tracklets to {what} that were seen beside others, and {least} are needed: "
                "let more be seen"
            )
            return AdaptResult(admitted=False, reason=reason, verdict=None, model=None, counts=counts)
    held_out = _at_most(held_out.subset(np.isin(held_out.identity, accompanied(held_out))), _MOST_HELD_OUT)
    figures = load_figures()
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".adapt-") as folder:
        draft = Path(folder) / out.name
        done = _teach(trained, figures.learned, held_out, live, Path(start), draft, c.lesson, seed, progress, stop)
        if not done:
            return AdaptResult(admitted=False, reason="it was stopped", verdict=None, model=None, counts=counts)
        _go_only_so_far(Path(start), draft, figures.limit, held_out, c.lesson.most_figure_loss, seed)
        candidate = Embedder(draft, device="cpu", threads=c.lesson.threads)
        fixed = _vectors(live, figures.canary), _vectors(candidate, figures.canary), figures.canary.identity
        if candidate.info.calibration is None:
            reason = "what its cosines mean cannot be said from so few held-out crops: let more be seen"
            return AdaptResult(admitted=False, reason=reason, verdict=None, model=None, counts=counts)
        verdict = judge(_vectors(live, held_out), _vectors(candidate, held_out), held_out, fixed, c.gate, seed=seed)
        if verdict.admitted:
            draft.replace(out)
    model = out if verdict.admitted else None
    return AdaptResult(verdict.admitted, verdict.reason, verdict, model, counts)


def _at_most(crops: Crops, most: int) -> Crops:
    """So many of the crops, evenly."""
    return crops if len(crops) <= most else crops.subset(np.linspace(0, len(crops) - 1, most).astype(np.int64))


def _pure(tracklets: Crops, live: Embedder, config: AdaptConfig) -> tuple[Pieces, Crops]:
    pieces = purify(_vectors(live, tracklets), tracklets.identity, tracklets.time_s, tracklets.together, config.purity)
    return pieces, of_pieces(tracklets, pieces)


def _vectors(embedder: Embedder, crops: Crops) -> NDArray[np.float32]:
    """(N, D) of all crops."""
    size_px = (embedder.card.height_px, embedder.card.width_px)
    parts = [
        embedder.crops(crops.pixels(np.arange(at, min(at + _AT_ONCE, len(crops))), *size_px))
        for at in range(0, len(crops), _AT_ONCE)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, embedder.card.dimension), np.float32)


def _teach(
    trained: Crops,
    learned: Crops,
    held_out: Crops,
    live: Embedder,
    start: Path,
    draft: Path,
    lesson: LessonConfig,
    seed: int,
    progress: Callable[[TrainProgress], None],
    stop: Callable[[], bool],
) -> bool:
    """Write a candidate; False where it was stopped."""
    crops = join_crops([trained, learned])
    config = TrainConfig(
        epochs=max(1, lesson.steps // _EPOCH_STEPS),
        epoch_steps=_EPOCH_STEPS,
        seed=seed,
        device=lesson.device,
        threads=lesson.threads,
        log_every=_EPOCH_STEPS // 5,
        model=ModelConfig("onnx", pretrained=start),
        loss=LossConfig(identity_weight=0.0),
        sampler=SamplerConfig(identities=lesson.identities, pictures=lesson.pictures),
        optimizer=OptimizerConfig(
            learning_rate=lesson.learning_rate,
            weight_decay=0.0,
            clip_norm=1.0,
            average_decay=lesson.average_decay,
            frozen=frozen_layers(OnnxGraph(start), lesson.trained_share),
            freeze_batch_norm=lesson.freeze_batch_norm,
        ),
        validation=ValidationConfig(every=10**6, keep="last"),
        card=CardConfig(name=live.card.name, licence=live.card.licence, data="tracklets of a site"),
    )
    teacher: Teacher | None = None
    if lesson.memory_weight > 0:
        known = _vectors(live, crops)

        def teacher(rows: NDArray[np.int64]) -> NDArray[np.float32]:
            return known[rows]

    result = train(
        config,
        crops,
        held_out,
        draft,
        make_objective=lambda model, _classes: SiteObjective(lesson, model, lesson.steps, seed),
        teacher=teacher,
        progress=progress,
        stop=stop,
    )
    return result.model is not None


def _go_only_so_far(start: Path, draft: Path, figures: Crops, held_out: Crops, most_loss: float, seed: int) -> None:
    """Move a candidate back towards where it began, until it knows the figures about as well as before.

    Source: Wortsman et al. 2022, "Robust fine-tuning of zero-shot models": weights on the way between two networks, of
    which one was trained on from the other, keep most of what both know.
    """
    network, taught = OnnxGraph(start), OnnxGraph(draft)
    before = map_of(_network_vectors(network, figures), figures.identity)
    began, end = network.state_dict(), copy.deepcopy(taught.state_dict())
    share = _SHARES[0]
    for share in _SHARES:
        taught.load_state_dict({name: _between(began[name], value, share) for name, value in end.items()})
        if map_of(_network_vectors(taught, figures), figures.identity) >= before - most_loss:
            break
    relations = held_out.relations(np.arange(len(held_out)))
    fit = calibrate(_network_vectors(taught, held_out), held_out.identity, relations=relations, seed=seed)
    said = f"{taught.card.training} {share:.0%} of the way there from where it began."
    write_graph(taught, replace(taught.card, calibration=fit, scores=(), training=said), draft, seed=seed)


def _between(began: Tensor, end: Tensor, share: float) -> Tensor:
    """So far on the way; counters of batch norms are whole numbers, and stay those of the end."""
    return torch.lerp(began, end, share) if end.is_floating_point() else end


@torch.no_grad()
def _network_vectors(network: OnnxGraph, crops: Crops) -> NDArray[np.float32]:
    """(N, D) of all crops."""
    network.eval()
    parts = [
        network(torch.from_numpy(crops.pixels(np.arange(at, min(at + _AT_ONCE, len(crops))), *network.size_px)))
        for at in range(0, len(crops), _AT_ONCE)
    ]
    return np.asarray(torch.cat(parts).numpy(), np.float32)


def frozen_layers(network: OnnxGraph, trained_share: float) -> tuple[str, ...]:
    """Names of all weights but those of the last layers, of which so large a share is trained."""
    layers = network.layers()
    kept = round(len(layers) * (1 - trained_share))
    last = {name for layer in layers[kept:] for name in layer}
    return tuple(glob.escape(name) for layer in layers[:kept] for name in layer if name not in last)


class SiteObjective(nn.Module):
    """What a batch of pieces costs: semi-hard triplets first, then the hardest; and what the live embedder knew.

    Of the positives, the few that are farthest apart are left out: there labels are most likely wrong.

    Args:
        lesson: the settings.
        model: what is trained.
        steps: of the whole training.
        seed: of miners that draw.
    """

    def __init__(self, lesson: LessonConfig, model: Network, steps: int, seed: int) -> None:
        super().__init__()
        self._lesson, self._hard_from = lesson, steps * lesson.easy_share
        with torch.no_grad():
            dimension = int(model(torch.zeros((1, *model.size_px, 3), dtype=torch.uint8)).shape[1])
        easy, hard = LossConfig(mining="semi_hard"), LossConfig(margin="soft")
        self.easy, self.hard = (
            MetricLoss(loss, dimension, None, batch_size=0, memory_after=0, seed=seed) for loss in (easy, hard)
        )

    def forward(self, batch: Batch) -> Cost:
        """The cost of a batch."""
        vectors = functional.normalize(batch.after.float(), dim=1)
        metric = self.easy if batch.step <= self._hard_from else self.hard
        triplet, statistics = metric(vectors, _without_farthest(batch, vectors, self._lesson.dropped_positives))
        total, taught = triplet, None
        if batch.teacher is not None:
            taught = relational_distillation_loss(vectors, batch.teacher)
            total = total + self._lesson.memory_weight * taught
        return Cost(total, triplet.detach(), None, statistics, None if taught is None else taught.detach())


@torch.no_grad()
def _without_farthest(batch: Batch, vectors: Tensor, share: float) -> Batch:
    """The batch with so large a share of its positive pairs, the farthest, as pairs of which nobody knows."""
    relations = batch.relations
    same = (relations == SAME).fill_diagonal_(fill_value=False)
    cosines = torch.where(same, vectors @ vectors.T, torch.inf)
    count = (same.sum() * share).long()
    # the limit is the count-th smallest of all: read where it lies, without waiting for a device
    limit = cosines.flatten().sort().values.gather(0, count.reshape(1))
    doubtful = same & (cosines < limit)
    return replace(batch, relations=torch.where(doubtful, UNKNOWN, relations))

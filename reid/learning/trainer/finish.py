"""From trained weights to a model file that says what it is."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from reid.calibration import Calibration
from reid.calibration_fit import calibrate
from reid.card import Card, Score, Source, utf8_text
from reid.data import SAME, UNKNOWN, Crops
from reid.evaluation import Report
from reid.evaluation.sightings import Sightings
from reid.learning.embedding import EmbeddingModel
from reid.learning.export import export_onnx
from reid.learning.graph import OnnxGraph, write_graph
from reid.learning.networks import Network
from reid.learning.trainer.config import TrainConfig
from reid.learning.trainer.loss_config import LossConfig

_MOST_HISTOGRAMS = 4000  # for the principal components of the colour histogram
_BATCH = 64

HeldOut: TypeAlias = tuple[Crops, NDArray[np.float32], Report]
"""Held-out crops, their vectors (N, D), and what was measured."""


@torch.no_grad()
def fit_colours(model: EmbeddingModel, crops: Crops, seed: int) -> None:
    """Fit the projection of the colour histogram, where the network has one, to the crops that are trained on."""
    histogram = model.histogram
    if histogram is None:
        return
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(len(crops))[:_MOST_HISTOGRAMS])
    parts = [
        histogram(torch.from_numpy(crops.pixels(rows[at : at + _BATCH], *model.size_px)).float() / 255)
        for at in range(0, len(rows), _BATCH)
    ]
    model.fit_colour_projection(torch.cat(parts))


def export_trained(
    model: Network,
    config: TrainConfig,
    out: Path,
    crops: Crops,
    held_out: HeldOut | None,
    *,
    steps: int,
    today: dt.date,
) -> Path:
    """Write `out`: the network on the CPU, with a card. `held_out`: the crops held out, their vectors and figures.

    Raises:
        ModelError: the exported graph differs from the network.
        MissingExtraError: onnx or onnxscript is not installed.
    """
    said = config.card
    data = utf8_text(said.data or "the pictures given to reidtrack train")
    name = utf8_text(said.name or out.stem)
    kind = "identities" if bool(crops.labelled[crops.identities].all()) else "tracklets"
    start = (
        "a random start"
        if config.model.pretrained is None
        else f"the weights of {utf8_text(config.model.pretrained.name)}"
    )
    training = (
        f"{steps} steps from {start} on {len(crops)} crops of {len(crops.identities)} {kind}; "
        f"{_learned_by(config.loss)}, seed {config.seed}."
    )
    calibration, scores = _measured(held_out, config, f"crops held out from training on {data}")
    if isinstance(model, OnnxGraph):
        before = model.card
        card = replace(
            before,
            name=name,
            calibration=calibration,
            licence=said.licence,
            training=f"{before.training or 'Made elsewhere.'} Then {training}",
            sources=(*before.sources, Source(data, crops.licence)),
            date=today.isoformat(),
            scores=scores,
        )
        return write_graph(model, card, out, seed=config.seed)
    card = Card(
        name=name,
        height_px=config.model.height_px,
        width_px=config.model.width_px,
        dimension=_dimension(model),
        layout="NHWC",
        colour="BGR",
        dtype="uint8",
        calibration=calibration,
        licence=said.licence,
        training=training,
        architecture=config.model.architecture,
        sources=(Source(data, crops.licence),),
        date=today.isoformat(),
        scores=scores,
    )
    return export_onnx(model, card, out, seed=config.seed)


def _learned_by(loss: LossConfig) -> str:
    """The loss between vectors, and the teacher, in a few words."""
    if loss.kind != "triplet":
        kind = f"{loss.kind.replace('_', ' ')} loss"
    else:
        kind = f"{loss.mining} triplets{' of the whole data set' if loss.offline else ''}"
    if loss.memory_batches:
        kind += f", memory of {loss.memory_batches} batches"
    return kind if loss.teacher is None else f"{kind}, cosines of {utf8_text(loss.teacher.name)}"


def _measured(held_out: HeldOut | None, config: TrainConfig, data: str) -> tuple[Calibration | None, tuple[Score, ...]]:
    """What its cosines mean and how good it is, as far as the held-out crops can say, which are called `data`."""
    if held_out is None:
        return None, ()
    crops, vectors, report = held_out
    what = f"{report.identities} held-out identities, {report.queries} queries; {report.rule}"
    figures = {"mAP": report.mean_average_precision, "rank-1": report.rank_1}
    sightings = Sightings.of(crops.identity, crops.camera, crops.time_s, crops.group)

    def known(rows: NDArray[np.int64]) -> NDArray[np.int8]:
        relations = crops.relations(rows)
        relations[(relations == SAME) & sightings.near(rows, rows, config.validation.min_gap_s)] = UNKNOWN
        return relations

    calibration = calibrate(vectors, crops.measured_identity, relations=known, seed=config.seed, data=data)
    return calibration, tuple(Score(what, name, e.value, e.low, e.high) for name, e in figures.items())


@torch.no_grad()
def _dimension(model: Network) -> int:
    model.eval()
    return int(model(torch.zeros((1, *model.size_px, 3), dtype=torch.uint8)).shape[1])

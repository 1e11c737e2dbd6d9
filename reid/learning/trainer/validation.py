"""How well a network knows identities that it never saw."""

from __future__ import annotations

import logging

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from reid.card import CropForm
from reid.data import Crops, split_identities
from reid.errors import InputError
from reid.evaluation import EvaluationConfig, Report, evaluate
from reid.evaluation.collection import Collection
from reid.learning.trainer.config import TrainConfig, ValidationConfig
from reid.learning.trainer.distributed import Processes

_BATCH = 64
_REMEDY = "Give other data or another validation.min_gap_s, or validation.share 0"
_INTERVALS = EvaluationConfig().replicates
_logger = logging.getLogger(__name__)


def hold_out(crops: Crops, config: TrainConfig) -> tuple[Crops, Crops | None]:
    """Identities to train on, and those of `validation.share` to validate on (None where it is 0).

    Raises:
        InputError: fewer than two identities would be held out, which nobody could confuse.
    """
    if config.validation.share == 0:
        return crops, None
    train, held_out = split_identities(crops, share=config.validation.share, seed=config.seed)
    if len(held_out.identities) < 2:
        raise InputError(
            f"validation.share {config.validation.share:g} of {len(crops.identities)} identities holds out "
            f"{len(held_out.identities)}: 2 or more are needed. Take a larger share, or 0 for no validation"
        )
    return train, held_out


def check_measurable(validation: Crops, config: ValidationConfig) -> None:
    """Say at the start what would only be found out after the first epochs.

    Raises:
        InputError: nobody could be found again, such as where there is one picture of each.
    """
    try:
        report = report_on(np.ones((len(validation), 1), np.float32), validation, config)
    except InputError as error:
        raise InputError(f"nothing can be validated on the held-out crops: {error}. {_REMEDY}") from error
    if report.finds_near_copies and not config.min_gap_s:
        _logger.warning(
            "validation: the nearest match of a crop is %.2f s away (median), a near copy: --validation.min-gap-s 1 "
            "leaves such out",
            report.nearest_match_s,
        )


def embed_crops(
    network: nn.Module, crops: Crops, form: CropForm, device: torch.device, processes: Processes
) -> NDArray[np.float32]:
    """Unit vectors (N, D) of all crops, each process doing its part of them; all get all."""
    shares = np.array_split(np.arange(len(crops)), processes.count)  # (n_r,) of each process
    most = max(len(share) for share in shares)
    training = network.training
    network.eval()
    with torch.no_grad():
        parts = [
            network(torch.from_numpy(crops.pixels(rows, *form)).to(device)).float()
            for rows in np.array_split(shares[processes.rank], max(1, -(-most // _BATCH)))
        ]
        own = torch.cat(parts)  # (n_r, D)
        padded = torch.cat((own, own.new_zeros((most - len(own), own.shape[1]))))  # gathering wants equal lengths
        every = processes.gather(padded).cpu().numpy()  # (most * count, D)
    network.train(training)
    kept = np.concatenate([np.arange(len(share)) + most * rank for rank, share in enumerate(shares)])
    return np.asarray(every[kept], np.float32)


def report_on(
    vectors: NDArray[np.float32], crops: Crops, config: ValidationConfig, *, intervals: bool = False
) -> Report:
    """All measures of these vectors; pairs of tracklets of which nothing is known are left out.

    Intervals cost more than the figures themselves: they are for the card.

    Raises:
        InputError: nothing can be measured, since no identity has two crops.
    """
    return evaluate(
        vectors,
        crops.measured_identity,
        crops.camera,
        crops.time_s,
        group=crops.group,
        unknown=Collection.of(crops).unknown(),
        config=EvaluationConfig(min_gap_s=config.min_gap_s, later_s=(), replicates=_INTERVALS if intervals else 0),
    )

"""Miners by name."""

from __future__ import annotations

from typing import cast, get_args

from reid.errors import InputError
from reid.learning.loss_choices import Margin, MiningName
from reid.learning.mining.all_positives_hard_negative import AllPositivesHardNegative
from reid.learning.mining.at_random import Random
from reid.learning.mining.batch_hard import BatchHard
from reid.learning.mining.distance_weighted import DistanceWeighted
from reid.learning.mining.easy_positive import EasyPositive
from reid.learning.mining.exhaustive import BatchAll, Exhaustive, Hard
from reid.learning.mining.pairs import Miner
from reid.learning.mining.semi_hard import SemiHard, TensorFlowAddonsSemiHard

MINING: tuple[MiningName, ...] = get_args(MiningName)


def open_miner(mining: MiningName | Miner | Exhaustive, *, margin: Margin = 0.3, seed: int = 0) -> Miner | Exhaustive:
    """The miner of a name, with its defaults; an object is returned as it is.

    `margin` is the loss's, which `semi_hard` mines within (no upper bound for "soft"); `seed` is for those that draw.

    Raises:
        InputError: there is no such miner.
    """
    if isinstance(mining, BatchAll | Hard) or (callable(mining) and not isinstance(mining, str | type)):
        return mining
    if mining not in MINING:
        raise InputError(f"mining must be a miner or one of {', '.join(MINING)}, got {mining!r}")
    made: dict[str, Miner | Exhaustive] = {
        "batch_hard": BatchHard(),
        "batch_all": BatchAll(),
        "semi_hard": SemiHard(margin=float("inf") if margin == "soft" else margin),
        "semi_hard_tensorflow_addons": TensorFlowAddonsSemiHard(),
        "all_positives_hard_negative": AllPositivesHardNegative(),
        "distance_weighted": DistanceWeighted(seed=seed),
        "hard": Hard(),
        "easy_positive": EasyPositive(),
        "random": Random(seed=seed),
    }
    return made[cast("MiningName", mining)]

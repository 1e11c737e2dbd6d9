"""What is trained on, and what the gate sees: identities that nothing was trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reid.data import Crops
from reid.errors import InputError
from reid.online.purity import Pieces


@dataclass(frozen=True, slots=True)
class SliceConfig:
    """How crops are shared out."""

    held_out_share: float = 0.35
    """Share of the crops that is never trained on: all of whoever they show, as far as the tracker knows."""
    least_trained: int = 8
    """Pieces that were seen beside others which a training needs; with fewer it waits for more."""
    least_held_out: int = 8
    """The same, for the gate."""

    def __post_init__(self) -> None:
        if not 0 < self.held_out_share < 1:
            raise InputError(f"held_out_share must be above 0 and below 1, got {self.held_out_share!r}")
        for name in ("least_trained", "least_held_out"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 2:
                raise InputError(f"{name} must be a whole number of 2 or more, got {value!r}")


def of_pieces(crops: Crops, pieces: Pieces) -> Crops:
    """Crops of tracklets as crops of their pure pieces: the same in one piece, different where seen at once."""
    numbers = np.unique(crops.identity)
    assert np.array_equal(numbers[np.searchsorted(numbers, pieces.tracklet)], pieces.tracklet)
    return crops.regrouped(
        pieces.piece,
        [f"{crops.names[tracklet]} {number}" for number, tracklet in enumerate(pieces.tracklet.tolist())],
        labelled=False,
        together=pieces.together,
        kin=crops.kin[pieces.tracklet],
    )


def split(crops: Crops, config: SliceConfig) -> tuple[Crops, Crops]:
    """Crops to train on, and crops of other identities for the gate: of those who were there last.

    Whoever the tracker took for one is on one side, so that nobody is on both unless the tracker missed it; and people
    of one time stay with those whom they were seen beside.
    """
    kin = crops.kin[crops.identity]  # (N,)
    people, who, count = np.unique(kin, return_inverse=True, return_counts=True)
    order = np.lexsort((np.where(np.isnan(crops.time_s), 0.0, crops.time_s), crops.group))
    place = np.empty(len(crops))
    place[order] = np.arange(len(crops))  # in time, from the first crop of the first run to the last of the last
    mean = np.bincount(who, place) / count  # (P,)
    latest = np.argsort(-mean, kind="stable")
    enough = int(np.searchsorted(np.cumsum(count[latest]), config.held_out_share * len(crops))) + 1
    held_out = np.isin(kin, people[latest[:enough]])
    return crops.subset(~held_out), crops.subset(held_out)


def accompanied(crops: Crops) -> NDArray[np.int64]:
    """Numbers (n,) of the pieces of these crops that were seen beside another of them."""
    here = crops.identities
    pairs = crops.together
    return np.unique(pairs[np.isin(pairs, here).all(axis=1)])

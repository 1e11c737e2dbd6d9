"""Batches from a list of triplets that was mined from the whole data set."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from reid.errors import InputError
from reid.learning.mining import TripletBatch, TripletList

_logger = logging.getLogger(__name__)


class ListedBatches:
    """Endless batches of a list: every triplet once, in random order, then all of them again in another.

    Args:
        size: triplets in a batch.
        seed: the same gives the same batches.
    """

    def __init__(self, size: int, seed: int) -> None:
        self._size, self._seed = size, seed
        self._list: TripletList | None = None
        self._rows = torch.zeros((0, 3), dtype=torch.int32)  # of the list, for checkpoints
        self._batches: Iterator[TripletBatch] = iter(())
        self._drawn = 0

    def renew(self, mined: TripletList) -> bool:
        """Go on with another list; where nothing was found the old one stays, and this is False.

        Raises:
            InputError: nothing was found, and there is no old one.
        """
        if not len(mined):
            if self._list is None:
                raise InputError(
                    f"loss.mining {mined.mining} finds no triplet in the whole data set: take another with loss.offline"
                )
            _logger.warning("no triplet was mined before epoch %d: the list before it stays", mined.epoch)
            return False
        self._begin(mined, 0)
        return True

    def __iter__(self) -> Iterator[TripletBatch]:
        return self

    def __next__(self) -> TripletBatch:
        batch = next(self._batches)
        self._drawn += 1
        return batch

    def state(self) -> dict[str, Any]:
        """All that `restore` needs, the list with it: it came of weights that are gone."""
        if self._list is None:
            return {}
        one = self._list
        return {"rows": self._rows, "of": one.of, "mining": one.mining, "epoch": one.epoch, "drawn": self._drawn}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on as the one with this state would have."""
        if state:
            mined = TripletList(state["rows"].numpy(), state["of"], state["mining"], state["epoch"])
            self._begin(mined, state["drawn"])

    def _begin(self, mined: TripletList, drawn: int) -> None:
        self._list, self._drawn = mined, drawn
        self._rows = torch.from_numpy(mined.rows.astype(np.int32))
        self._batches = itertools.islice(_endless(mined, min(self._size, len(mined)), self._seed), drawn, None)


def _endless(mined: TripletList, size: int, seed: int) -> Iterator[TripletBatch]:
    """Batches of one size; what is left over at the end of a round has its turn in another one."""
    for turn in itertools.count():
        whole = (batch for batch in mined.batches(size, seed=seed, epoch=turn) if len(batch.triplets) == size)
        yield from whole

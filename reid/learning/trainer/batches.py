"""Batches of crops, read one ahead of the step that trains on them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reid.data import Crops
from reid.learning.sampling import PkSampler
from reid.learning.trainer.config import TrainConfig
from reid.learning.trainer.distributed import Processes


@dataclass(frozen=True, slots=True)
class LoadedBatch:
    """A whole batch of B crops, of which this process has the pixels of its b."""

    pixels: Tensor
    """(b, h, w, 3) uint8 BGR, on the CPU."""
    relations: Tensor
    """(B, B) int8: same, different, unknown."""
    classes: Tensor | None
    """(B,) int64 number of the identity among those trained on; None where identities are no labels."""
    sampler: Mapping[str, Any]
    """State of the sampler right after it drew this batch."""
    waited_s: float = 0.0
    """How long the training waited for it."""


class Batches:
    """Draws and reads batches for ever; a thread reads ahead, until `close`.

    Args:
        crops: what is trained on.
        config: sampler, picture size and seed.
        processes: who shares each batch.
        sampler: state to go on from, as in `LoadedBatch.sampler`; None begins anew.
    """

    def __init__(
        self, crops: Crops, config: TrainConfig, processes: Processes, sampler: Mapping[str, Any] | None = None
    ) -> None:
        self._crops = crops
        self._size_px = (config.model.height_px, config.model.width_px)
        self._processes = processes
        self._sampler = PkSampler(crops, config.sampler, config.seed)
        if sampler is not None:
            self._sampler.restore(dict(sampler))
        drawn = self._sampler.identities  # those with too few pictures are not
        self._drawn: NDArray[np.int64] | None = drawn if bool(crops.labelled[drawn].all()) else None
        self.size: int = self._sampler.batch_size
        """B, crops in a batch."""
        self.classes: int | None = None if self._drawn is None else len(drawn)
        """Identities that are trained on; None where they are no labels."""
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="reidtrack-batches")
        self._next: Future[LoadedBatch] | None = None

    def close(self) -> None:
        """End the thread."""
        self._reader.shutdown(wait=True, cancel_futures=True)

    def take(self) -> LoadedBatch:
        """The next batch.

        Raises:
            DataError: a picture cannot be read.
            InputError: the batch cannot be shared out evenly among the processes.
        """
        began_s = time.perf_counter()
        batch = (self._next or self._reader.submit(self._load)).result()
        self._next = self._reader.submit(self._load)
        waited_s = time.perf_counter() - began_s
        return LoadedBatch(batch.pixels, batch.relations, batch.classes, batch.sampler, waited_s)

    def _load(self) -> LoadedBatch:
        rows: NDArray[np.int64] = np.asarray(next(self._sampler), np.int64)  # (B,)
        mine = rows[self._processes.part(len(rows))]  # (b,)
        return LoadedBatch(
            pixels=torch.from_numpy(self._crops.pixels(mine, *self._size_px)),
            relations=torch.from_numpy(self._crops.relations(rows)),
            classes=None if self._drawn is None else torch.from_numpy(self._class_of(rows)),
            sampler=self._sampler.state(),
        )

    def _class_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        assert self._drawn is not None
        return np.searchsorted(self._drawn, self._crops.identity[rows]).astype(np.int64)

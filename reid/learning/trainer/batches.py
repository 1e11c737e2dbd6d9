"""Batches of crops, read one ahead of the step that trains on them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reid.card import CropForm
from reid.data import Crops
from reid.learning.mining import TripletList
from reid.learning.sampling import PkSampler
from reid.learning.trainer.config import TrainConfig
from reid.learning.trainer.distributed import Processes
from reid.learning.trainer.offline import ListedBatches
from reid.learning.trainer.teacher import Teacher


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
    rows: Tensor
    """(B,) int64 which of the crops they are."""
    teacher: Tensor | None = None
    """(B, E) float32 a teacher's vectors; None without one."""
    triplets: Tensor | None = None
    """(T, 3) int64 rows of the batch, of a list mined offline; None without one."""
    waited_s: float = 0.0
    """How long the training waited for it."""


class Batches:
    """Draws and reads batches for ever; a thread reads ahead, until `close`.

    Args:
        crops: what is trained on.
        config: sampler and seed.
        form: of the pictures.
        processes: who shares each batch.
        sampler: state to go on from, as in `LoadedBatch.sampler`; None begins anew.
        teacher: gives vectors of its own of each batch; None for none.
    """

    def __init__(
        self,
        crops: Crops,
        config: TrainConfig,
        form: CropForm,
        processes: Processes,
        sampler: Mapping[str, Any] | None = None,
        teacher: Teacher | None = None,
    ) -> None:
        self._crops = crops
        self._teacher = teacher
        self._form = form
        self._processes = processes
        chooser = PkSampler(crops, config.sampler, config.seed)
        drawn = chooser.identities  # those with too few pictures are not
        self._drawn: NDArray[np.int64] | None = drawn if bool(crops.labelled[drawn].all()) else None
        self.rows: NDArray[np.int64] = np.flatnonzero(np.isin(crops.identity, drawn))
        """(n,) the crops that are trained on."""
        self.size: int = chooser.batch_size
        """B, crops in a batch; at most so many of a list of triplets."""
        self._listed = ListedBatches(max(1, self.size // 3), config.seed) if config.loss.offline else None
        self._chooser = chooser
        if sampler is not None:
            (self._listed or chooser).restore(dict(sampler))
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
        return replace(batch, waited_s=waited_s)

    def renew(self, mined: TripletList) -> None:
        """Take the next batches from another list of triplets of rows of the crops; an empty one changes nothing.

        Raises:
            InputError: it is empty, and there is no older one.
        """
        assert self._listed is not None, "asked for in the settings"
        if self._next is not None:
            wait([self._next])  # the thread draws from the list
        if self._listed.renew(mined):
            self._next = None  # what was read ahead is of the old list

    def class_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """(n,) rows of the crops -> (n,) numbers of their identities among those trained on, which must be labels."""
        assert self._drawn is not None
        return np.searchsorted(self._drawn, self._crops.identity[rows]).astype(np.int64)

    def _load(self) -> LoadedBatch:
        listed = None if self._listed is None else next(self._listed)
        rows = next(self._chooser) if listed is None else listed.rows  # (B,)
        mine = rows[self._processes.part(len(rows))]  # (b,)
        return LoadedBatch(
            pixels=torch.from_numpy(self._crops.pixels(mine, *self._form)),
            relations=torch.from_numpy(self._crops.relations(rows)),
            classes=None if self._drawn is None else torch.from_numpy(self.class_of(rows)),
            sampler=(self._listed or self._chooser).state(),
            rows=torch.from_numpy(rows),
            teacher=None if self._teacher is None else torch.from_numpy(self._teacher(rows)),
            triplets=None if listed is None else torch.from_numpy(listed.triplets),
        )

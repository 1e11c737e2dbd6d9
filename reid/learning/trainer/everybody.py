"""A look at all that is trained on, every few epochs, by the network as it is then."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reid.data import Crops
from reid.errors import InputError
from reid.learning.mining import OfflineConfig, TripletList, mine_data_set, open_miner
from reid.learning.networks import Network
from reid.learning.trainer.batches import Batches
from reid.learning.trainer.config import TrainConfig
from reid.learning.trainer.distributed import Processes
from reid.learning.trainer.network import TrainedNetwork
from reid.learning.trainer.objective import TripletObjective
from reid.learning.trainer.randomness import seed_of
from reid.learning.trainer.validation import embed_crops

_MINING = 4  # second word of the seeds of what is drawn here


class Everybody:
    """Renews what the losses know of the whole data: the list of triplets, or the tree of identities.

    Both come of the weights as they are at the beginning of an epoch, which a run that is resumed there has too; in
    between they are part of the checkpoint.

    Args:
        config: the settings.
        crops: what is trained on.
        batches: what the list is for.
        network: what sees the crops.
        processes: who shares the work.

    Raises:
        InputError: offline mining is asked for with several processes, or with losses that are none of the settings.
    """

    def __init__(
        self, config: TrainConfig, crops: Crops, batches: Batches, network: TrainedNetwork, processes: Processes
    ) -> None:
        self._config, self._crops, self._batches = config, crops, batches
        self._network, self._processes = network, processes
        objective = network.objective
        self._objective = objective if isinstance(objective, TripletObjective) else None
        self._wanted = config.loss.offline or config.loss.kind == "hierarchical"
        if config.loss.offline and processes.count > 1:
            raise InputError("loss.offline trains in one process: start it without torchrun")
        if self._wanted and self._objective is None:
            raise InputError("loss.offline and the kind hierarchical need losses made by TripletObjective")

    def look(self, step: int, epoch_steps: int, device: torch.device) -> None:
        """Before the step after `step`: renew, where it is time.

        Raises:
            DataError: a picture cannot be read.
            InputError: there is nothing to train from.
        """
        if not self._wanted or step % (epoch_steps * self._config.loss.refresh_epochs):
            return
        assert self._objective is not None, "checked in the beginning"
        rows = self._batches.rows  # (n,) crops whose identities are trained on
        sight = _Sight(self._network.model, self._objective)
        vectors = embed_crops(sight, self._crops.subset(rows), sight.form, device, self._processes)  # (n, D)
        seen = torch.from_numpy(vectors).to(device)
        if self._config.loss.offline:
            self._batches.renew(self._mined(seen, rows, step // epoch_steps))
            return
        classes = torch.from_numpy(self._batches.class_of(rows)).to(device)
        self._objective.metric.see_everybody(seen, classes)

    def _mined(self, seen: Tensor, rows: NDArray[np.int64], epoch: int) -> TripletList:
        loss, seed = self._config.loss, seed_of(self._config.seed, _MINING, epoch)

        def relate(some: Tensor) -> Tensor:
            return torch.from_numpy(self._crops.relations(rows[some.cpu().numpy()], rows)).to(some.device)

        found = mine_data_set(
            seen,
            relations=relate,
            config=OfflineConfig(mining=loss.mining, distance=loss.distance, seed=self._config.seed),
            miner=open_miner(loss.mining, margin=loss.margin, seed=seed),
            epoch=epoch,
        )
        return TripletList(rows[found.rows], len(self._crops), loss.mining, epoch)


class _Sight(nn.Module):
    """The network with the vectors that the losses compare."""

    def __init__(self, model: Network, objective: TripletObjective) -> None:
        super().__init__()
        self.model = model
        self._vectors = objective.vectors
        self.form = model.form

    def forward(self, pixels: Tensor) -> Tensor:
        return self._vectors(*self.model.features(pixels))

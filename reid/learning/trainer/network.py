"""What is trained: the network, the weights of its losses, the optimizer; and one step of it."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from reid.errors import InputError
from reid.learning.networks import Network
from reid.learning.trainer.averaging import AveragedWeights
from reid.learning.trainer.config import OptimizerConfig
from reid.learning.trainer.distributed import Processes
from reid.learning.trainer.objective import Batch, Cost, Objective


@dataclass(frozen=True, slots=True)
class StepInput:
    """What one step works on, on the device."""

    pixels: Tensor
    """(b, h, w, 3) uint8, augmented: this process's part."""
    relations: Tensor
    """(B, B) int8 of the whole batch."""
    classes: Tensor | None
    """(B,) int64 of the whole batch."""
    triplets: Tensor | None
    """(T, 3) int64 rows of the whole batch, of a list mined offline; None without one."""
    teacher: Tensor | None
    """(B, E) a teacher's vectors of the whole batch; None without one."""
    learning_rate: float
    """Step size."""
    own_seed: int
    """For what the network draws (dropout): another in each process."""
    common_seed: int
    """For what the losses draw (mined triplets): the same in all processes."""
    rows: Tensor | None = None
    """(B,) int64 rows of the whole batch among the crops."""


class TrainedNetwork:
    """A network and all that changes with it.

    Args:
        model: the network, on the device.
        objective: the losses, on the device.
        config: how weights follow their gradients.
        dtype: of autocast; float32 for none.
        processes: who shares each batch.
    """

    def __init__(
        self,
        model: Network,
        objective: Objective,
        config: OptimizerConfig,
        dtype: torch.dtype,
        processes: Processes,
    ) -> None:
        self.model = model
        self.objective = objective
        self._config = config
        self._dtype = dtype
        self._processes = processes
        freeze_weights(model, config.frozen)
        self._weights = [p for p in (*model.parameters(), *objective.parameters()) if p.requires_grad]
        self._optimizer = torch.optim.AdamW(_weight_groups(self._weights, config.weight_decay), lr=config.learning_rate)
        device = next(model.parameters()).device
        self._scaler = torch.amp.GradScaler(device.type, enabled=dtype == torch.float16)
        self._average = AveragedWeights(model, config.average_decay) if config.average_decay > 0 else None

    @property
    def result(self) -> Network:
        """The network that is validated and exported: the average of the weights where there is one."""
        if self._average is None:
            return self.model
        assert isinstance(self._average.module, type(self.model))
        return self._average.module

    @property
    def loss_scale(self) -> float:
        """What the loss is multiplied by in float16, so that small gradients do not vanish; 1 elsewhere.

        Reading it waits for the device.
        """
        return float(self._scaler.get_scale())

    def step(self, given: StepInput, number: int) -> tuple[Cost, Tensor]:
        """Train on a batch; `number` counts from 1. Returns its cost and the length of its gradient, 0-d tensors."""
        self._set_train_mode()
        cost = self._backward(given, number)
        self._processes.add_gradients(self._weights)
        for group in self._optimizer.param_groups:
            group["lr"] = given.learning_rate
        self._scaler.unscale_(self._optimizer)
        limit = self._config.clip_norm if self._config.clip_norm is not None else float("inf")
        norm = nn.utils.clip_grad_norm_(self._weights, limit)
        # a scale that overflows is tried now and then, and that step left out; `loss_scale` shows if it is every step
        if self._scaler.is_enabled():
            norm = torch.where(norm.isfinite(), norm, 0.0)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        if self._average is not None:
            self._average.update(self.model, number)
        return cost, norm

    def _backward(self, given: StepInput, number: int) -> Cost:
        """Leave this process's share of the gradient of the whole batch's cost in the weights."""
        self._optimizer.zero_grad(set_to_none=True)
        device = given.pixels.device
        torch.manual_seed(given.own_seed)
        with torch.autocast(device.type, self._dtype, enabled=self._dtype != torch.float32):
            before, after = self.model.features(given.pixels)
        gathered = self._processes.gather(before.float()), self._processes.gather(after.float())
        torch.manual_seed(given.common_seed)
        batch = Batch(
            given.pixels, *gathered, given.relations, given.classes, given.triplets, number, given.teacher, given.rows
        )
        cost = self.objective(batch)
        # every process has the whole cost; each gives its share, and the sum over processes is the gradient of one
        share: Tensor = self._scaler.scale(cost.total / self._processes.count)
        torch.autograd.backward(share)
        return cost

    def _set_train_mode(self) -> None:
        self.model.train()
        for module in self.model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                # the statistics of a frozen layer stay too, or it would compute something else
                frozen = module.affine and not any(weight.requires_grad for weight in module.parameters())
                module.train(not (frozen or self._config.freeze_batch_norm))

    def state(self) -> dict[str, Any]:
        """For a checkpoint; `model` is the network that would be exported."""
        out = {
            "model": self.result.state_dict(),
            "objective": self.objective.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
        }
        return out if self._average is None else {**out, "raw_model": self.model.state_dict()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.model.load_state_dict(state["model"] if self._average is None else state["raw_model"])
        if self._average is not None:
            self._average.module.load_state_dict(state["model"])
        self.objective.load_state_dict(state["objective"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._scaler.load_state_dict(state["scaler"])


def freeze_weights(model: nn.Module, patterns: Iterable[str]) -> None:
    """Take weights out of the training, by name or glob.

    Raises:
        InputError: a pattern fits no weight, or none is left to train.
    """
    named = dict(model.named_parameters())
    for pattern in patterns:
        matching = [name for name in named if fnmatch.fnmatchcase(name, pattern)]
        if not matching:
            raise InputError(
                f"optimizer.frozen must name weights such as {next(iter(named))}, or globs of them, got {pattern!r}"
            )
        for name in matching:
            named[name].requires_grad_(False)
    if not any(parameter.requires_grad for parameter in named.values()):
        raise InputError("optimizer.frozen must leave weights to train, and it names all of them")


def _weight_groups(weights: Iterable[nn.Parameter], decay: float) -> list[dict[str, Any]]:
    """Matrices and kernels decay; gains and biases, which are vectors, do not."""
    every = list(weights)
    return [
        {"params": [p for p in every if p.ndim >= 2], "weight_decay": decay},
        {"params": [p for p in every if p.ndim < 2], "weight_decay": 0.0},
    ]

"""A slow average of the weights, which generalises better than the last of them."""

from __future__ import annotations

import copy

import torch
from torch import nn


class AveragedWeights:
    """An exponential moving average of a module's weights and statistics, in a copy of the module.

    Source: Tarvainen and Valpola 2017, "Mean teachers are better role models", section 2; the decay is smaller in the
    first steps, so that the random start is forgotten.

    Args:
        module: what is trained.
        decay: the average spans about 1 / (1 - decay) steps.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(module).eval().requires_grad_(requires_grad=False)
        """The copy that has the averages."""
        self._decay = decay

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Take in the weights after `step` (from 1)."""
        decay = min(self._decay, (1 + step) / (10 + step))
        new = module.state_dict()
        for name, mean in self.module.state_dict().items():  # the tensors themselves, not copies
            if mean.is_floating_point():
                mean.lerp_(new[name].to(mean.dtype), 1 - decay)
            else:
                mean.copy_(new[name])

"""Random choice that can be repeated: a seed goes in, and the state travels with checkpoints."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor, nn


class Draws(nn.Module):
    """A source of random numbers with a seed, on whatever device it is asked for.

    Its state is part of `state_dict()`, so that a run that goes on from a checkpoint draws what it would have drawn. On
    another kind of device, whose generators have other states, it begins anew, with other numbers than at first.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = seed
        self._generator = torch.Generator().manual_seed(seed)  # made anew where another device is asked for
        self._state: Tensor | None = None  # of a checkpoint, until the device is known

    def uniform(self, rows: int, columns: int, like: Tensor) -> Tensor:
        """(rows, columns) numbers from 0 up to but not including 1, of the device and kind of `like`."""
        return torch.rand((rows, columns), generator=self._on(like.device), device=like.device, dtype=like.dtype)

    def get_extra_state(self) -> Tensor:
        return self._generator.get_state() if self._state is None else self._state

    def set_extra_state(self, state: Tensor) -> None:
        self._state = state.cpu()

    def _on(self, device: torch.device) -> torch.Generator:
        if self._generator.device != device:
            self._generator = torch.Generator(device).manual_seed(self.seed)
        if self._state is not None:
            if self._state.shape == self._generator.get_state().shape:
                self._generator.set_state(self._state)
            else:
                digest = hashlib.sha256(self._state.numpy().tobytes()).digest()
                self._generator.manual_seed(self.seed + int.from_bytes(digest[:4], "little"))
            self._state = None
        return self._generator


def choose(cumulated: Tensor, uniform: Tensor) -> Tensor:
    """Draw columns with given weights: (B, C) running sums of weights and (B, R) uniform numbers -> (B, R) columns.

    By inversion: the first column whose running sum is above `uniform * total`. A row without weight gives any column.
    """
    total = cumulated[:, -1:]  # (B, 1)
    # a hair below the total, which rounding could otherwise reach
    level = uniform * total * (1 - 4 * torch.finfo(cumulated.dtype).eps)  # (B, R)
    return torch.searchsorted(cumulated, level, right=True).clamp_max_(cumulated.shape[1] - 1)

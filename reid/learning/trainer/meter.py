"""Means over the steps between two rows of the history, summed where the training computes, read once a row."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

OPTIONAL_VALUES = (
    "triplet_loss", "identity_loss", "teacher_loss", "active_share", "positive_distance", "negative_distance",
    "mean_cosine",
)  # fmt: skip
"""Values of a row that there may be none of: a loss that is left out has no mean."""
_DEVICE_VALUES = ("loss", "gradient_norm", *OPTIONAL_VALUES)
_CLOCK_VALUES = ("data_s", "compute_s")


class Meter:
    """Sums of a row's values by name."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._clocks = dict.fromkeys(_CLOCK_VALUES, 0.0)
        self.steps = 0
        """Steps since the last row."""

    def add(self, values: Mapping[str, Tensor | None], *, data_s: float, compute_s: float) -> None:
        """Take in a step; values are 0-d tensors, and nothing waits for them."""
        for name, value in values.items():
            if value is None:
                continue
            one = value.detach().double()
            self._sums[name] = self._sums[name] + one if name in self._sums else one
        self._clocks["data_s"] += data_s
        self._clocks["compute_s"] += compute_s
        self.steps += 1

    def means(self) -> dict[str, float | None]:
        """Every value of a row by name; None where nothing was measured."""
        names = [name for name in _DEVICE_VALUES if name in self._sums]
        out: dict[str, float | None] = dict.fromkeys(_DEVICE_VALUES)
        if names:  # one transfer for all of them
            totals = torch.stack([self._sums[name] for name in names]).tolist()
            out |= {name: total / self.steps for name, total in zip(names, totals, strict=True)}
        return out | {name: total / max(self.steps, 1) for name, total in self._clocks.items()}

    def finite(self) -> bool:
        """Whether every loss and gradient since the last row was finite."""
        means = self.means()
        return all(math.isfinite(means[name] or 0.0) for name in ("loss", "gradient_norm"))

    def state(self) -> dict[str, Any]:
        """For a checkpoint; clocks are not part of it."""
        return {"sums": {name: value.cpu() for name, value in self._sums.items()}, "steps": self.steps}

    def restore(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Go on from a checkpoint."""
        self._sums = {name: value.to(device) for name, value in state["sums"].items()}
        self.steps = state["steps"]

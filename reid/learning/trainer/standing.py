"""Where a training stands beside its weights: steps done, best validation, signs of a collapse."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Standing:
    """Changes with every step; part of every checkpoint."""

    step: int = 0
    """Steps done."""
    best_step: int | None = None
    """The step of the best validation."""
    best_map: float | None = None
    """Its mean average precision."""
    best_rank1: float | None = None
    """Its rank-1."""
    last_map: float | None = None
    """Mean average precision of the last validation."""
    last_rank1: float | None = None
    """Rank-1 of the last validation."""
    worse: int = 0
    """Validations since the best."""
    alarms: dict[str, int] = field(default_factory=dict)
    """The step at which each sign of a collapse that is still there began."""

    def take_validation(self, mean_average_precision: float, rank1: float) -> bool:
        """Note a validation after this step; True where it is the best so far."""
        self.last_map, self.last_rank1 = mean_average_precision, rank1
        if self.best_map is not None and mean_average_precision <= self.best_map:
            self.worse += 1
            return False
        self.best_step, self.best_map, self.best_rank1 = self.step, mean_average_precision, rank1
        self.worse = 0
        return True

    def to_plain(self) -> dict[str, Any]:
        """For a checkpoint."""
        return dataclasses.asdict(self)

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Standing:
        """From a checkpoint."""
        return cls(**{**values, "alarms": dict(values["alarms"])})

"""How far apart in time the crops of one object are kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TIME_SLACK_S = 1e-3
"""Time stamps are rounded to milliseconds in some files."""


@dataclass(slots=True)
class Spacing:
    """When the last crop was taken, and how long to wait for the next."""

    spacing_s: float
    taken_s: float = -np.inf
    count: int = 0
    """How many were taken."""

    def due(self, time_s: float) -> bool:
        """Whether it is time for another one."""
        return time_s - self.taken_s >= self.spacing_s - TIME_SLACK_S

    def take(self, time_s: float, *, dense: int) -> None:
        """One is taken; after `dense` of them, and after each further so many, they are twice as far apart."""
        self.taken_s = time_s
        self.count += 1
        if self.count % dense == 0:
            self.spacing_s *= 2

"""Pictures of one object, some time apart: what the sinks that keep crops have in common."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracker.errors import ConfigError

_SLACK_S = 1e-3  # time stamps are rounded to milliseconds in some files


@dataclass(slots=True)
class Spacing:
    """When the last picture was taken, and how long to wait for the next."""

    spacing_s: float
    taken_s: float = -np.inf
    count: int = 0

    def due(self, time_s: float) -> bool:
        """Whether it is time for another one."""
        return time_s - self.taken_s >= self.spacing_s - _SLACK_S


def check_within(name: str, value: float, low: float, high: float = np.inf) -> None:
    """Refuse an argument outside `low` to `high`.

    Raises:
        ConfigError: it is outside.
    """
    if not low <= value <= high:
        raise ConfigError(f"{name} must be {low} or more" + f" and at most {high}" * (high < np.inf) + f", got {value}")


def check_spacing(spacing_s: float) -> None:
    """Refuse a spacing that lets no time pass.

    Raises:
        ConfigError: it is not above 0.
    """
    if not spacing_s > 0:
        raise ConfigError(f"spacing_s must be more than 0, got {spacing_s}")

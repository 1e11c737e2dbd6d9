"""What the arguments of sinks must be."""

from __future__ import annotations

import math

from tracker.errors import ConfigError


def check_within(name: str, value: float, low: float, high: float = math.inf) -> None:
    """Refuse an argument outside `low` to `high`.

    Raises:
        ConfigError: it is outside.
    """
    if not low <= value <= high:
        most = f" and at most {high}" if high < math.inf else ""
        raise ConfigError(f"{name} must be {low} or more{most}, got {value}")


def check_spacing(spacing_s: float) -> None:
    """Refuse a spacing that lets no time pass.

    Raises:
        ConfigError: it is not above 0.
    """
    if not spacing_s > 0:
        raise ConfigError(f"spacing_s must be more than 0, got {spacing_s}")

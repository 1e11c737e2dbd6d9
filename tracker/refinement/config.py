"""The settings of the offline refinement."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from tracker.errors import ConfigError


@dataclass(frozen=True, slots=True)
class RefinementConfig:
    """Settings of `refine`. Times are seconds and lengths box heights, so that they hold at any rate and size."""

    link_evidence: float = 4.0
    """Evidence of motion and appearance, in nats, that joins two tracklets which the tracker held for two objects."""
    keep_evidence: float = -4.0
    """The same for two tracklets which the tracker held for one object; below, they are parted."""
    max_link_s: float = 20.0
    """Over how long an absence two objects may be linked; those that the tracker joined itself may be further apart."""
    max_gap_s: float = 2.5
    """Gaps of up to this length are filled with interpolated boxes; 0 fills none."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
                raise ConfigError(f"refinement.{field.name} must be a finite number, got {value!r}")
        for name in ("max_link_s", "max_gap_s"):
            if getattr(self, name) < 0:
                raise ConfigError(f"refinement.{name} must be 0 or more, got {getattr(self, name)}")

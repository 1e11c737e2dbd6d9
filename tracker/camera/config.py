"""Settings of the estimate of camera motion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from tracker.errors import ConfigError

CameraMode: TypeAlias = Literal["auto", "on", "off"]
"""Whether a pipeline estimates camera motion."""


@dataclass(frozen=True, slots=True)
class CameraMotionConfig:
    """How the motion of the camera is estimated. Lengths are shares of the picture, so that they hold at any size.

    Raises:
        ConfigError: a value is out of its range.
    """

    work_size_px: int = 320
    """Longer side of the picture that is worked on; larger pictures are reduced to it, smaller ones kept."""
    still_share: float = 0.001
    """The camera counts as standing where no corner of the picture moves by more than this share of its longer side."""
    min_support: float = 0.5
    """Share of the points outside the boxes that must agree on one motion; else none is reported."""

    def __post_init__(self) -> None:
        if not isinstance(self.work_size_px, int | np.integer) or self.work_size_px < 64:
            raise ConfigError(f"work_size_px must be a whole number of at least 64, got {self.work_size_px!r}")
        if not 0 < self.still_share < 0.1:
            raise ConfigError(f"still_share must be between 0 and 0.1, got {self.still_share}")
        if not 0 < self.min_support < 1:
            raise ConfigError(f"min_support must be between 0 and 1, got {self.min_support}")

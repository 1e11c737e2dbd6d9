"""Settings of the motion detector."""

from __future__ import annotations

from dataclasses import dataclass

from tracker.errors import ConfigError


@dataclass(frozen=True, slots=True)
class MotionDetectorConfig:
    """Background subtraction for a camera that stands still.

    Raises:
        ConfigError: a value is out of its range.
    """

    work_size_px: int = 480
    """Longer side of the picture that is worked on; larger pictures are reduced to it, smaller ones kept."""
    contrast: float = 14.0
    """How far a pixel must differ from the background, in grey levels of any colour channel; noise raises it."""
    min_area_share: float = 0.0008
    """Smallest object, as a share of the picture's area."""
    learn_s: float = 8.0
    """How fast the background follows slow changes: time constant in seconds."""
    absorb_s: float = 25.0
    """Something that stands still for so long becomes background, in seconds."""
    shadows: bool = True
    """Whether cast shadows are removed."""
    split: bool = True
    """Whether people who touch in the picture are told apart by what they looked like before."""

    def __post_init__(self) -> None:
        if self.work_size_px < 64:
            raise ConfigError(f"work_size_px must be at least 64, got {self.work_size_px}")
        if not 1 <= self.contrast <= 128:
            raise ConfigError(f"contrast must be within 1..128 grey levels, got {self.contrast}")
        if not 0 < self.min_area_share < 1:
            raise ConfigError(f"min_area_share must be between 0 and 1, got {self.min_area_share}")
        for name in ("learn_s", "absorb_s"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} must be above 0, got {getattr(self, name)}")

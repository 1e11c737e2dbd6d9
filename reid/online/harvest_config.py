"""What is worth harvesting."""

from __future__ import annotations

from dataclasses import dataclass, field

from reid.errors import InputError
from reid.online.jumps import JumpConfig
from reid.tracklets import CutConfig


@dataclass(frozen=True, slots=True)
class HarvestConfig:
    """Which crops are harvested, and where tracks are cut into pieces of one object."""

    spacing_s: float = 0.5
    """Seconds between two crops of a piece of track at first; never less."""
    dense: int = 32
    """Crops at that spacing; each further so many are twice as far apart: who sits there for hours gives few."""
    least_score: float = 0.5
    """Lowest score of a box."""
    least_height_px: int = 48
    """Lowest height of a box."""
    least_sharpness: float = 0.012
    """Lowest sharpness of a crop, see `reid.online.sharpness`; 0 takes all."""
    most_covered: float = 0.3
    """Largest share of a box inside another one."""
    border_px: int = 2
    """How far a box must stay from the border of the picture: who stands in it is cut off by it."""
    least_age_s: float = 0.5
    """How long a track must have been seen."""
    most_side_px: int = 384
    """Crops with a longer side are made smaller: no embedder looks at more."""
    queue_mb: int = 64
    """Megabytes of crops that may wait to be written; beyond, crops are dropped."""
    retry_s: float = 60.0
    """Seconds after which harvesting is tried again when the disk failed."""
    cut: CutConfig = field(default_factory=CutConfig)
    """Where tracks are cut, and which boxes prove that two objects are two."""
    jumps: JumpConfig = field(default_factory=JumpConfig)
    """Where tracks are cut because they jump."""

    def __post_init__(self) -> None:
        for name, value, least in (
            ("dense", self.dense, 1),
            ("least_height_px", self.least_height_px, 1),
            ("least_sharpness", self.least_sharpness, 0),
            ("border_px", self.border_px, 0),
            ("least_age_s", self.least_age_s, 0),
            ("most_side_px", self.most_side_px, 16),
            ("queue_mb", self.queue_mb, 1),
            ("retry_s", self.retry_s, 0),
        ):
            if not value >= least:
                raise InputError(f"{name} must be {least} or more, got {value}")
        if not self.spacing_s > 0:
            raise InputError(f"spacing_s must be more than 0, got {self.spacing_s}")
        for name, share in (("least_score", self.least_score), ("most_covered", self.most_covered)):
            if not 0 <= share <= 1:
                raise InputError(f"{name} must be within 0..1, got {share}")

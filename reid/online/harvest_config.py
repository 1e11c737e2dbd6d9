"""What is worth harvesting."""

from __future__ import annotations

from dataclasses import dataclass, field

from reid.checks import check_number, check_whole
from reid.online.jumps import JumpConfig
from reid.tracklets import CutConfig


@dataclass(frozen=True, slots=True)
class HarvestConfig:
    """Which crops are harvested, and where tracks are cut into pieces of one object."""

    spacing_s: float = 0.5
    """Seconds between two crops of a track at first; never less."""
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
        for name, least in (
            ("dense", 1), ("least_height_px", 1), ("border_px", 0), ("most_side_px", 16), ("queue_mb", 1)
        ):  # fmt: skip
            check_whole(name, getattr(self, name), least)
        check_number("spacing_s", self.spacing_s, above=0, finite=False)
        for name in ("least_sharpness", "least_age_s", "retry_s"):
            check_number(name, getattr(self, name), least=0, finite=False)
        for name in ("least_score", "most_covered"):
            check_number(name, getattr(self, name), least=0, most=1)

"""How much of what a detector gave is recorded, so that another embedder can be tried on it."""

from __future__ import annotations

from dataclasses import dataclass

from reid.checks import check_number, check_whole


@dataclass(frozen=True, slots=True)
class BurstConfig:
    """When bursts are recorded, and how many are kept."""

    first_s: float = 30.0
    """Seconds after the beginning of a source from which on the first burst is recorded, once two objects are seen:
    who is alone is taken for nobody else."""
    every_s: float = 600.0
    """Seconds from the beginning of a burst to that of the next one at least."""
    length_s: float = 30.0
    """Seconds of a burst."""
    least_s: float = 5.0
    """Seconds that a burst must have to be kept. It ends early with its source, where it grows too large, and where
    the disk is slower than crops come: it has every frame up to its end, or it would not be what a tracker saw."""
    bursts: int = 8
    """Bursts of a camera that are kept, the latest."""
    burst_mb: int = 50
    """Megabytes of crops in a burst."""
    most_mb: int = 400
    """Megabytes of the bursts of all cameras. Beyond it the oldest one of the camera that has most goes.
    Where some cannot be deleted, the others may take a quarter of it all the same."""
    most_side_px: int = 256
    """Crops with a longer side are made smaller."""
    jpeg_quality: int = 90
    """Quality of the crops, 1..100."""
    queue_mb: int = 64
    """Megabytes of crops that may wait to be compressed."""

    def __post_init__(self) -> None:
        for name, least in (("bursts", 1), ("burst_mb", 1), ("most_mb", 1), ("most_side_px", 16), ("queue_mb", 1)):
            check_whole(name, getattr(self, name), least)
        check_whole("jpeg_quality", self.jpeg_quality, 1, 100)
        for name in ("first_s", "least_s"):
            check_number(name, getattr(self, name), least=0)
        for name in ("every_s", "length_s"):
            check_number(name, getattr(self, name), above=0)

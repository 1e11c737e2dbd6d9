"""What is taken from a data set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reid.checks import check_number, check_whole
from reid.data.crops import DEFAULT_CACHE_MB


@dataclass(frozen=True, slots=True)
class DataConfig:
    """Which crops of a data set are taken. What does not concern its kind has no effect."""

    part: Literal["train", "query", "gallery"] = "train"
    """Of a Market-1501-style data set: the pictures to train on, the queries, or the gallery."""
    distractors: bool = False
    """Of a Market-1501-style gallery: also take the pictures of number 0000, which show nobody in particular; each
    counts as somebody of its own."""
    cameras_in_names: bool = True
    """Of a folder an identity: where all names of pictures have a camera as Market-1501's do, such as
    `0002_c1s1_000451_03.jpg`, read it; what is to be found then are pictures by another camera."""
    tracks: Path | None = None
    """Of a video or MOT sequence: a tracker's own output as MOT text, to be used in place of ground truth."""
    least_height_px: int = 48
    """Lower boxes of MOT sequences and lower crops of tracklets are left out."""
    least_width_px: int = 16
    """Narrower ones are left out."""
    least_visibility: float = 0.4
    """Boxes of MOT sequences and tracklets of which a smaller share is to be seen are left out. Where the data does not
    say, it is the share that no box nearer to the camera covers."""
    most_crops: int | None = 64
    """Crops an identity or tracklet, spread evenly over its time; none for all. For MOT sequences and tracklets."""
    licence: str | None = None
    """Under which the data may be used, for the model's card; none for the first line of a file LICENSE or LICENCE in
    the folder."""
    cache_mb: int = DEFAULT_CACHE_MB
    """Memory for decoded pictures, in MiB."""

    def __post_init__(self) -> None:
        for name, least in (("least_height_px", 1), ("least_width_px", 1), ("cache_mb", 0)):
            check_whole(name, getattr(self, name), least)
        check_number("least_visibility", self.least_visibility, least=0, most=1)
        if self.most_crops is not None:
            check_whole("most_crops", self.most_crops, 1)

"""The settings of `reidtrack train`: the root of `configs/train.yaml`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from reid.data import DataConfig
from reid.data.market import PARTS
from reid.learning.trainer import TrainConfig
from tracker.cli.schema import argument, flag_only, part_of


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings(TrainConfig):
    """Settings of `reidtrack train`."""

    source: Path = field(metadata=argument("DATA"))
    """What to learn from: a folder an identity, Market-1501-style pictures, MOT sequences or a tracklet store."""
    out: Path = field(default=Path("model.onnx"), metadata=flag_only("FILE"))
    """The model file to write; checkpoints, history and curves go to a folder beside it, model.train."""
    validate_on: Path | None = field(default=None, metadata=flag_only("DATA"))
    """Other data to validate on; pictures of DATA in it are left out. Of a whole Market-1501-style data set its
    gallery. Without it some identities of DATA are held out."""
    resume: bool = field(default=False, metadata=flag_only())
    """Go on where a training that was stopped or killed left off; give everything else as before."""
    overwrite: bool = field(default=False, metadata=flag_only())
    """Replace the model and the training that are there already."""
    kind: Literal["auto", "folders", "market", "mot", "tracklets"] = "auto"
    """What kind of data it is; `auto` looks."""
    data: DataConfig = field(default_factory=DataConfig)
    """What is taken from the data."""

    def __post_init__(self) -> None:
        TrainConfig.__post_init__(self)
        if self.resume and self.overwrite:
            raise ValueError("resume and overwrite cannot both be given: one keeps what is there, one replaces it")

    @property
    def config(self) -> TrainConfig:
        """What the library is told; the data is called by its folder's name where nobody named it."""
        config = part_of(self, TrainConfig)
        name = self.card.data or self.source.resolve().name
        return dataclasses.replace(config, card=dataclasses.replace(self.card, data=name))

    @property
    def held_out_data(self) -> DataConfig:
        """What is taken from `validate_on`: of a data set with a part for testing, that one."""
        whole = self.validate_on is not None and (self.validate_on / PARTS["gallery"]).is_dir()
        return dataclasses.replace(self.data, part="gallery") if whole else self.data

"""The foreign start: an embedder that has seen animals only, trained by the project's own trainer."""

from __future__ import annotations

from pathlib import Path

from reid.data import open_crops
from reid.learning.model_config import ModelConfig
from reid.learning.trainer import CardConfig, TrainConfig, TrainProgress, ValidationConfig, train

EPOCHS = 30
ANIMALS = Path("reid") / "Nyala_Data_Zero" / "train"


def foreign_config(epochs: int = EPOCHS) -> TrainConfig:
    """The defaults of `reidtrack train` for crops of people's shape, for fewer epochs and by one thread."""
    return TrainConfig(
        epochs=epochs,
        seed=1,
        device="cpu",
        threads=1,
        model=ModelConfig(backbone="small", height_px=128, width_px=64, dimension=128),
        validation=ValidationConfig(every=10, keep="last"),
        card=CardConfig(name="foreign", data="animals"),
    )


def train_foreign(data: Path, out: Path, epochs: int = EPOCHS) -> Path:
    """Train it, or go on where an earlier call was stopped; `out` where it is there already."""
    if not out.is_file():
        train(foreign_config(epochs), open_crops(data / ANIMALS), None, out, existing="resume", progress=_say)
    return out


def _say(row: TrainProgress) -> None:
    if row.validation_map is not None:
        print(f"foreign start: step {row.step}/{row.steps}, mAP on unseen animals {row.validation_map:.3f}", flush=True)

"""Training an embedder: from crops to a model file with a card, resumable at every moment.

Importing this does not import torch; `train` does.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from reid.errors import MissingExtraError
from reid.learning.trainer.config import (
    AlarmConfig,
    CardConfig,
    OptimizerConfig,
    TrainConfig,
    ValidationConfig,
)
from reid.learning.trainer.history import read_history
from reid.learning.trainer.loss_config import LossConfig
from reid.learning.trainer.progress import ProgressCallback, TrainProgress, TrainResult

if TYPE_CHECKING:
    from reid.data import Crops
    from reid.learning.trainer.teacher import Teacher
    from reid.learning.trainer.training import MakeObjective

__all__ = [
    "AlarmConfig",
    "CardConfig",
    "LossConfig",
    "OptimizerConfig",
    "TrainConfig",
    "TrainProgress",
    "TrainResult",
    "ValidationConfig",
    "read_history",
    "train",
]


def _quiet(_row: TrainProgress) -> None:
    """Nobody listens."""


def _never() -> bool:
    return False


def train(
    config: TrainConfig,
    crops: Crops,
    validation: Crops | None,
    out: str | Path,
    *,
    progress: ProgressCallback = _quiet,
    stop: Callable[[], bool] = _never,
    existing: Literal["refuse", "resume", "replace"] = "refuse",
    make_objective: MakeObjective | None = None,
    teacher: Teacher | None = None,
) -> TrainResult:
    """Train a network on `crops` and write it to `out` as ONNX with its card.

    Everything else is written to a folder beside it, `model.train` for `model.onnx`: `checkpoint.pt` at every epoch
    and when it is told to stop, `best.pt`, `history.csv` and `curves.png`. The same settings, data and seed give the
    same losses on the same machine's CPU, whether or not the run was ever killed and resumed. Torch's own generator is
    left as it was.

    Started by torchrun, all processes call this alike; each trains on its part of every batch, and the first one
    writes.

    Args:
        config: the settings.
        crops: what to learn from. Tracklets are learned from by what is known of each pair; identities only where all
            of them are labels.
        validation: held-out crops of other identities, and of other pictures: those that are in `crops`, too, are left
            out with a warning. None holds out `config.validation.share` of those in `crops`.
        out: the model file to write.
        progress: is called with every row of the history, and at every validation.
        stop: is asked after every step, of several processes with every row of the history; True writes a checkpoint
            and ends.
        existing: what to do where the folder holds a training already: refuse, resume it (or begin, where there is no
            checkpoint yet), or replace it.
        make_objective: `(model, number of identities or None) -> Objective`, for other losses than those of the
            settings.
        teacher: rows (n,) of `crops` -> (n, E) vectors of another embedder, NaN where it says nothing, in the place of
            the model that `config.loss.teacher` names: for vectors that are known already, or of some crops alone.

    Raises:
        InputError: settings that cannot work together or with this data, more than a tenth of `validation` in `crops`,
            or a training that is there already.
        ModelError: a checkpoint or a file of weights that cannot be used, or an export that proved wrong.
        DataError: a picture that cannot be read.
        CollapseError: the training learned nothing; the message says what to change.
        DeviceError: a device that cannot be used.
        MissingExtraError: a package that is needed and not installed.
    """
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("torch", "train", "training") from error
    from reid.learning.trainer.running import run_training

    return run_training(
        config,
        crops,
        validation,
        Path(out),
        progress=progress,
        stop=stop,
        existing=existing,
        make_objective=make_objective,
        teacher=teacher,
    )

"""The history for TensorBoard, where the extra [tensorboard] is installed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from reid.errors import MissingExtraError
from reid.learning.trainer.history import Recorder
from reid.learning.trainer.progress import TrainProgress

_NOT_CURVES = ("step", "steps")


class TensorboardFolder(Recorder):
    """A folder that `tensorboard --logdir` reads.

    Args:
        folder: where to write.
        after_step: rows up to this step were written by the run that this one goes on with; later ones are dropped.

    Raises:
        MissingExtraError: tensorboard is not installed.
    """

    def __init__(self, folder: Path, *, after_step: int = 0) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingExtraError("tensorboard", "tensorboard", "writing for TensorBoard") from error
        self._writer = SummaryWriter(str(folder), purge_step=after_step + 1)

    def add(self, row: TrainProgress) -> None:
        """A point on each curve that has a value."""
        for name, value in dataclasses.asdict(row).items():
            if value is not None and name not in _NOT_CURVES:
                self._writer.add_scalar(f"{_group(name)}/{name}", value, row.step)

    def close(self) -> None:
        """Write what is still in memory."""
        self._writer.close()


def _group(name: str) -> str:
    if name.startswith("validation"):
        return "validation"
    return "time" if name.endswith("_s") else "training"

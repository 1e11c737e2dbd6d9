"""Where a training keeps its files: a folder beside the model that comes of it."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from reid.errors import InputError
from reid.learning.trainer.checkpoint import load_checkpoint
from reid.learning.trainer.distributed import Processes

Existing = Literal["refuse", "resume", "replace"]
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Folder:
    """The files of one training."""

    path: Path
    """The folder."""

    @classmethod
    def beside(cls, model: Path) -> Folder:
        """`out/model.onnx` has its training in `out/model.train`."""
        return cls(model.with_suffix(".train"))

    @property
    def checkpoint(self) -> Path:
        """Everything to go on from."""
        return self.path / "checkpoint.pt"

    @property
    def best(self) -> Path:
        """The weights of the best validation."""
        return self.path / "best.pt"

    @property
    def history(self) -> Path:
        """A row every few steps."""
        return self.path / "history.csv"

    @property
    def curves(self) -> Path:
        """The history as a picture."""
        return self.path / "curves.png"

    @property
    def tensorboard(self) -> Path:
        """What TensorBoard reads."""
        return self.path / "tensorboard"

    def prepare(self, existing: Existing, processes: Processes) -> dict[str, Any] | None:
        """Make the folder; gives the checkpoint to go on from, None to begin.

        Raises:
            InputError: there is a training already, and it is to be refused.
            ModelError: its checkpoint is to be resumed and cannot be read.
            OSError: the folder cannot be made.
        """
        if existing == "refuse" and self.checkpoint.exists():
            raise InputError(f"{self.path} holds a training already: resume it, replace it, or write to another file")
        processes.wait()  # before the first one changes what the others look at
        if processes.first:
            self.path.mkdir(parents=True, exist_ok=True)
        processes.wait()
        if existing == "resume":
            if self.checkpoint.exists():
                return load_checkpoint(self.checkpoint)
            _logger.warning("%s holds no training to resume: a new one begins", self.path)
        return None

    def clear(self) -> None:
        """Delete what an earlier training wrote, and nothing else that may be in the folder.

        Only when the new training is ready to begin: it may start from the weights of the old one, or be refused.
        """
        for path in (self.checkpoint, self.best, self.history, self.curves):
            path.unlink(missing_ok=True)
        shutil.rmtree(self.tensorboard, ignore_errors=True)

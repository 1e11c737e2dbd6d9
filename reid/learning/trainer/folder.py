"""Where a training keeps its files: a folder beside the model that comes of it."""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import filelock
import torch

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

    @contextlib.contextmanager
    def locked(self, processes: Processes, device: torch.device) -> Iterator[None]:
        """Make the folder and keep other trainings out of it; the system frees it whatever becomes of this one.

        Raises:
            InputError: another process trains into it.
            OSError: the folder cannot be made.
        """
        lock, taken = filelock.FileLock(self.path / "lock"), False
        if processes.first:
            self.path.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(blocking=False)
            except filelock.Timeout:
                taken = True
        try:
            if processes.any(taken, device):  # all processes of this training are told, and end alike
                raise InputError(
                    f"{self.path} is in use by another training that runs now: wait for its end or stop it, or write "
                    "to another file"
                )
            yield
        finally:
            lock.release()

    def prepare(self, existing: Existing) -> dict[str, Any] | None:
        """The checkpoint to go on from, None to begin.

        Raises:
            InputError: there is a training already, and it is to be refused.
            ModelError: its checkpoint is to be resumed and cannot be read.
        """
        if existing == "refuse" and self.checkpoint.exists():
            raise InputError(f"{self.path} holds a training already: resume it, replace it, or write to another file")
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

"""Hands every row of the history to whoever wants it."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from reid.learning.trainer.curves import CurvesFile
from reid.learning.trainer.folder import Folder
from reid.learning.trainer.history import CsvHistory, Recorder
from reid.learning.trainer.progress import ProgressCallback, TrainProgress


class Recording:
    """The files of a history, and the caller's callback. Use as a context manager.

    Args:
        folder: where the files go.
        rows: the history so far, of a run that is resumed; more rows are added to it.
        progress: is called with every row.
        tensorboard: whether to write for TensorBoard too.
        first: whether this process writes and reports at all.

    Raises:
        MissingExtraError: tensorboard is wanted and not installed.
    """

    def __init__(
        self,
        folder: Folder,
        rows: Sequence[TrainProgress],
        progress: ProgressCallback,
        *,
        tensorboard: bool,
        first: bool,
    ) -> None:
        self.rows = list(rows)
        """The history."""
        self._progress = progress
        self._first = first
        self._recorders: list[Recorder] = []
        if not first:
            return
        if tensorboard:
            from reid.learning.trainer.tensorboard import TensorboardFolder

            last = self.rows[-1].step if self.rows else 0
            self._recorders.append(TensorboardFolder(folder.tensorboard, after_step=last))
        self._recorders += [CsvHistory(folder.history, self.rows), CurvesFile(folder.curves, self.rows)]

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for recorder in self._recorders:
            recorder.close()

    def add(self, row: TrainProgress) -> None:
        """One more row."""
        self.rows.append(row)
        for recorder in self._recorders:
            recorder.add(row)
        if self._first:
            self._progress(row)

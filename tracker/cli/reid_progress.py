"""How long work on many crops is going: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from tracker.cli.context import Context

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_LINE_EVERY_S = 5.0


class WorkProgress:
    """Shows stages of work, one after another. Use as a context manager, and call with every step.

    Args:
        context: says how much to say.
        unit: what is counted, for plain lines.
    """

    def __init__(self, context: Context, unit: str) -> None:
        self._context = context
        self._unit = unit
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._stage = ""
        self._next_s = time.monotonic() + _LINE_EVERY_S

    def __enter__(self) -> WorkProgress:
        if not self._context.quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (BarColumn(bar_width=30), MofNCompleteColumn(), TextColumn("{task.description}"))
            self._bar = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """`done` of `total` steps of a stage are done."""
        if self._bar is not None:
            if stage != self._stage or self._task is None:
                if self._task is not None:
                    self._bar.remove_task(self._task)
                self._task = self._bar.add_task(stage, total=total)
            self._bar.update(self._task, completed=done)
        elif time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + _LINE_EVERY_S
            self._context.say(f"{stage}: {done}/{total} {self._unit}")
        self._stage = stage

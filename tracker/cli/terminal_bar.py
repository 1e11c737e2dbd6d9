"""A progress bar where a person watches: on a terminal, unless all is to be quiet."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING

from tracker.cli.context import Context

if TYPE_CHECKING:
    from typing import Self

    from rich.progress import Progress, TaskID


class TerminalBar:
    """Base of what shows steps of work. Use as a context manager: the bar is there between entering and leaving.

    Args:
        context: says how much to say.
        time_left: whether the bar shows an estimate of its own.
    """

    def __init__(self, context: Context, *, time_left: bool) -> None:
        self._context = context
        self._time_left = time_left
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        if not self._context.quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (BarColumn(bar_width=30), MofNCompleteColumn(), TextColumn("{task.description}"))
            last = (TimeRemainingColumn(),) if self._time_left else ()
            self._bar = Progress(*columns, *last, console=Console(stderr=True), transient=True)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

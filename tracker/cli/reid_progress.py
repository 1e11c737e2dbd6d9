"""How long work on many crops is going: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import time

from tracker.cli.context import Context
from tracker.cli.terminal_bar import TerminalBar

_LINE_EVERY_S = 5.0


class WorkProgress(TerminalBar):
    """Shows stages of work, one after another. Use as a context manager, and call with every step.

    Args:
        context: says how much to say.
        unit: what is counted, for plain lines.
    """

    def __init__(self, context: Context, unit: str) -> None:
        super().__init__(context, time_left=True)
        self._unit = unit
        self._stage = ""
        self._next_s = time.monotonic() + _LINE_EVERY_S

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

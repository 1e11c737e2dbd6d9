"""How a training is going: a bar on a terminal, a line now and then elsewhere, and a line at every validation."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tracker.cli.context import Context
from tracker.cli.terminal_bar import TerminalBar

if TYPE_CHECKING:
    from reid.learning.trainer import TrainProgress

_LINE_EVERY_S = 10.0


class TrainDisplay(TerminalBar):
    """Shows rows of the history. Use as a context manager, and call with every row."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, time_left=False)
        self._next_s = time.monotonic()
        self._began: tuple[float, int] | None = None

    def __call__(self, row: TrainProgress) -> None:
        """Show a row, if it is time."""
        now_s = time.monotonic()
        self._began = self._began or (now_s, row.step)
        if self._bar is not None:
            if self._task is None:
                self._task = self._bar.add_task("", total=row.steps)
            self._bar.update(self._task, completed=row.step, description=describe_row(row) + self._left(row, now_s))
        if row.validation_map is not None or (self._bar is None and now_s >= self._next_s):
            self._next_s = now_s + _LINE_EVERY_S
            self._context.say(f"step {row.step}/{row.steps}: {describe_row(row)}{self._left(row, now_s)}")

    def _left(self, row: TrainProgress, now_s: float) -> str:
        then_s, then = self._began or (now_s, row.step)
        if row.step <= then or row.step >= row.steps:
            return ""
        left_s = round((now_s - then_s) / (row.step - then) * (row.steps - row.step))
        return f", {left_s // 60}:{left_s % 60:02} left"


def describe_row(row: TrainProgress) -> str:
    """A row of the history as one line."""
    losses = [f"{name} {value:.3f}" for name, value in _parts(row) if value is not None]
    parts = [f"loss {row.loss:.3f}" + f" ({', '.join(losses)})" * (len(losses) > 1)]
    if row.active_share is not None:
        parts.append(f"{row.active_share:.0%} of triplets active")
    parts.append(f"{row.compute_s:.2f} s a step, {row.data_s:.2f} s for data")
    if row.validation_map is not None and row.validation_rank1 is not None:
        parts.append(f"held out: mAP {row.validation_map:.3f}, rank-1 {row.validation_rank1:.3f}")
    return ", ".join(parts)


def _parts(row: TrainProgress) -> tuple[tuple[str, float | None], ...]:
    return (("triplets", row.triplet_loss), ("identities", row.identity_loss), ("teacher", row.teacher_loss))

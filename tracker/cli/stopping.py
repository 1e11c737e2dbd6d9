"""Ctrl-C and SIGTERM while something learns: the step that is under way is finished first."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from tracker.cli.context import Context


class Request:
    """Whether somebody asked to stop."""

    def __init__(self) -> None:
        self._made = False

    def make(self) -> None:
        """Ask."""
        self._made = True

    def made(self) -> bool:
        """Asked after every step."""
        return self._made


@contextmanager
def stop_when_asked(context: Context) -> Iterator[Request]:
    """Ctrl-C and SIGTERM end the training after the step that is under way; a second time, at once."""
    request = Request()

    def ask(_number: int, _frame: FrameType | None) -> None:
        if request.made():
            raise KeyboardInterrupt
        request.make()
        context.say("reidtrack: stopping after this step; once more to stop at once")

    try:
        before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # called from another thread, by a program that uses main() as a function
        yield request
        return
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""How a run is going: a bar on a terminal, a plain line every few seconds elsewhere, nothing when quiet."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from tracker.cli.context import Context
from tracker.counting import EmbeddedCount, IdentityCount, MatchCount
from tracker.types import FrameResult, SourceInfo

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_LINE_EVERY_S = 5.0
_BAR_EVERY_S = 0.1
_RATE_OVER_S = 3.0


class RunProgress:
    """Counts results and shows them. Use as a context manager around a run, and call with every result."""

    def __init__(self, source: SourceInfo, context: Context) -> None:
        self.frames = 0
        self.matches = MatchCount()
        self.embedded = EmbeddedCount()
        self.more: Callable[[], str] | None = None
        """Says what else there is to show."""
        self._identities = IdentityCount()
        self._source = source
        self._display = _display(source, context)
        self._arrivals: deque[tuple[float, int]] = deque()
        self._began_s = time.monotonic()

    @property
    def identities(self) -> int:
        """Different numbers under which objects were reported."""
        return self._identities.total

    @property
    def elapsed_s(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._began_s

    def __enter__(self) -> RunProgress:
        self._began_s = time.monotonic()
        self._arrivals.append((self._began_s, 0))
        self._display.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._display.stop()

    def __call__(self, result: FrameResult) -> None:
        """Count one result."""
        self.frames += 1
        self._identities.update(result.tracks)
        self.matches.update(result.tracks)
        self.embedded.update(result.tracks)
        now_s = time.monotonic()
        if self._display.due(now_s):
            text = self._describe(now_s, len(result.tracks))
            self._display.show(now_s, self.frames, text if self.more is None else f"{text}; {self.more()}")

    def _describe(self, now_s: float, objects: int) -> str:
        text = f"{counted(objects, 'object')}, {counted(self.identities, 'identity')}"
        if self.embedded.embedded:
            text += f", {self.embedded.share:.0%} embedded"
        rate_hz = self._rate(now_s)
        if rate_hz is None:
            return text
        text = f"{rate_hz:.1f} frames/s, {text}"
        total = self._source.frames
        if total is None or total < self.frames:
            return text
        return f"{text}, {_duration((total - self.frames) / rate_hz)} left"

    def _rate(self, now_s: float) -> float | None:
        """Frames a second over the last seconds, None before there are two moments to compare."""
        self._arrivals.append((now_s, self.frames))
        while len(self._arrivals) > 2 and now_s - self._arrivals[0][0] > _RATE_OVER_S:
            self._arrivals.popleft()
        then_s, then_frames = self._arrivals[0]
        return (self.frames - then_frames) / (now_s - then_s) if now_s > then_s else None


class _Display(Protocol):
    def start(self) -> None: ...
    def due(self, now_s: float) -> bool: ...
    def show(self, now_s: float, frames: int, text: str) -> None: ...
    def stop(self) -> None: ...


class _Nothing:
    def start(self) -> None:
        """Nothing to start."""

    def due(self, now_s: float) -> bool:  # noqa: ARG002 the same call as the others
        return False

    def show(self, now_s: float, frames: int, text: str) -> None:
        """Nothing to show."""

    def stop(self) -> None:
        """Nothing to stop."""


class _Lines:
    """For logs and pipes: one line now and then."""

    def __init__(self, total: int | None, context: Context) -> None:
        self._total = total
        self._context = context
        self._next_s = time.monotonic() + _LINE_EVERY_S

    def start(self) -> None:
        """The first line comes after a while."""

    def due(self, now_s: float) -> bool:
        return now_s >= self._next_s

    def show(self, now_s: float, frames: int, text: str) -> None:
        self._next_s = now_s + _LINE_EVERY_S
        of = f"/{self._total}" if self._total is not None else ""
        self._context.say(f"frame {frames}{of}: {text}")

    def stop(self) -> None:
        """Lines need no end."""


class _Bar:
    """For terminals."""

    def __init__(self, total: int | None) -> None:
        self._total = total
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._next_s = 0.0

    def start(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        columns = (BarColumn(bar_width=30), MofNCompleteColumn(), TextColumn("{task.description}"))
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._progress.add_task("", total=self._total)
        self._progress.start()

    def due(self, now_s: float) -> bool:
        return now_s >= self._next_s

    def show(self, now_s: float, frames: int, text: str) -> None:
        self._next_s = now_s + _BAR_EVERY_S
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=frames, description=text)

    def stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()


def _display(source: SourceInfo, context: Context) -> _Display:
    if context.quiet:
        return _Nothing()
    if sys.stderr.isatty():
        return _Bar(source.frames)
    return _Lines(source.frames, context)


def counted(number: int, noun: str) -> str:
    """`1 object`, `2 objects`, `2 identities`."""
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{number} {noun if number == 1 else plural}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"

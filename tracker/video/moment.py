"""Where in a source to begin and to end: the grammar of `--start` and `--end`.

    300             the frame of that number, from 1
    12.5s  90s      seconds since the source began
    1:30  1:02:03.5 [hours:]minutes:seconds since the source began

Frame numbers are inclusive at both ends (`start=1, end=10` are ten frames); of times, the start is inclusive and the
end is not, so that consecutive spans share no frame.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tracker.errors import ConfigError

_SECONDS = re.compile(r"(\d+(?:\.\d*)?|\.\d+)s")
_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d{1,2}(?:\.\d*)?)")
_GRAMMAR = "a frame number such as 300, seconds such as 12.5s, or a time such as 1:30 or 1:02:03.5"


@dataclass(frozen=True, slots=True)
class Moment:
    """A frame number or a time; the other one is None."""

    frame: int | None = None
    """The source's frame number, from 1."""
    time_s: float | None = None
    """Seconds since the source began."""

    @classmethod
    def parse(cls, text: str, name: str = "moment") -> Moment:
        """Read the grammar above.

        Args:
            text: what the user wrote.
            name: how messages call it, `start` or `end`.

        Raises:
            ConfigError: it is none of the forms.
        """
        text = text.strip()
        if re.fullmatch(r"\d+", text):
            if int(text) == 0:
                raise ConfigError(f"{name} must be a frame number from 1, got 0 (the beginning in seconds is 0s)")
            return cls(frame=int(text))
        if match := _SECONDS.fullmatch(text):
            return cls(time_s=float(match[1]))
        if (match := _CLOCK.fullmatch(text)) and float(match[3]) < 60 and (match[1] is None or int(match[2]) < 60):
            return cls(time_s=3600 * int(match[1] or 0) + 60 * int(match[2]) + float(match[3]))
        hint = f"; seconds are written {text}s" if re.fullmatch(r"\d*\.\d+|\d+\.", text) else ""
        raise ConfigError(f"{name} must be {_GRAMMAR}, got {text!r}{hint}")

    def __str__(self) -> str:
        return f"frame {self.frame}" if self.frame is not None else f"{self.time_s:g} s"


@dataclass(frozen=True, slots=True)
class Span:
    """The part of a source between two moments; None is its beginning or its end."""

    start: Moment | None = None
    end: Moment | None = None

    def __post_init__(self) -> None:
        a, b = self.start, self.end
        if a is None or b is None:
            return
        frames_crossed = a.frame is not None and b.frame is not None and a.frame > b.frame
        times_crossed = a.time_s is not None and b.time_s is not None and a.time_s >= b.time_s
        if frames_crossed or times_crossed:
            raise ConfigError(f"end must come after start, got start {a} and end {b}")

    @classmethod
    def parse(cls, start: str | None, end: str | None) -> Span:
        """From the two options as the user wrote them; None where one was not given."""
        return cls(
            None if start is None else Moment.parse(start, "start"), None if end is None else Moment.parse(end, "end")
        )

    def before(self, index: int, time_s: float) -> bool:
        """Whether this frame comes before the span."""
        if self.start is None:
            return False
        if self.start.frame is not None:
            return index < self.start.frame
        return time_s < (self.start.time_s or 0.0) - _SLACK_S

    def after(self, index: int, time_s: float) -> bool:
        """Whether this frame comes after the span."""
        if self.end is None:
            return False
        if self.end.frame is not None:
            return index > self.end.frame
        return time_s >= (self.end.time_s or 0.0) - _SLACK_S

    def count(self, frames: int | None, rate_hz: float | None) -> int | None:
        """How many of a source's `frames` lie in the span, None where that cannot be said."""
        first = self._frame(self.start, rate_hz, 1)
        last = self._frame(self.end, rate_hz, frames, end=True)
        if frames is not None and last is not None:
            last = min(last, frames)
        return None if first is None or last is None else max(0, last - first + 1)

    @staticmethod
    def _frame(moment: Moment | None, rate_hz: float | None, default: int | None, *, end: bool = False) -> int | None:
        if moment is None:
            return default
        if moment.frame is not None:
            return moment.frame
        if rate_hz is None:
            return None
        assert moment.time_s is not None
        # frame k of a constant rate is at (k - 1) / rate: the first one at or after the time, or the last one before it
        at_or_after = int(-(-(moment.time_s - _SLACK_S) * rate_hz // 1)) + 1
        return at_or_after - 1 if end else max(1, at_or_after)


# Container clocks tick in 1/90000 s (MPEG) to 1/1000 s (Matroska): a stamp may be rounded by up to half a millisecond.
_SLACK_S = 0.5e-3

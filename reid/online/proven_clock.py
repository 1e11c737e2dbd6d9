"""The time by which things are too old: a machine may start with any, and have it set right a while later."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from reid.errors import DataError
from reid.online.files import read_json, write_json
from reid.online.hours import DAY_S, HOUR_S, hour_begin

CLOCK_STEP_S: Final = 30.0
"""A clock that is off by more from one that never steps was set; what is less is drift, corrected by and by."""
_PROVEN_S: Final = 600.0
"""A machine that is connected has asked a time server by then."""


class ProvenClock:
    """Says until when time has passed for certain.

    A clock is believed once it has gone evenly for ten minutes. Until then it is as late as the run before took it to
    be, so that things grow old where all runs are short, provided that it is a later hour now: a clock that begins at
    the same wrong time with every start proves nothing.

    Args:
        before_unix_s: the hour that the clock said last in the run before; -inf where nobody knows.
        wall: seconds since 1970.
        steady: a clock in seconds that never steps.
    """

    def __init__(
        self,
        before_unix_s: float = -math.inf,
        *,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._before_s = before_unix_s
        self._wall, self._steady = wall, steady
        self.stepped()

    def stepped(self) -> None:
        """Told that the clock was set: it has to prove itself anew."""
        self._ahead_s = self._wall() - self._steady()
        self._proven_s = self._steady() + _PROVEN_S

    def passed_unix_s(self) -> float:
        """Until when time has passed for certain, seconds since 1970; -inf where nobody knows."""
        now_s, steady_s = self._wall(), self._steady()
        if abs(now_s - steady_s - self._ahead_s) > CLOCK_STEP_S:
            self.stepped()
        if steady_s >= self._proven_s:
            return now_s
        return self._before_s if now_s >= self._before_s + HOUR_S else -math.inf


def noted_unix_s(path: Path) -> float:
    """When the hour began that was noted last; -inf where none was, or nobody can read it."""
    with contextlib.suppress(DataError):
        begin = hour_begin(str((read_json(path) or {}).get("hour")))
        return -math.inf if begin is None else begin
    return -math.inf


def noted_keep_s(path: Path) -> float:
    """For how many seconds the last run kept what it saw; inf for ever, or where nobody can read it."""
    with contextlib.suppress(DataError, KeyError, TypeError, ValueError):
        days = float((read_json(path) or {})["keep_days"])
        return days * DAY_S if days > 0 else math.inf
    return math.inf


def note_hour(path: Path, hour: str, keep_days: float = math.inf) -> None:
    """Note which hour the clock says, for the next run, and for how many days things are kept.

    Raises:
        OSError: it cannot be written.
    """
    write_json(path, {"hour": hour, "keep_days": keep_days if math.isfinite(keep_days) else None})

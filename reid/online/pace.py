"""How much of a processor a worker takes: it rests between its steps, and a tracker beside it keeps its frame rate.

A nice level alone does not do that. It says who comes first where two want one core; but two cores that are busy at
once slow each other down, since they share what feeds them, and often are two halves of one.
"""

from __future__ import annotations

import time
from collections.abc import Callable

_LEAST_S, _LOOK_S = 0.001, 0.1
_MOST_S = 1.0
"""Of one rest: whoever asks through this asks something of their own as well, such as whether learning is paused."""


class Pace:
    """Asks `stop` for whoever works, and has them rest meanwhile; `stop` itself is asked all through a rest.

    Args:
        stop: whether to stop.
        most_busy: largest share of one processor's time that the process takes between calls, above 0; at 1 or more
            it never rests. Threads add up.
        busy: seconds that processors worked for this process so far.
        steady: a clock in seconds that never steps.
        sleep: waits for so many seconds.
    """

    def __init__(
        self,
        stop: Callable[[], bool],
        most_busy: float,
        *,
        busy: Callable[[], float] = time.process_time,
        steady: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._stop, self._most_busy = stop, most_busy
        self._busy, self._steady, self._sleep = busy, steady, sleep
        self._busy_s, self._now_s = busy(), steady()
        self._owed_s = 0.0  # never negative: who waited for an hour may not work without a rest for the next one

    def __call__(self) -> bool:
        """Rest for as long as the work since is worth, but a second at most, and what is left next time.

        Returns whether to stop.
        """
        until_s = self._steady() + _MOST_S
        while not (stopping := self._stop()) and self._most_busy < 1 and self._is_due(until_s):
            self._sleep(min(self._owed_s, _LOOK_S))
        return stopping

    def _is_due(self, until_s: float) -> bool:
        """Whether rest is due by now, and it is earlier than that."""
        busy_s, now_s = self._busy(), self._steady()
        worked_s, passed_s = busy_s - self._busy_s, now_s - self._now_s
        self._busy_s, self._now_s = busy_s, now_s
        self._owed_s = max(0.0, self._owed_s + worked_s / self._most_busy - passed_s)
        return self._owed_s >= _LEAST_S and now_s < until_s

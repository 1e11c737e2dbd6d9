"""Whether a model that went live makes tracking worse, told by what the tracker does with it, without any labels.

Three things are compared with the time before: how often somebody new is found, how often tracks break, and how much
more alike crops are to their own track than to others. All are taken over seconds in which somebody was in the picture,
and the first two in relation to how many were, so that a rush hour is not taken for a bad model.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field, fields
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from reid.checks import check_number
from reid.errors import InputError
from reid.online.significance import lower, more_often

Phase: TypeAlias = Literal["calm", "watching", "kept", "worse"]
Measure: TypeAlias = Literal["births", "breaks", "margins"]

_LONGEST_STEP_S = 2.0  # between two updates; a source that stood still for longer shows nobody meanwhile
_FIRST_LOOK, _NEXT_LOOK = 4, 1.4  # blocks until the first look, and how many times as many until each further one
_LEAST_MARGINS = 6  # later blocks with margins whose ranks say anything


@dataclass(frozen=True, slots=True)
class WatchConfig:
    """How a model is watched once it is live."""

    before_s: float = 3600.0
    """Seconds before the swap that are compared with, of those in which somebody was in the picture."""
    after_s: float = 3600.0
    """Such seconds for which a new model is watched."""
    settle_s: float = 10.0
    """Such seconds after a swap that are passed over, in which the tracker learns what the new cosines mean."""
    block_s: float = 30.0
    """Such seconds that are counted together."""
    false_alarm: float = 0.01
    """Chance that a model which is as good as the one before is taken for worse, over the whole time of watching."""
    ratio: float = 1.2
    """So many times as many new identities or broken tracks as before are not yet worse."""
    margin_loss: float = 0.02
    """So much less between own and others, as a share of others, is not yet worse."""

    def __post_init__(self) -> None:
        for name in ("before_s", "after_s", "block_s"):
            check_number(f"watch.{name}", getattr(self, name), above=0)
        for name in ("settle_s", "margin_loss"):
            check_number(f"watch.{name}", getattr(self, name), least=0)
        check_number("watch.false_alarm", self.false_alarm, above=0, below=1)
        check_number("watch.ratio", self.ratio, least=1)
        if min(self.before_s, self.after_s) < _FIRST_LOOK * self.block_s:
            raise InputError(f"watch.before_s and watch.after_s must be at least {_FIRST_LOOK} times watch.block_s")


@dataclass(frozen=True, slots=True)
class Comparison:
    """One measure, before and after a swap."""

    measure: Measure
    """What is measured."""
    before: float
    """Births or breaks an hour and object; the mean of the margins."""
    after: float
    """The same."""
    p: float
    """How likely so bad a figure is with a model that is not worse."""
    worse: bool
    """Whether that is too unlikely."""

    def __str__(self) -> str:
        name = {"births": "new identities", "breaks": "broken tracks", "margins": "own above others"}[self.measure]
        unit = "" if self.measure == "margins" else " an hour and object"
        return f"{name}: {self.before:.3g} before, {self.after:.3g} after{unit} (p {self.p:.2g})"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is thought of the model that is live."""

    phase: Phase
    """`calm`: none went live lately; `watching`; `kept`: it was watched for long enough; `worse`: roll it back."""
    watched_s: float = 0.0
    """For how long it was watched, of the seconds in which somebody was in the picture."""
    comparisons: tuple[Comparison, ...] = ()
    """Of the last look."""

    @property
    def reason(self) -> str:
        """In words, for the history."""
        return "; ".join(str(each) for each in self.comparisons if each.worse or self.phase != "worse")


@dataclass(slots=True)
class _Block:
    """What happened within `block_s`."""

    busy_s: float = 0.0
    """Seconds in which somebody was in the picture."""
    object_s: float = 0.0
    """The same, summed over objects."""
    births: int = 0
    breaks: int = 0
    margin_sum: float = 0.0
    margins: int = 0


class Watch:
    """Fed after every update of a tracker; says when the model that is live makes it worse.

    All looks at all measures together raise a false alarm with a chance of `false_alarm` at most: each gets an equal
    share of it (alpha spending, Lan and DeMets 1983, in its simplest form, which by Bonferroni's inequality holds
    however the looks and the measures depend on each other). The looks are the rarer the longer it is watched.

    Simulated: of 500 streams without a change none raised one; with events in bunches of a minute and nothing tolerated
    1 to 2 in 100 did. Twice as many births were found after about 50 of them, and after 120 at the latest.

    Args:
        config: see `WatchConfig`.
    """

    def __init__(self, config: WatchConfig | None = None) -> None:
        self.config = config or WatchConfig()
        self.verdict = Verdict("calm")
        """What is thought now."""
        self.blocks = 0
        """How many were counted until now."""
        c = self.config
        self._looks = _look_times(round(c.after_s / c.block_s))
        self._before: deque[_Block] = deque(maxlen=round(c.before_s / c.block_s))
        self._after: list[_Block] = []
        self._open = _Block()
        self._settling_s = 0.0
        self._last: tuple[float, int] | None = None  # time of the last update, and how many were in the picture

    def update(
        self,
        time_s: float,
        *,
        objects: int,
        births: int = 0,
        breaks: int = 0,
        margins: Sequence[float] | NDArray[np.float64] = (),
    ) -> Verdict:
        """Take in what one update of the tracker did.

        Args:
            time_s: of the frame, on the tracker's clock; one that steps back costs the time of that step.
            objects: how many are in the picture.
            births: how many new identities there are.
            breaks: how many tracks began, of whomever: the more, the oftener they broke.
            margins: (n,) of crops with their own track and the others in the picture, on a scale that two models share,
                such as the share of others that are less alike.
        """
        time_s, objects = float(time_s), int(objects)  # what is saved must be what JSON can say: no numbers of numpy's
        step_s = 0.0
        if self._last is not None and self._last[1]:
            step_s = min(max(time_s - self._last[0], 0.0), _LONGEST_STEP_S)
        block, seen = self._open, self._last[1] if self._last is not None else 0
        self._last = (time_s, objects)
        if self._settling_s > 0:
            self._settling_s -= step_s
            return self.verdict
        block.busy_s += step_s
        block.object_s += step_s * seen
        block.births += int(births)
        block.breaks += int(breaks)
        if len(margins):
            block.margin_sum += float(np.sum(margins))
            block.margins += len(margins)
        if block.busy_s >= self.config.block_s:
            self._open = _Block()
            self._close(block)
        return self.verdict

    def swapped(self) -> None:
        """Another model is live from now on: watch it.

        One that was watched until then is no measure for it: that stays the last one that was found good.
        """
        self._begin(Verdict("watching"))
        self._settling_s = self.config.settle_s

    def rolled_back(self) -> None:
        """The model before is live again: what was seen of the bad one is no measure for the next."""
        self._begin(Verdict("calm"))
        self._settling_s = self.config.settle_s

    def saved(self) -> dict[str, Any]:
        """All that `restore` needs, as JSON can say it."""
        before, after = ([list(astuple(block)) for block in part] for part in (self._before, self._after))
        return {"phase": self.verdict.phase, "before": before, "after": after}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go on from what was `saved`, but for a block that had not ended.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        phases: tuple[Phase, ...] = ("calm", "watching", "kept", "worse")
        phase = next((phase for phase in phases if phase == saved["phase"]), None)
        if phase is None:
            raise ValueError(f"phase must be one of {', '.join(phases)}, got {saved['phase']!r}")
        before, after = ([_block(row) for row in saved[name]] for name in ("before", "after"))
        self._before.extend(before)
        self._after = after[-(self._looks[-1] - 1) :]  # settings may have changed: there is a look to come
        if phase in ("watching", "worse"):
            comparisons = self._compare() if phase == "worse" else ()
            self.verdict = Verdict(phase, len(after) * self.config.block_s, comparisons)

    def _begin(self, verdict: Verdict) -> None:
        self._after, self._open, self.verdict = [], _Block(), verdict

    def _close(self, block: _Block) -> None:
        self.blocks += 1
        if self.verdict.phase in ("calm", "kept"):
            self._before.append(block)
            return
        self._after.append(block)
        count = len(self._after)
        if self.verdict.phase == "worse" or (count not in self._looks and count < self._looks[-1]):
            return
        comparisons = self._compare()
        worse, over = any(each.worse for each in comparisons), count >= self._looks[-1]
        phase: Phase = "worse" if worse else "kept" if over else "watching"
        self.verdict = Verdict(phase, count * self.config.block_s, comparisons)
        if phase == "kept":
            self._before.extend(self._after)
            self._after = []

    def _compare(self) -> tuple[Comparison, ...]:
        before, after = _columns(self._before), _columns(self._after)
        found: list[tuple[Measure, float, float, float]] = []
        time, later_time = before.object_s.sum(), after.object_s.sum()
        counts: tuple[Measure, ...] = ("births", "breaks")
        for measure in counts:
            events, later = getattr(before, measure), getattr(after, measure).sum()
            p = more_often(events, before.object_s, later, later_time, self.config.ratio)
            found.append((measure, _hourly(events.sum(), time), _hourly(later, later_time), p))
        p = 1.0
        if len(after.margins) >= _LEAST_MARGINS:
            p = lower(before.margins, after.margins, self.config.margin_loss)
        found.append(("margins", _mean(before.margins), _mean(after.margins), p))
        alpha = self.config.false_alarm / (len(found) * len(self._looks))
        return tuple(Comparison(measure, b, a, p, p <= alpha) for measure, b, a, p in found)


@dataclass(frozen=True, slots=True, eq=False)
class _Columns:
    """Blocks as arrays, those without anybody's margins missing in `margins`."""

    object_s: NDArray[np.float64]
    births: NDArray[np.float64]
    breaks: NDArray[np.float64]
    margins: NDArray[np.float64] = field(repr=False)


def _block(row: Sequence[float]) -> _Block:
    """A row of `Watch.saved`."""
    if len(row) != len(fields(_Block)) or not all(np.isfinite(value) for value in row):
        raise ValueError(f"a block has {len(fields(_Block))} finite numbers, got {row!r}")
    return _Block(*row)  # type: ignore[arg-type]


def _columns(blocks: deque[_Block] | list[_Block]) -> _Columns:
    rows = np.array([(b.object_s, b.births, b.breaks) for b in blocks], np.float64).reshape(-1, 3)
    margins = np.array([b.margin_sum / b.margins for b in blocks if b.margins], np.float64)
    return _Columns(rows[:, 0], rows[:, 1], rows[:, 2], margins)


def _look_times(blocks: int) -> list[int]:
    """After how many blocks it is compared."""
    times, following = [], float(_FIRST_LOOK)
    while following < blocks:
        times.append(round(following))
        following *= _NEXT_LOOK
    return [*dict.fromkeys(times), blocks]


def _hourly(events: float, object_s: float) -> float:
    return 3600 * float(events) / float(object_s) if object_s else 0.0


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else float("nan")

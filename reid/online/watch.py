"""Whether a model that went live makes tracking worse, told by what the tracker does with it, without any labels.

Three things are compared with the time before: how often somebody new is found and how often tracks break, in relation
to how many people were in the picture, and what share of the others look less like somebody than the own track does
(margins).

The first two move with the traffic: in a crowd more tracks break, and who comes out of a door where another went in may
seem to be the same person anew. So they never make a model worse alone. The mean of the margins is moved neither by how
many there are nor by how long they stay, but by the light. A model is worse where both speak against it. Where margins
alone do, it is in doubt, and worse only where they fall so far that it tells hardly anybody from another: so
far below the last model that was kept without a doubt, however many were kept with one since.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field, fields
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from reid.checks import check_number
from reid.errors import InputError
from reid.online.significance import LEAST_GROUPS, lower, more_often

Phase: TypeAlias = Literal["calm", "watching", "kept", "worse"]
Measure: TypeAlias = Literal["births", "breaks", "margins"]

_LONGEST_STEP_S = 2.0  # between two updates; a source that stood still for longer shows nobody meanwhile
_FIRST_LOOK, _NEXT_LOOK = 6, 1.4  # blocks until the first look, and how many times as many until each further one


@dataclass(frozen=True, slots=True)
class WatchConfig:
    """How a model is watched once it is live."""

    before_s: float = 3600.0
    """Seconds before the swap that are compared with, of those in which people were in the picture, two at least."""
    after_s: float = 3600.0
    """Such seconds for which a new model is watched."""
    settle_s: float = 10.0
    """Such seconds after a swap that are passed over, in which the tracker learns what the new cosines mean."""
    block_s: float = 30.0
    """Such seconds that are counted together."""
    false_alarm: float = 0.01
    """Chance that a model which is as good as the one before is taken for worse, over the whole time of watching."""
    ratio: float = 1.2
    """So many times as many new identities or broken tracks as before do not yet speak against a model."""
    margin_loss: float = 0.02
    """Nor does it that so much fewer of the others, as a share, look less like somebody than the own track does."""
    margin_loss_alone: float = 0.2
    """More than so much fewer make a model worse though neither new identities nor broken tracks are more: one that
    tells nobody from another loses nobody. It must be more than worse light costs; a model that guesses loses 0.4 or
    more, since half of the others look less alike then. A smaller loss alone is told as a doubt, and such losses add
    up: what counts is how far margins are below those of the last model that was kept without a doubt."""

    def __post_init__(self) -> None:
        for name in ("before_s", "after_s", "block_s"):
            check_number(f"watch.{name}", getattr(self, name), above=0)
        for name in ("settle_s", "margin_loss"):
            check_number(f"watch.{name}", getattr(self, name), least=0)
        check_number("watch.false_alarm", self.false_alarm, above=0, below=1)
        check_number("watch.ratio", self.ratio, least=1)
        check_number("watch.margin_loss_alone", self.margin_loss_alone, least=self.margin_loss)
        for name, least in (("before_s", LEAST_GROUPS), ("after_s", _FIRST_LOOK)):
            if getattr(self, name) < least * self.block_s:
                raise InputError(f"watch.{name} must be at least {least} times watch.block_s")


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
    """Whether that is too unlikely, so that this speaks against the model."""

    def __str__(self) -> str:
        name = {"births": "new identities", "breaks": "broken tracks", "margins": "own above others"}[self.measure]
        unit = "" if self.measure == "margins" else " an hour and object"
        return f"{name}: {self.before:.3g} before, {self.after:.3g} after{unit} (p {self.p:.2g})"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is thought of the model that is live."""

    phase: Phase
    """`calm`: none went live lately, or too little was seen before it to compare it with; `watching`; `kept`: it was
    watched for long enough; `worse`: roll it back."""
    watched_s: float = 0.0
    """For how long it was watched, of the seconds in which people were in the picture."""
    comparisons: tuple[Comparison, ...] = ()
    """Of the last look."""

    @property
    def margins_alone(self) -> bool:
        """Whether margins speak against the model and nothing else does: that may be the light."""
        return {each.measure for each in self.comparisons if each.worse} == {"margins"}

    @property
    def doubt(self) -> str:
        """What speaks against the model, though not enough to be worse; nothing where that is nothing."""
        if self.phase == "worse" or not self.margins_alone:
            return ""
        (margins,) = (each for each in self.comparisons if each.worse)
        return f"{margins}, and neither new identities nor broken tracks are more: the light, or the embedder"

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
    """Fed after every update of a tracker with one camera; says when the model that is live makes it worse.

    The chance of a false alarm is `false_alarm` at most, over all looks together, where margins fall by no more than
    `margin_loss`, whatever the traffic does to the rest; and, where neither rate is more than `ratio` times what it
    was, about so much where they are no more than `margin_loss_alone` below those of the last model that was kept
    without a doubt, as in worse light. What must hold together
    needs no share of that chance of its own (intersection-union test, Berger 1982). Each look gets an equal share, of
    which new identities and broken tracks, either of which will do, get half each (alpha spending, Lan and DeMets 1983,
    in its simplest form, which by Bonferroni's inequality holds however they depend on each other). The looks are the
    rarer the longer it is watched.

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
        self._alpha = c.false_alarm / len(self._looks)  # of one look
        self._before: deque[_Block] = deque(maxlen=round(c.before_s / c.block_s))
        self._after: list[_Block] = []
        self._sure: list[_Block] = []  # what the last model was compared with before one was kept in doubt; else none
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
            births: how many new identities there are; best of people alone who had been lost inside the picture a
                moment before, since those who come in say nothing of a model.
            breaks: how many tracks began so, under whatever number.
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
            if block.margins:  # who was alone all the while can be compared with nobody
                self._close(block)
        return self.verdict

    def swapped(self) -> None:
        """Another model is live from now on: watch it.

        One that was watched until then is no measure for it: that stays the last one that was found good. Where too
        little was seen of that to judge by, it is `calm`: nothing is found, and this one is the measure here.
        """
        enough = len(self._before) >= LEAST_GROUPS
        if not enough:
            self._before.clear()
        self._begin(Verdict("watching" if enough else "calm"))
        self._settling_s = self.config.settle_s

    def rolled_back(self) -> None:
        """The model before is live again: what was seen of the bad one is no measure for the next."""
        self._begin(Verdict("calm"))
        self._settling_s = self.config.settle_s

    def saved(self) -> dict[str, Any]:
        """All that `restore` needs, as JSON can say it."""
        parts = {"before": self._before, "after": self._after, "sure": self._sure}
        blocks = {name: [list(astuple(block)) for block in part] for name, part in parts.items()}
        return {"phase": self.verdict.phase, **blocks}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go on from what was `saved`, but for a block that had not ended.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        phases: tuple[Phase, ...] = get_args(Phase)
        phase = next((phase for phase in phases if phase == saved["phase"]), None)
        if phase is None:
            raise ValueError(f"phase must be one of {', '.join(phases)}, got {saved['phase']!r}")
        before, after, sure = ([_block(row) for row in saved[name]] for name in ("before", "after", "sure"))
        if not all(block.margins > 0 for block in (*before, *after, *sure)):
            raise ValueError("a block must have margins")
        if phase in ("watching", "worse") and (len(before) < LEAST_GROUPS or (phase == "worse" and len(after) < 2)):
            raise ValueError("there must be something to compare")
        self._before.extend(before)
        self._sure = sure
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
        if self.verdict.phase == "worse":
            return
        self._after.append(block)
        count = len(self._after)
        if count not in self._looks and count < self._looks[-1]:
            return
        comparisons, over = self._compare(), count >= self._looks[-1]
        phase: Phase = "worse" if self._is_worse(comparisons) else "kept" if over else "watching"
        self.verdict = Verdict(phase, count * self.config.block_s, comparisons)
        if phase == "kept":
            if self.verdict.doubt:
                self._sure = self._sure or list(self._before)
            elif self._sure and _level(self._after) >= _level(self._sure) - self.config.margin_loss:
                self._sure = []  # all that was lost is there again; that it is not surely lost is no proof
            self._before.extend(self._after)
            self._after = []

    def _is_worse(self, comparisons: Sequence[Comparison]) -> bool:
        """Whether margins are, and also what moves with the traffic, or margins by far.

        By far is meant from the last model that was kept without a doubt, else each could lose a little more. Light
        that stays worse makes it not worse for that: margins must fall at this exchange, too.
        """
        against = {each.measure for each in comparisons if each.worse}
        if "margins" not in against:
            return False
        best = max((part for part in (self._before, self._sure) if part), key=_level)
        return len(against) > 1 or self._are_lower(best, self.config.margin_loss_alone)

    def _are_lower(self, before: deque[_Block] | list[_Block], loss: float) -> bool:
        """Whether margins are surely by more than a loss."""
        return lower(_columns(before).margins, _columns(self._after).margins, loss) <= self._alpha

    def _compare(self) -> tuple[Comparison, ...]:
        before, after, c = _columns(self._before), _columns(self._after), self.config
        found: list[Comparison] = []
        time, later_time = before.object_s.sum(), after.object_s.sum()
        counts: tuple[Measure, ...] = ("births", "breaks")
        for measure in counts:
            events, later = getattr(before, measure), getattr(after, measure).sum()
            p = more_often(events, before.object_s, later, later_time, c.ratio)
            rates = _hourly(events.sum(), time), _hourly(later, later_time)
            found.append(Comparison(measure, *rates, p, p <= self._alpha / len(counts)))
        p = lower(before.margins, after.margins, c.margin_loss)
        margins = float(before.margins.mean()), float(after.margins.mean())
        return (*found, Comparison("margins", *margins, p, p <= self._alpha))


@dataclass(frozen=True, slots=True, eq=False)
class _Columns:
    """Blocks as arrays."""

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
    margins = np.array([b.margin_sum / b.margins for b in blocks], np.float64)
    return _Columns(rows[:, 0], rows[:, 1], rows[:, 2], margins)


def _level(blocks: deque[_Block] | list[_Block]) -> float:
    """The mean of the margins, every block counted alike."""
    return float(_columns(blocks).margins.mean())


def _look_times(blocks: int) -> list[int]:
    """After how many blocks it is compared."""
    times, following = [], float(_FIRST_LOOK)
    while following < blocks:
        times.append(round(following))
        following *= _NEXT_LOOK
    return [*dict.fromkeys(times), blocks]


def _hourly(events: float, object_s: float) -> float:
    return 3600 * float(events) / float(object_s) if object_s else 0.0

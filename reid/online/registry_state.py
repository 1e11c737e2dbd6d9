"""What `current.json` says: which model is live, which ones are kept, who was live when, and who never may be again."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from reid.errors import InputError, ModelError

SCHEMA = "reidtrack.online.models"
SCHEMA_VERSION = 1
MOST_PERIODS = 1000
"""Periods that `current.json` keeps; `history.jsonl` has them all."""

Window: TypeAlias = tuple[float, float]
Why: TypeAlias = Literal["begun", "admitted", "rolled_back", "fell_back"]


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A model that is kept."""

    number: int
    """In the order of admission; 0 is the base."""
    sha256: str
    """Of the file."""
    card_sha256: str | None = None
    """Of the card beside the file; None where the card is inside."""
    weights_hash: str | None = None
    """`Card.weights_hash`: the same weights in a file of other bytes are no other model."""
    window: Window | None = None
    """From when to when that was seen which it was the first to learn from, in Unix seconds."""
    figures: Mapping[str, Any] = field(default_factory=dict)
    """What the gate measured."""
    admitted_unix_s: float = 0.0
    """When it was admitted."""

    @property
    def file(self) -> str:
        """Its name in the folder `models`."""
        return f"{self.number}-{self.sha256[:12]}.onnx"


@dataclass(frozen=True, slots=True)
class LivePeriod:
    """How long one model was live. Periods are in the order of events, whatever the clock did meanwhile."""

    number: int
    """Of the model."""
    sha256: str
    """Of its file."""
    since_unix_s: float
    """When it became live."""
    why: Why
    """How it became live."""
    reason: str = ""
    """Why the model before it had to go, where it had to."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A model that was rolled back from: neither it nor the window is to be used again."""

    number: int
    """Of the model."""
    sha256: str
    """Of its file."""
    weights_hash: str | None
    """Of its weights, where its card said so."""
    window: Window | None
    """From when to when that was seen which it was the first to learn from; None where that is not known, or not
    to blame."""
    reason: str
    """Why."""
    unix_s: float
    """When."""


@dataclass(frozen=True, slots=True)
class RegistryState:
    """All of it. The last period is that of the model that is live."""

    change: int
    """How many changes led here."""
    next_number: int
    """Lowest number that no model ever had."""
    models: tuple[ModelRecord, ...]
    """Those that are kept."""
    live: tuple[LivePeriod, ...]
    """Who was live, in that order; at least one."""
    quarantined: tuple[Quarantined, ...] = ()
    """Who never may be again."""
    event: Mapping[str, Any] = field(default_factory=dict)
    """The line of `history.jsonl` that belongs to the last change."""

    @property
    def number(self) -> int:
        """Of the model that is live."""
        return self.live[-1].number

    def model(self, number: int) -> ModelRecord | None:
        """A model that is kept; None where it is not."""
        return next((model for model in self.models if model.number == number), None)

    def is_quarantined(self, sha256: str, weights_hash: str | None = None) -> bool:
        """Whether this file, or another one with the same weights, was rolled back from."""
        return any(
            sha256 == bad.sha256 or (weights_hash is not None and weights_hash == bad.weights_hash)
            for bad in self.quarantined
        )

    def were_live(self) -> list[int]:
        """Numbers of all that were live and are not quarantined, the last first, each once; the base is the last."""
        bad = {each.number for each in self.quarantined}
        numbers = [period.number for period in reversed(self.live)]
        return [n for n in dict.fromkeys(numbers) if n not in bad and n != 0] + [0]

    def kept(self, count: int | None) -> RegistryState:
        """Without models that are neither the base nor among the last `count` that were live, all of them for None."""
        numbers = {*self.were_live()[:-1][:count], self.number, 0}
        return replace(
            self,
            models=tuple(model for model in self.models if model.number in numbers),
            live=self.live[-MOST_PERIODS:],
        )

    def told(self, model: ModelRecord, why: Why, reason: str, unix_s: float) -> dict[str, Any]:
        """The line of the history that says that this model is live by this change: enough to do without the rest."""
        event: dict[str, Any] = {
            "event": why,
            "unix_s": round(unix_s, 3),
            "number": model.number,
            "change": self.change,
            "reason": reason,
            "since_unix_s": self.live[-1].since_unix_s,
            "model": dataclasses.asdict(model),
        }
        if why == "rolled_back":
            event["quarantined"] = dataclasses.asdict(self.quarantined[-1])
        return event

    def to_json(self) -> str:
        """As JSON; the model that is live stands first, for those who only want to know that."""
        live = self.live[-1]
        model = self.model(live.number)
        head = {
            "schema": SCHEMA,
            "version": SCHEMA_VERSION,
            "number": live.number,
            "file": None if model is None else model.file,
            "sha256": live.sha256,
            "since_unix_s": live.since_unix_s,
        }
        return json.dumps(head | dataclasses.asdict(self), indent=1, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> RegistryState:
        """Read what `to_json` wrote.

        Raises:
            ModelError: it is something else, or contradicts itself.
        """
        try:
            return cls._from(json.loads(text))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ModelError(f"it is not what was written there: {error!r}") from error

    @classmethod
    def _from(cls, values: Mapping[str, Any]) -> RegistryState:
        if values["schema"] != SCHEMA or values["version"] != SCHEMA_VERSION:
            raise ModelError(f"it has schema {values['schema']!r}, version {values['version']!r}: update reidtrack")
        state = cls(
            change=_whole(values["change"]),
            next_number=_whole(values["next_number"]),
            models=tuple(_record(ModelRecord, each) for each in values["models"]),
            live=tuple(_record(LivePeriod, each) for each in values["live"]),
            quarantined=tuple(_record(Quarantined, each) for each in values["quarantined"]),
            event=dict(values["event"]),
        )
        model = state.model(state.number) if state.live else None
        if model is None or model.sha256 != state.live[-1].sha256 or values["number"] != state.number:
            raise ValueError("the model that is live is not among those that are kept")
        return state


def state_from_history(events: Iterable[Mapping[str, Any]]) -> RegistryState | None:
    """What `history.jsonl` alone tells, for the day on which `current.json` cannot be read; None: nothing."""
    state: RegistryState | None = None
    for event in events:
        try:
            change, model = _whole(event["change"]), _record(ModelRecord, event["model"])
            period = LivePeriod(
                model.number, model.sha256, float(event["since_unix_s"]), event["event"], str(event["reason"])
            )
            bad = event.get("quarantined")
            quarantined = () if bad is None else (_record(Quarantined, bad),)
        except (KeyError, TypeError, ValueError):
            continue  # an event of something else, or a line that is damaged
        before = state or RegistryState(0, 0, (), ())
        others = tuple(each for each in before.models if each.number != model.number)
        state = RegistryState(
            max(change, before.change),
            max(model.number + 1, before.next_number),
            tuple(sorted((*others, model), key=lambda each: each.number)),
            before.live if before.live and before.number == model.number else (*before.live, period),
            (*before.quarantined, *quarantined),
            dict(event),
        )
    return state


def plain_figures(figures: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON can say it; numbers that are not finite become None.

    Raises:
        InputError: it cannot.
    """
    try:
        # numpy's numbers are floats for this purpose; NaN, which JSON does not have, is written and read as None
        plain: dict[str, Any] = json.loads(json.dumps(dict(figures), default=float), parse_constant=lambda _: None)
    except (TypeError, ValueError) as error:
        raise InputError(f"figures must be what JSON can say: {error}") from error
    return plain


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is no whole number of at least 0")
    return value


def _record(kind: type[Any], values: Mapping[str, Any]) -> Any:
    """One of the records; a window is a list in JSON."""
    known = dict(values)
    _whole(known["number"])
    for name in ("sha256", "reason", "why"):
        if name in known and not isinstance(known[name], str):
            raise ValueError(f"{name} must be a text")
    for name in ("since_unix_s", "admitted_unix_s", "unix_s"):
        if name in known and not math.isfinite(known[name]):
            raise ValueError(f"{name} must be finite")
    if known.get("window") is not None:
        begin, end = known["window"]
        known["window"] = (float(begin), float(end))
    return kind(**known)

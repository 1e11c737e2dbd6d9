"""What happened to an online folder, in words for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any


def in_words(event: Mapping[str, Any]) -> str:
    """An event of `History`, or of `OnlineTrainer.events`, in a line."""
    say = _SAID.get(str(event["event"]))
    try:
        return say(event) if say is not None else _any(event)
    except (KeyError, TypeError, AttributeError):  # a line of another version
        return _any(event)


def verdict_in_words(event: Mapping[str, Any]) -> str | None:
    """The verdict of a round in two or three words, where an event is one."""
    try:
        if event["event"] == "refused":
            return f"round {event['round']} refused"
        return f"{_round(event)}admitted" if event["event"] == "admitted" else None
    except (KeyError, TypeError, AttributeError):  # a line of another version
        return None


def doubt_of(number: int, events: Sequence[Mapping[str, Any]]) -> str | None:
    """What was said last against a model that stayed live, where anything was that was not taken back since."""
    said: dict[str, str] = {}  # by camera, since each judges for itself
    for each in events:
        if each["event"] in ("doubted", "trusted") and each.get("number") == number:
            said.pop(str(each.get("camera")), None)
            if each["event"] == "doubted":
                said[str(each.get("camera"))] = in_words(each)
    return list(said.values())[-1] if said else None


def put_off_of(number: int, events: Sequence[Mapping[str, Any]]) -> str | None:
    """Why a model that is to be live is not used, where that is the last that is said of it."""
    for event in reversed(events):
        if event["event"] in ("put_off", "swapped", "taken_up") and event.get("number") == number:
            return in_words(event) if event["event"] == "put_off" else None
    return None


def harvest_waits(events: Sequence[Mapping[str, Any]]) -> str | None:
    """Why harvesting pauses, where that is the last that is said of it."""
    for event in reversed(events):
        if event.get("by") == "harvest" and event["event"] in ("paused", "resumed"):
            return str(event.get("reason", "")) if event["event"] == "paused" else None
    return None


def _any(event: Mapping[str, Any]) -> str:
    reason = event.get("reason")
    return str(event["event"]).replace("_", " ") + (f": {reason}" if reason else "")


def _round(event: Mapping[str, Any]) -> str:
    number = event["model"]["figures"].get("round")
    return "" if number is None else f"round {number} "


def _admitted(event: Mapping[str, Any]) -> str:
    return f"{_round(event)}admitted as model {event['number']}{_because(event)}"


def _rolled_back(event: Mapping[str, Any]) -> str:
    return f"model {event['quarantined']['number']} is rolled back from, to model {event['number']}{_because(event)}"


def _doubted(event: Mapping[str, Any]) -> str:
    return f"model {event['number']} is in doubt at {event['camera']}{_because(event)}"


def _switched(event: Mapping[str, Any]) -> str:
    what = f"harvesting of {event.get('camera')}" if event.get("by") == "harvest" else "learning"
    return f"{what} {'pauses' if event['event'] == 'paused' else 'goes on'}{_because(event)}"


def _forgotten(event: Mapping[str, Any]) -> str:
    others = [str(number) for number in event["numbers"] if number != event["identity"]]
    where = f"{event['camera']}, session {', '.join(event['sessions'])}"
    return f"{event['identity']} of {where}, is to be forgotten{', also as ' if others else ''}{', '.join(others)}"


def _because(event: Mapping[str, Any]) -> str:
    return f": {event['reason']}" if event.get("reason") else ""


_SAID: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "cycle_started": lambda e: f"round {e['round']} begins with {e['crops']} crops",
    "harvested": lambda e: f"{e['crops']} crops of {e['camera']} are harvested, of the hour {e['hour']}",
    "refused": lambda e: f"round {e['round']} refused{_because(e)}",
    "admitted": _admitted,
    "swapped": lambda e: f"model {e['number']} is live in the place of model {e['before']}",
    "put_off": lambda e: str(e["reason"]),
    "taken_up": lambda e: f"model {e['number']} is live at last",
    "rolled_back": _rolled_back,
    "doubted": _doubted,
    "trusted": lambda e: f"model {e['number']} is in doubt at {e['camera']} no more",
    "fell_back": lambda e: f"model {e['number']} is to be live{_because(e)}",
    "paused": _switched,
    "resumed": _switched,
    "forgotten": _forgotten,
    "worker": lambda e: str(e["reason"]),
}

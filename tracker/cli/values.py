"""Text to typed value and back: the same reading for a flag and for a scalar in a configuration file."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Union

_TRUE = frozenset(("true", "yes", "on"))
_FALSE = frozenset(("false", "no", "off"))
_NOUNS: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    Path: "a path",
}


def parse(text: str, hint: Any) -> Any:
    """Read a value of type `hint`. Lists are separated by commas; `none` is None where that is allowed.

    Raises:
        ValueError: the text is no such value; the message says what was expected.
    """
    options = alternatives(hint)
    if type(None) in options and text.strip().lower() in ("none", "null"):
        return None
    for option in options:
        try:
            return _parse_one(text, option)
        except ValueError:
            continue
    raise ValueError(f"must be {describe(hint)}, got {text!r}")


def parse_items(items: Sequence[str], hint: Any) -> tuple[Any, ...]:
    """Read a list of values where `hint` (or one of its alternatives) is a tuple.

    Raises:
        ValueError: no list is expected here, or an item or their number is wrong.
    """
    for option in alternatives(hint):
        if typing.get_origin(option) is tuple:
            try:
                return _parse_tuple(items, option)
            except ValueError:
                continue
    raise ValueError(f"must be {describe(hint)}, got [{', '.join(items)}]")


def alternatives(hint: Any) -> tuple[Any, ...]:
    """The members of a union, or the type alone; text last, since it accepts everything."""
    union = typing.get_origin(hint) in (Union, types.UnionType)
    members = typing.get_args(hint) if union else (hint,)
    return tuple(sorted(members, key=lambda member: member is str))


def describe(hint: Any) -> str:
    """What a value of this type is called in a message: `a number or none`."""
    words = [_describe_one(option) for option in alternatives(hint) if option is not type(None)]
    if type(None) in alternatives(hint):
        words.append("none")
    return " or ".join(words)


def render(value: Any) -> str:
    """Write a value as YAML reads it back; `null` for None."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(render(item) for item in value) + "]"
    return str(value) or '""'


def _parse_one(text: str, option: Any) -> Any:
    origin = typing.get_origin(option)
    if origin is tuple:
        return _parse_tuple([part.strip() for part in text.split(",") if part.strip()], option)
    if origin is Literal:
        for choice in typing.get_args(option):
            if str(choice) == text.strip():
                return choice
        raise ValueError(text)
    if option is bool:
        return _parse_bool(text)
    if option in (int, float):
        return _parse_number(text, option)
    if option in (str, Path):
        return option(text)
    if option is type(None):
        raise ValueError(text)
    raise TypeError(f"settings cannot hold a {option}")  # a mistake in a dataclass, not of a user


def _parse_tuple(items: Sequence[str], option: Any) -> tuple[Any, ...]:
    members = typing.get_args(option)
    if len(members) == 2 and members[1] is Ellipsis:
        return tuple(parse(item, members[0]) for item in items)
    if len(items) != len(members):
        raise ValueError(items)
    return tuple(parse(item, member) for item, member in zip(items, members, strict=True))


def _parse_bool(text: str) -> bool:
    word = text.strip().lower()
    if word not in _TRUE | _FALSE:
        raise ValueError(text)
    return word in _TRUE


def _parse_number(text: str, kind: type[int] | type[float]) -> int | float:
    number = kind(text)
    in_range = math.isfinite(number) if isinstance(number, float) else abs(number) < 2**63
    if not in_range:
        raise ValueError(text)
    return number


def _describe_one(option: Any) -> str:
    origin = typing.get_origin(option)
    members = typing.get_args(option)
    if origin is Literal:
        return "one of " + ", ".join(str(choice) for choice in members)
    if origin is tuple and len(members) == 2 and members[1] is Ellipsis:
        return f"a list ({_describe_one(alternatives(members[0])[0])} each)"
    if origin is tuple:
        return f"a list of {len(members)} values"
    return _NOUNS.get(option, str(option))

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.cli.values import describe, parse, parse_items, render

Triple = tuple[float, float, float]


@pytest.mark.parametrize(
    ("text", "hint", "value"),
    [
        ("3", int, 3),
        ("3", float, 3.0),
        ("1e-3", float, 0.001),
        ("yes", bool, True),
        ("False", bool, False),
        ("off", bool, False),
        ("none", float | None, None),
        ("null", str | None, None),
        ("none", str, "none"),
        ("a b", str, "a b"),
        ("x/y", Path, Path("x/y")),
        ("auto", Literal["auto", "yolox"], "auto"),
        ("person, car", tuple[str, ...] | None, ("person", "car")),
        ("person", tuple[str, ...], ("person",)),
        ("", tuple[str, ...], ()),
        ("1,2.5,3", Triple | None, (1.0, 2.5, 3.0)),
        ("640,480", tuple[int, int] | None, (640, 480)),
        ("12", int | str, 12),
        ("twelve", int | str, "twelve"),
    ],
)
def test_text_becomes_the_value_of_its_type(text: str, hint: Any, value: Any) -> None:
    found = parse(text, hint)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "hint", "message"),
    [
        ("x", int, "must be a whole number, got 'x'"),
        ("1.5", int, "must be a whole number, got '1.5'"),
        ("nan", float, "must be a number, got 'nan'"),
        ("inf", float | None, "must be a number or none, got 'inf'"),
        ("maybe", bool, "must be true or false, got 'maybe'"),
        ("yolo", Literal["auto", "yolox"], "must be one of auto, yolox, got 'yolo'"),
        ("1,2", Triple, "must be a list of 3 values, got '1,2'"),
        ("a,b,c", Triple, "must be a list of 3 values, got 'a,b,c'"),
        ("vido", tuple[Literal["video", "mot"], ...], "must be a list (one of video, mot each), got 'vido'"),
    ],
)
def test_other_text_is_refused_with_what_was_expected(text: str, hint: Any, message: str) -> None:
    with pytest.raises(ValueError, match="must be") as caught:
        parse(text, hint)
    assert str(caught.value) == message


def test_a_list_is_refused_where_one_value_is_expected() -> None:
    with pytest.raises(ValueError, match=r"must be a number, got \[1, 2\]"):
        parse_items(["1", "2"], float)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_number_survives_being_written_and_read(value: float) -> None:
    assert parse(render(value), float) == value


WHOLE = st.integers(-(2**63) + 1, 2**63 - 1)


@given(WHOLE, st.booleans(), st.none() | WHOLE)
def test_other_scalars_survive_too(number: int, flag: bool, optional: int | None) -> None:
    assert parse(render(number), int) == number
    assert parse(render(flag), bool) is flag
    assert parse(render(optional), int | None) == optional


@pytest.mark.parametrize("text", [str(2**63), "-" + "9" * 400])
def test_a_whole_number_beyond_64_bits_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a whole number, got"):
        parse(text, int)


def test_unions_are_described_in_words() -> None:
    assert describe(int | float | None) == "a whole number or a number or none"

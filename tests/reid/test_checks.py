"""Numbers in settings."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest

from reid.checks import check_number, check_whole, is_number
from reid.errors import InputError


@pytest.mark.parametrize(
    ("value", "bounds", "wanted"),
    [
        (-1, {"least": 0}, "a finite number of at least 0"),
        (0, {"above": 0}, "a finite number above 0"),
        (1.5, {"least": 0, "most": 1}, "within 0..1"),
        (1, {"least": 0, "below": 1}, "at least 0 and below 1"),
        (0, {"above": 0, "below": 1}, "above 0 and below 1"),
        (1.1, {"above": 0, "most": 1}, "above 0 and at most 1"),
        (-0.5, {"least": 0, "finite": False}, "a number of at least 0"),
        (math.nan, {"least": 0, "finite": False}, "a number of at least 0"),
        (math.nan, {"above": 0}, "a finite number above 0"),
        (math.inf, {"least": 1}, "a finite number of at least 1"),
        (True, {"least": 0}, "a finite number of at least 0"),
        ("1", {"least": 0}, "a finite number of at least 0"),
        (None, {"least": 0, "most": 0.99999}, "within 0..0.99999"),
    ],
)
def test_what_is_no_number_of_its_range_is_refused(value: Any, bounds: dict[str, Any], wanted: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(f'share must be {wanted}, got {value!r}')}$"):
        check_number("share", value, **bounds)


@pytest.mark.parametrize(
    ("value", "bounds"),
    [
        (0, {"least": 0}),
        (1e-9, {"above": 0}),
        (1, {"least": 0, "most": 1}),
        (0.0, {"least": 0, "below": 1}),
        (1.0, {"above": 0, "most": 1}),
        (math.inf, {"above": 0, "finite": False}),
    ],
)
def test_the_ends_of_a_range_are_in_it_or_not(value: float, bounds: dict[str, Any]) -> None:
    check_number("share", value, **bounds)


@pytest.mark.parametrize(
    ("value", "bounds", "wanted"),
    [
        (0, (1,), "of at least 1"),
        (1.0, (1,), "of at least 1"),
        (True, (1,), "of at least 1"),
        ("1", (1,), "of at least 1"),
        (None, (1,), "of at least 1"),
        (101, (1, 100), "within 1..100"),
        (0, (1, 100), "within 1..100"),
    ],
)
def test_what_is_no_whole_number_of_its_range_is_refused(value: Any, bounds: tuple[int, ...], wanted: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(f'every must be a whole number {wanted}, got {value!r}')}$"):
        check_whole("every", value, *bounds)


def test_whole_numbers_of_a_range_pass() -> None:
    for value in (1, 50, 100):
        check_whole("every", value, 1, 100)
    check_whole("every", 10**12, 1)


def test_numbers_are_finite_and_no_truth_values() -> None:
    assert all(is_number(value) for value in (0, -1.5, 2**70))
    assert not any(is_number(value) for value in (True, math.nan, math.inf, "1", None, [1]))

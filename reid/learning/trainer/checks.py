"""Numbers in settings."""

from __future__ import annotations

import math
from typing import Any

from reid.errors import InputError


def is_number(value: Any) -> bool:
    """Whether it is a finite number, and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def check_number(name: str, value: Any, *, least: float | None = None, above: float | None = None) -> None:
    """Refuse what is no finite number in its range.

    Raises:
        InputError: it is not.
    """
    wanted = f"of at least {least:g}" if least is not None else f"above {above:g}"
    if not is_number(value) or (least is not None and value < least) or (above is not None and value <= above):
        raise InputError(f"{name} must be a finite number {wanted}, got {value!r}")


def check_whole(name: str, value: Any, least: int) -> None:
    """Refuse what is no whole number in its range.

    Raises:
        InputError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InputError(f"{name} must be a whole number of at least {least}, got {value!r}")

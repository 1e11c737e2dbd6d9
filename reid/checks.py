"""Numbers in settings: refused by name where they are not what they must be."""

from __future__ import annotations

import math
from typing import Any

from reid.errors import InputError


def is_number(value: Any) -> bool:
    """Whether it is a finite number, and no truth value."""
    return _is_real(value) and math.isfinite(value)


def check_number(
    name: str,
    value: Any,
    *,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    below: float | None = None,
    finite: bool = True,
) -> None:
    """Refuse what is no number in its range, which is from `least`, or above `above`, to `most`, or below `below`.

    Args:
        name: as the message calls it.
        value: what was given.
        least: lower end; so is `above`. One of the two.
        above: lower end that is not in the range itself.
        most: upper end; so is `below`. One of the two, or none.
        below: upper end that is not in the range itself.
        finite: whether infinity is refused as well.

    Raises:
        InputError: it is not.
    """
    if not (
        _is_real(value)
        and (math.isfinite(value) or not finite)
        and (least is None or value >= least)
        and (above is None or value > above)
        and (most is None or value <= most)
        and (below is None or value < below)
    ):
        low = f"above {above:g}" if least is None else f"at least {least:g}"
        if least is not None and most is not None:
            wanted = f"within {least:g}..{most:g}"
        elif most is not None or below is not None:
            wanted = f"{low} and " + (f"below {below:g}" if most is None else f"at most {most:g}")
        else:
            wanted = ("a finite number " if finite else "a number ") + "of " * (least is not None) + low
        raise InputError(f"{name} must be {wanted}, got {value!r}")


def check_whole(name: str, value: Any, least: int, most: int | None = None) -> None:
    """Refuse what is no whole number in its range.

    Raises:
        InputError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least or (most is not None and value > most):
        wanted = f"of at least {least}" if most is None else f"within {least}..{most}"
        raise InputError(f"{name} must be a whole number {wanted}, got {value!r}")


def _is_real(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

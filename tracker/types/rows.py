"""What is asked of arrays with one row an object, and how a row that is not so is named."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracker.errors import InputError
from tracker.types.arrays import BoolArray, FloatArray

_LARGEST_FLOAT = float(np.finfo(np.float32).max)
UNIT_NORM_TOLERANCE = 1e-2
"""float16 vectors of 2048 dimensions are within 2e-3 of unit length."""


def off_unit(vectors: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Lengths (N,) of vectors (N, D), and which of them are not 1; those that are no finite number are not, either."""
    norm = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))
    return norm, ~(np.abs(norm - 1) <= UNIT_NORM_TOLERANCE)  # ~(...) also catches NaN


def as_rows(name: str, value: Any, shape: tuple[int | None, ...], dtype: type[np.generic]) -> NDArray[Any]:
    """A new array of `dtype`; another shape or kind is refused.

    Raises:
        InputError: it has another shape (None: any side will do), or holds what does not fit the dtype.
    """
    if isinstance(value, np.ndarray) and value.dtype.type is dtype and _is_of_shape(value, shape):
        return np.array(value, dtype=dtype, order="C")
    try:
        array = np.asarray(value)
    except ValueError as error:  # rows of different lengths
        raise InputError(f"{name} must be one array of shape {_shape_text(shape)}: {error}") from error
    if array.size == 0 and array.ndim <= 1 and len(shape) == 2:
        array = array.reshape(0, shape[1] or 0)
    converted = array.dtype != dtype and array.size > 0
    if converted and not _is_of_kind(array, dtype):
        raise InputError(f"{name} must be numbers that fit {np.dtype(dtype).name}, got dtype {array.dtype}")
    if not _is_of_shape(array, shape):
        raise InputError(f"{name} must have shape {_shape_text(shape)}, got {array.shape}")
    if converted:
        _refuse_overflow(name, array, dtype)
    return np.array(array, dtype=dtype, order="C")


def _is_of_kind(array: NDArray[Any], dtype: type[np.generic]) -> bool:
    """Whether numbers of this kind may become numbers of the dtype."""
    if dtype is np.int64 and array.dtype.kind == "f":  # many detectors hand classes over as whole floats
        return bool(np.count_nonzero(array == np.floor(array)) == array.size)
    return array.dtype.kind in {np.float32: "fiu", np.int64: "iu", np.bool_: "b"}[dtype]


def _is_of_shape(array: NDArray[Any], shape: tuple[int | None, ...]) -> bool:
    """Whether all sides are what they must be; None: any."""
    if array.ndim != len(shape):
        return False
    for side, asked in zip(array.shape, shape, strict=True):  # noqa: SIM110 - `all` takes three times as long
        if asked not in (None, side):
            return False
    return True


def _refuse_overflow(name: str, array: NDArray[Any], dtype: type[np.generic]) -> None:
    """Refuse numbers that the dtype cannot hold; NaN and infinity among floats are for the caller to judge."""
    largest = _LARGEST_FLOAT if dtype is np.float32 else float(2**63 - 1024)
    if np.count_nonzero(np.abs(array) <= largest) == array.size:  # not so where there is NaN or infinity
        return
    bad = np.abs(array.astype(np.float64)) > largest
    if dtype is np.float32:
        bad &= np.isfinite(array)
    refuse_row(name, array, bad.reshape(len(array), -1).max(axis=1), f"small enough for {np.dtype(dtype).name}")


def _shape_text(shape: tuple[int | None, ...]) -> str:
    inner = ", ".join("N" if s is None and i == 0 else "D" if s is None else str(s) for i, s in enumerate(shape))
    return f"({inner}{',' if len(shape) == 1 else ''})"


def refuse_row(name: str, array: NDArray[Any], bad: BoolArray, must: str) -> None:
    """Refuse `array` (N, ...) for the rows that are `bad` (N,).

    Raises:
        InputError: there is one; the message names the first, and says what it must be.
    """
    if np.count_nonzero(bad):
        row = int(np.flatnonzero(bad)[0])
        more = f" (and {int(bad.sum()) - 1} more rows)" if bad.sum() > 1 else ""
        value = array[row].tolist() if array[row].size <= 8 else "a row of " + str(array[row].size)
        raise InputError(f"{name}[{row}] must be {must}, got {value}{more}")

"""The store's layout and the words of its records, which the writer and the reader share."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from reid.errors import DataError

SCHEMA: Final = "reidtrack.tracklets"
SCHEMA_VERSION: Final = 1
RECORDS: Final = "store.jsonl"
"""One JSON object a line; lines are only ever added."""
PICTURES: Final = "pictures"
"""Folder of the crops."""


def picture_path(folder: Path, tracklet: int, frame: int) -> Path:
    """Where the crop of a tracklet in a frame lies."""
    return folder / PICTURES / f"{tracklet:06d}" / f"{frame:08d}.jpg"


def records(folder: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number, from 1, and record of each whole line; the first is the header, checked. Damaged lines give {}.

    Raises:
        DataError: as `read_tracklets`.
    """
    path = folder / RECORDS
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    break
                record = parse(line)
                if number == 1:
                    check_header(path, record)
                yield number, record
    except FileNotFoundError:
        raise DataError(f"{folder} is no tracklet store: it has no {RECORDS}") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error


def new_header() -> dict[str, Any]:
    """The first record of a store."""
    return {"schema": SCHEMA, "version": SCHEMA_VERSION, "program": f"reidtrack {_program_version()}"}


def encode_record(record: dict[str, Any]) -> bytes:
    """A record as a line, without its end.

    Raises:
        ValueError: a number is not finite.
    """
    # a name may hold bytes that are not UTF-8: ASCII escapes carry them
    return json.dumps(record, allow_nan=False, separators=(",", ":")).encode()


def parse(line: bytes) -> dict[str, Any]:
    """The record of a line, {} where it is damaged."""
    try:
        record = json.loads(line)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def check_header(path: Path, header: dict[str, Any]) -> None:
    """Refuse the first record of a file that is no store, or one of a later version.

    Raises:
        DataError: it is one.
    """
    if header.get("schema") != SCHEMA:
        raise DataError(
            f"{path} must begin with a header of schema {SCHEMA!r}, got {header.get('schema')!r}: it is damaged, "
            "or no tracklet store"
        )
    version = header.get("version")
    if not isinstance(version, int) or version > SCHEMA_VERSION:
        raise DataError(
            f"{path} must be of version {SCHEMA_VERSION} or lower, got {version!r}: it was written by a later "
            "reidtrack; update this one"
        )


def _program_version() -> str:
    try:
        return metadata.version("reidtrack")
    except metadata.PackageNotFoundError:  # run from a source tree that is not installed
        return "unknown"

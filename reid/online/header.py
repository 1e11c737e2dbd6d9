"""The header of an online folder, `online.json`: what the folder is, and the embedder that it was begun with."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reid.errors import DataError
from reid.online.files import read_json, write_json

SCHEMA: Final = "reidtrack.online"
SCHEMA_VERSION: Final = 1
HEADER: Final = "online.json"
_ADVICE: Final = "put a copy back"


@dataclass(frozen=True, slots=True)
class BaseModel:
    """The embedder that a folder was begun with."""

    name: str
    """What it is called."""
    sha256: str
    """SHA-256 of its file, in hexadecimal."""
    default: bool = False
    """Whether it was asked for as `default`."""


def noted_base(path: Path) -> tuple[BaseModel | None, str]:
    """What the header of a folder says that it was begun with; None where it does not, and why.

    Raises:
        DataError: it is of something else, or of a later version.
    """
    try:
        header = read_json(path / HEADER, advice=_ADVICE)
    except DataError as error:
        return None, str(error)
    if header is None:
        return None, f"{path} has no {HEADER}"
    if header.get("schema") != SCHEMA:
        raise DataError(f"{path / HEADER} must be of schema {SCHEMA!r}, got {header.get('schema')!r}")
    version, base = header.get("version"), header.get("base")
    if not isinstance(version, int) or version > SCHEMA_VERSION:
        raise DataError(
            f"{path / HEADER} must be of version {SCHEMA_VERSION} or lower, got {version!r}: it was made by a "
            "later reidtrack; update this one"
        )
    if not isinstance(base, dict) or not isinstance(base.get("sha256"), str):
        return None, f"{path / HEADER} is damaged: base must have a name and a sha256, got {base!r}; {_ADVICE}"
    return BaseModel(str(base.get("name")), base["sha256"], base.get("default") is True), ""


def kept_base(path: Path) -> BaseModel | None:
    """What a folder was begun with by the copy that it has of it, `models/0-<first digits of its SHA-256>.onnx`.

    None where that is gone or damaged. Neither what it was called nor whether it was the default is known so.
    """
    for copy in (path / "models").glob("0-*.onnx"):
        with contextlib.suppress(OSError), copy.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            if copy.name == f"0-{sha256[:12]}.onnx":
                return BaseModel(copy.name, sha256)
    return None


def write_header(path: Path, base: BaseModel) -> None:
    """Say in a folder that it is an online folder, and what it was begun with.

    Raises:
        OSError: it cannot be written; the old header is still there.
    """
    write_json(path / HEADER, {"schema": SCHEMA, "version": SCHEMA_VERSION, "base": dataclasses.asdict(base)})

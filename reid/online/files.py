"""Small JSON files that hold the old content or the new, whatever happens meanwhile."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reid.errors import DataError


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Replace a file by one with this content; who writes keeps other writers out.

    Raises:
        OSError: it cannot be written; the old file is still there.
    """
    write_whole(path, (json.dumps(dict(content), allow_nan=False, indent=1) + "\n").encode())


def write_whole(path: Path, data: bytes) -> None:
    """Replace a file: its name stands for the old bytes or the new ones, and these are on the disk by then."""
    draft = path.with_name(f".{path.name}-draft")  # always the same: what a kill leaves is overwritten next time
    try:
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def read_json(path: Path) -> dict[str, Any] | None:
    """The content of a file, None where there is none.

    Raises:
        DataError: it is not a JSON object, or cannot be read.
    """
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise DataError(f"{path} is damaged: it must be JSON, {error}; delete it, or put a copy back") from error
    if not isinstance(content, dict):
        raise DataError(f"{path} is damaged: it must be a JSON object, got {type(content).__name__}; delete it")
    return content


def sync_folder(folder: Path) -> None:
    """Make names in a folder last, where the system can: a power cut may otherwise bring an old one back."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

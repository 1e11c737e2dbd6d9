"""Checks of arguments that are made before anything is opened or written."""

from __future__ import annotations

from pathlib import Path

from tracker.cli.errors import UsageError


def require_path(flag: str, path: Path) -> None:
    """Refuse a path that does not exist.

    Raises:
        UsageError: there is neither a file nor a folder.
    """
    if not path.exists():
        raise UsageError(f"{flag}: there is no file or folder {path}")

"""What lies in a folder, in an order that people expect."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from reid.data.pictures import PICTURE_SUFFIXES
from reid.errors import DataError

VIDEO_SUFFIXES = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".ts"})
T = TypeVar("T")
_LICENCE = re.compile(r"licen[cs]e(\.(txt|md))?", re.IGNORECASE)


def natural(path: Path) -> list[tuple[int, int, str]]:
    """Sorts `2.jpg` before `10.jpg` and `a.jpg` before `B.jpg`, by the path's last part."""
    parts = re.split(r"(\d+)", path.name.casefold())
    key = [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts]
    return [*key, (2, 0, path.name)]


def entries(folder: Path) -> tuple[list[Path], list[Path]]:
    """Sub-folders and files, each in natural order; hidden ones are left out.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with os.scandir(folder) as found:
            seen = [(entry.is_dir(), entry.name) for entry in found if not entry.name.startswith((".", "__"))]
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}") from error
    folders = sorted((folder / name for is_folder, name in seen if is_folder), key=natural)
    return folders, sorted((folder / name for is_folder, name in seen if not is_folder), key=natural)


def pictures_in(folder: Path) -> list[Path]:
    """Picture files directly in a folder, in natural order."""
    return [path for path in entries(folder)[1] if path.suffix.lower() in PICTURE_SUFFIXES]


def describe(folder: Path) -> str:
    """What was found, for a message: `3 folders (a, b, c), 12 .jpg, 1 .txt`."""
    folders, files = entries(folder)
    names = ", ".join(path.name for path in folders[:4]) + (", ..." if len(folders) > 4 else "")
    parts = [f"{len(folders)} folder{'s' * (len(folders) > 1)} ({names})"] if folders else []
    counts = Counter(path.suffix.lower() or path.name for path in files)
    parts += [f"{count} {suffix}" for suffix, count in counts.most_common(4)]
    return ", ".join(parts) or "nothing"


def first_few(items: Sequence[T], most: int, say: Callable[[T], str] = str) -> str:
    """So many of them for a message, as `say` puts it, and how many more there are."""
    more = [f"and {len(items) - most} more"] if len(items) > most else []
    return "; ".join([*map(say, items[:most]), *more])


def stated_licence(folder: Path) -> str | None:
    """First line with text of a file LICENSE or LICENCE (.txt, .md) in the folder.

    Not of one above it: that may be the licence of a program in whose folder the data happens to lie.
    """
    for path in entries(folder)[1]:
        if _LICENCE.fullmatch(path.name):
            text = path.read_text(encoding="utf-8", errors="replace")
            return next((line.strip(" #\t") for line in text.splitlines() if line.strip(" #\t")), None)
    return None

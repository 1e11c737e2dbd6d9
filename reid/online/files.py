"""Small JSON files that hold the old content or the new, whatever happens meanwhile; and deleting of many things."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from reid.atomic import sync_folder, write_whole
from reid.errors import DataError

__all__ = ["Undeleted", "check_free", "delete_each", "is_full", "read_json", "sync_folder", "write_json", "write_whole"]

_logger = logging.getLogger(__name__)
_Thing = TypeVar("_Thing")


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Replace a file by one with this content; who writes keeps other writers out.

    Raises:
        OSError: it cannot be written; the old file is still there.
    """
    write_whole(path, (json.dumps(dict(content), allow_nan=False, indent=1) + "\n").encode())


def check_free(folder: Path, least_mb: int) -> None:
    """Refuse to write where the disk is about to be full, whoever fills it.

    Raises:
        OSError: less than so many megabytes are free.
    """
    if shutil.disk_usage(folder).free < least_mb * 1_000_000:
        raise OSError(errno.ENOSPC, f"less than {least_mb} MB are free", str(folder))


def is_full(error: OSError) -> bool:
    """Whether it says that a disk, or what one may have of it, is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def delete_each(delete: Callable[[_Thing], None], things: Iterable[_Thing]) -> None:
    """Delete all of them; one that cannot be deleted keeps none of the others.

    Raises:
        OSError: of the last one that could not be.
    """
    failed: OSError | None = None
    for thing in things:
        try:
            delete(thing)
        except OSError as error:
            failed = error
    if failed is not None:
        raise failed


class Undeleted:
    """Why something is still there that was to be deleted; who keeps other things goes on."""

    why: str | None = None
    """None once all went that was to go."""

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """Delete within; that something cannot be deleted is said once, and kept in `why`."""
        try:
            yield
        except OSError as error:
            why = f"what should be gone cannot be deleted: {error}"
            if why != self.why:
                _logger.warning("%s", why)
            self.why = why
        else:
            self.why = None


def read_json(path: Path, *, advice: str = "delete it, or put a copy back") -> dict[str, Any] | None:
    """The content of a file, None where there is none.

    Args:
        path: of the file.
        advice: what to do where it is damaged, for the message.

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
        raise DataError(f"{path} is damaged: it must be JSON, {error}; {advice}") from error
    if not isinstance(content, dict):
        raise DataError(f"{path} is damaged: it must be a JSON object, got {type(content).__name__}; {advice}")
    return content

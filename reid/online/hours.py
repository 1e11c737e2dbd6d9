"""Names of the folders that a harvest lies in: one a camera, and in it one an hour of UTC."""

from __future__ import annotations

import calendar
import hashlib
import re
import time
from typing import Final

HOUR_S: Final = 3600.0
DAY_S: Final = 86400.0
_LATEST_UNIX_S: Final = 253402300799  # the last second of the year 9999: a broken clock may say anything
_HOUR: Final = re.compile(r"\d{8}-\d{2}")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]")
_LONGEST: Final = 48


def hour_name(unix_s: float) -> str:
    """The hour of a moment, such as `20260131-09`."""
    return time.strftime("%Y%m%d-%H", time.gmtime(min(max(unix_s, 0.0), _LATEST_UNIX_S)))


def hour_begin(name: str) -> float | None:
    """When an hour begins, seconds since 1970; None for other names."""
    if not _HOUR.fullmatch(name):
        return None
    try:
        return float(calendar.timegm(time.strptime(name, "%Y%m%d-%H")))
    except ValueError:
        return None


def camera_folder(camera: str) -> str:
    """A folder name for a camera: its name where that will do, else what is left of it and a digest of the whole."""
    safe = _UNSAFE.sub("_", camera)
    if safe == camera and camera.strip("._") and not camera.startswith((".", "__")) and len(camera) <= _LONGEST:
        return camera
    digest = hashlib.sha256(camera.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{safe.strip('._')[:_LONGEST] or 'camera'}-{digest}"

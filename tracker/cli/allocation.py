"""Memory that was freed stays with the process, so that the next frame finds it."""

from __future__ import annotations

import ctypes
import os
import platform

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD, see mallopt(3)
_LARGEST_BYTES = 32 << 20  # the most that mallopt takes for the second: a picture of 4K has 25 MB
_KEPT_BYTES = 64 << 20
_VARIABLES = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


def keep_freed_memory() -> bool:
    """Have glibc keep up to 64 MB that were freed, of each of its arenas; whether it does.

    A frame and what is computed of it are megabytes that are allocated and freed again each time. By itself glibc hands
    them back to the system, which has to find and to clear pages for the next frame. Nothing is changed under another C
    library, or where the environment has settings of its own.
    """
    if platform.libc_ver()[0] != "glibc" or any(name in os.environ for name in _VARIABLES):
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_MMAP_THRESHOLD, _LARGEST_BYTES)) and bool(mallopt(_TRIM_THRESHOLD, _KEPT_BYTES))

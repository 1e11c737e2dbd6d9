"""Memory that was freed is used again."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from tracker.cli.allocation import keep_freed_memory

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is another one")
_FAULTS = """
import resource
import numpy as np
from tracker.cli.allocation import keep_freed_memory

def work():
    arrays = [np.ones(8 << 20, np.uint8) for _ in range(6)]  # 48 MB: 12288 pages

if {keeps}:
    assert keep_freed_memory()
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(keeps: bool) -> int:
    """How often the system had to find a page for what was freed a moment ago."""
    code = [sys.executable, "-c", _FAULTS.format(keeps=keeps)]
    return int(subprocess.run(code, check=True, capture_output=True, text=True).stdout)


def test_pages_of_the_frame_before_are_used_again() -> None:
    assert faults(True) < 1000
    assert faults(False) > 10_000, "as it would be by itself, or there is nothing to do"


@pytest.mark.parametrize("name", ["MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES"])
def test_settings_of_the_environment_are_left_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    assert not keep_freed_memory()


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.libc_ver", lambda: ("", ""))
    assert not keep_freed_memory()

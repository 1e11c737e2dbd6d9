"""OpenCV leaves a core to whoever tracks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

CORES = cv2.getNumberOfCPUs()
several = pytest.mark.skipif(CORES < 2, reason="there is one core: nothing can be left")


def threads_after(line: str, **environment: str) -> int:
    """How many threads OpenCV takes in a process after a line of Python."""
    own = {name: value for name, value in os.environ.items() if name != "OPENCV_FOR_THREADS_NUM"}
    code = f"import cv2\nfrom tracker.cli import main, picture_threads\n{line}\nprint(cv2.getNumThreads())"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env={**own, **environment}
    )
    return int(done.stdout)


@several
@pytest.mark.parametrize("command", ["track", "demo"])
def test_a_run_leaves_a_core(command: str, tmp_path: Path) -> None:
    picture = tmp_path / "pictures" / "000001.png"
    picture.parent.mkdir()
    cv2.imwrite(str(picture), np.zeros((64, 64, 3), np.uint8))
    words = ["track", str(picture.parent)] if command == "track" else ["demo", "--duration-s", "4"]
    words += ["--out", str(tmp_path / "out"), "--quiet"]
    assert threads_after(f"assert main.main({words!r}) == 0") == CORES - 1


def test_one_that_takes_fewer_is_left_alone() -> None:
    many = "cv2.getNumberOfCPUs = lambda: 64"
    assert threads_after(f"{many}; cv2.setNumThreads(1); picture_threads.leave_a_core()") == 1


def test_the_environment_has_its_way() -> None:
    more = CORES + 1
    assert threads_after("picture_threads.leave_a_core()", OPENCV_FOR_THREADS_NUM=str(more)) == more

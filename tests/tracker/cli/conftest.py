"""A street of pictures with known detections, for tests of whole runs of `reidtrack track`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from tracker.cli.main import main


@pytest.fixture
def street(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """Pictures, and detections of somebody who is missed in some of them; the working folder.

    The test's module says how many pictures (FRAMES), and in which frames nobody is found (MISSED).
    """
    frames = range(1, request.module.FRAMES + 1)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "street").mkdir()
    for number in frames:
        cv2.imwrite(f"street/{number:02}.png", np.full((120, 160, 3), number, np.uint8))
    rows = [f"{f},-1,60,30,20,60,0.9\n" for f in frames if f not in request.module.MISSED]
    (tmp_path / "det.txt").write_text("".join(rows), encoding="ascii")
    return tmp_path


@pytest.fixture
def track(street: Path) -> Callable[..., int]:
    """`reidtrack track` on that street with further words -> the exit status."""
    words = ("track", "street", "--detector", "det.txt", "--embedder", "none", "--out", "out")
    return lambda *more: main([*words, *more])

"""An online folder, and frames to harvest from."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from reid.online import BaseModel, OnlineFolder
from reid.online.sheaf import Sheaf, Stretch


@pytest.fixture
def folder(tmp_path) -> OnlineFolder:
    return OnlineFolder.make(tmp_path / "online", BaseModel("default.onnx", "ab" * 32))


@pytest.fixture
def fast_disk(monkeypatch):
    """Waits for no disk: what a kill of a process leaves is the same, and hundreds of files are written."""
    monkeypatch.setattr(os, "fsync", lambda file: None)


@pytest.fixture
def protect(monkeypatch) -> Callable[..., None]:
    """`protect(*paths)`: nobody may delete these and what is below; root, who may run the tests, may delete any."""
    unlink, kept = Path.unlink, list[Path]()

    def deny(path, missing_ok=False):
        if any(each == path or each in path.parents for each in kept):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        unlink(path, missing_ok=missing_ok)

    def protect(*paths: Path) -> None:
        monkeypatch.setattr(Path, "unlink", deny)
        kept[:] = paths

    return protect


class Clock:
    """A clock that is set by hand."""

    def __init__(self, now_s: float = 1_780_000_000.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sheaf() -> Callable[..., Sheaf]:
    """`make(hour, frame, pieces, ...)`: a crop of each piece; pieces of a frame were seen together."""

    def make(
        hour="20260601-10", frame=1, pieces=(1, 2), *, number=1, began=1_780_000_000.0, together=True, doubts=None,
        size_px=(24, 12), identities=None, time_s=None, seed=None,
    ):  # fmt: skip
        pieces, n = np.array(pieces, np.int64), len(pieces)
        rng = np.random.default_rng(frame if seed is None else seed)
        pairs = np.array([(a, b) for a in pieces for b in pieces if a < b and together], np.int64).reshape(-1, 2)
        return Sheaf(
            Stretch(number, hour, began),
            frame,
            float(frame if time_s is None else time_s),
            tuple(rng.integers(0, 256, (*size_px, 3), np.uint8) for _ in range(n)),
            pieces,
            pieces if identities is None else np.array(identities, np.int64),
            np.tile([0.0, 0.0, 64.0, 128.0], (n, 1)),
            np.full(n, 0.9),
            np.zeros(n),
            np.zeros(n, np.int64),
            pairs,
            doubts or {},
        )

    return make

"""Runs the command as a user does, in a process of its own, and reads what it wrote."""

from __future__ import annotations

import csv
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import pytest


@dataclass(frozen=True)
class Command:
    """`reidtrack` in one working folder."""

    folder: Path

    def start(self, *words: object, largest_file_bytes: int | None = None) -> subprocess.Popen[str]:
        """Start it. Ctrl-C reaches it also where the tests run in the background, whose children ignore it."""

        def prepare() -> None:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            if largest_file_bytes is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file_bytes, largest_file_bytes))

        return subprocess.Popen(
            [sys.executable, "-m", "tracker.cli.main", *(str(word) for word in words)],
            cwd=self.folder,
            env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=prepare,
        )

    def __call__(self, *words: object, **limits: Any) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        process = self.start(*words, **limits)
        out, err = process.communicate(timeout=300)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@dataclass(frozen=True)
class Outputs:
    """What a run left in a folder; reading asserts that it is valid."""

    folder: Path

    def mot(self) -> list[list[float]]:
        """Rows of ten numbers."""
        rows = [[float(value) for value in line.split(",")] for line in self._text("tracks.txt").splitlines()]
        assert all(len(row) == 10 for row in rows)
        return rows

    def jsonl(self) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The header and the frames."""
        text = self._text("tracks.jsonl")
        assert text.endswith("\n")
        header, *frames = [json.loads(line) for line in text.splitlines()]
        assert (header["schema"], header["version"]) == ("reidtrack.tracks", 1)
        return header, frames

    def csv(self) -> list[dict[str, str]]:
        """Rows by column."""
        with (self.folder / "tracks.csv").open(newline="") as file:
            return list(csv.DictReader(file))

    def video_frames(self) -> int:
        """How many frames of the annotated video decode."""
        [path] = self.folder.glob("annotated.*")
        capture = cv2.VideoCapture(str(path))
        frames = 0
        while capture.read()[0]:
            frames += 1
        capture.release()
        return frames

    def _text(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def start_in() -> Callable[[Path], Command]:
    """The command in a folder of the caller's choice, for runs that several tests share."""
    return Command


@pytest.fixture
def reidtrack(tmp_path: Path) -> Command:
    """The command, in the test's own folder."""
    return Command(tmp_path)


@pytest.fixture
def outputs() -> Callable[[Path], Outputs]:
    """Reads the results in a folder."""
    return Outputs

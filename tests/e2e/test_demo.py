"""`reidtrack demo` from outside, on the beginning of a clip; the whole one is what `make demo` runs."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import cv2
import pytest

Command = Any  # the fixtures of conftest.py
Outputs = Any
Run = tuple[Path, "subprocess.CompletedProcess[str]"]

WORDS = ("demo", "--out", "out", "--seed", "100", "--duration-s", "4")


@pytest.fixture(scope="module")
def demo(start_in: Any, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One run for all tests, and the folder that it ran in."""
    folder = tmp_path_factory.mktemp("demo")
    return folder, start_in(folder)(*WORDS)


def test_the_demo_writes_everything_and_prints_its_scores(demo: Run, start_in: Any, outputs: Outputs) -> None:
    tmp_path, done = demo
    reidtrack = start_in(tmp_path)
    assert done.returncode == 0, done.stderr
    assert all(word in done.stdout for word in ("HOTA", "IDF1", "switches", "render", "detect", "embed", "track"))
    out = tmp_path / "out"
    found = outputs(out)
    _, frames = found.jsonl()
    assert [frame["frame"] for frame in frames] == list(range(1, 101))
    assert found.video_frames() == 100
    assert all(len(line.split(",")) == 9 for line in (out / "truth.txt").read_text().splitlines())
    assert cv2.imread(str(out / "contact_sheet.png")) is not None
    for path in ("annotated", "tracks.txt", "tracks.jsonl", "truth.txt", "contact_sheet.png"):
        assert f"wrote out/{path}" in done.stdout
    scored = reidtrack("eval", "--gt", "out/truth.txt", "--tracks", "out/tracks.txt")
    assert scored.returncode == 0, scored.stderr


def test_the_same_seed_gives_the_same_tracks(demo: Run, reidtrack: Command, tmp_path: Path) -> None:
    assert reidtrack(*WORDS).returncode == 0
    first = demo[0] / "out"
    assert (first / "tracks.txt").stat().st_size > 0
    assert (first / "tracks.txt").read_bytes() == (tmp_path / "out/tracks.txt").read_bytes()
    assert (first / "truth.txt").read_bytes() == (tmp_path / "out/truth.txt").read_bytes()


def test_earlier_results_are_kept(reidtrack: Command, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "truth.txt").write_text("mine\n")
    done = reidtrack("demo", "--out", "out", "--duration-s", "4", "--embedder", "none")
    assert done.returncode == 2
    assert "out holds results already (truth.txt)" in done.stderr
    assert (tmp_path / "out" / "truth.txt").read_text() == "mine\n"

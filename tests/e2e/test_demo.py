"""`reidtrack demo` from outside, on the beginning of a clip; the whole one is what `make demo` runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2

Command = Any  # the fixtures of conftest.py
Outputs = Any


def test_the_demo_writes_everything_and_prints_its_scores(reidtrack: Command, outputs: Outputs, tmp_path: Path) -> None:
    done = reidtrack("demo", "--out", "out", "--seed", "100", "--duration-s", "4")
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


def test_the_same_seed_gives_the_same_tracks(reidtrack: Command, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        words = ("demo", "--out", folder, "--seed", "101", "--duration-s", "4", "--embedder", "none")
        assert reidtrack(*words).returncode == 0
    assert (tmp_path / "a/tracks.txt").stat().st_size > 0
    assert (tmp_path / "a/tracks.txt").read_bytes() == (tmp_path / "b/tracks.txt").read_bytes()
    assert (tmp_path / "a/truth.txt").read_bytes() == (tmp_path / "b/truth.txt").read_bytes()


def test_earlier_results_are_kept(reidtrack: Command, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "truth.txt").write_text("mine\n")
    done = reidtrack("demo", "--out", "out", "--duration-s", "4", "--embedder", "none")
    assert done.returncode == 2
    assert "out holds results already (truth.txt)" in done.stderr
    assert (tmp_path / "out" / "truth.txt").read_text() == "mine\n"

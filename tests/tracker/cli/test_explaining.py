"""`reidtrack track --save explain` and `--reasons`."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from tracker.cli.main import main


@pytest.fixture
def street(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twelve pictures, and detections of somebody who is missed in one of them; the working folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "street").mkdir()
    for number in range(1, 13):
        cv2.imwrite(f"street/{number:02}.png", np.full((120, 160, 3), number, np.uint8))
    rows = [f"{f},-1,60,30,20,60,0.9\n" for f in range(1, 13) if f != 6]
    (tmp_path / "det.txt").write_text("".join(rows), encoding="ascii")
    return tmp_path


def track(*words: str) -> int:
    return main(["track", "street", "--detector", "det.txt", "--embedder", "none", "--out", "out", *words])


def test_reasons_are_written_and_the_summary_counts_matches(street: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert track("--save", "explain,video", "--reasons") == 0
    header, *frames = [json.loads(line) for line in (street / "out/explain.jsonl").read_text().splitlines()]
    assert header["schema"] == "reidtrack.explanations"
    assert [frame["frame"] for frame in frames] == list(range(1, 13))
    assert [frame["matched"] for frame in frames] == [0, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1]
    assert frames[5]["matches"][0] == {
        "track_id": 1, "outcome": "lost", "stage": None, "detection": None, "detection_by_motion": None,
        "unseen_s": 0.04, "candidates": [],
    }  # fmt: skip
    shown = capsys.readouterr().out
    assert "10 matches, 0 decided by appearance" in shown
    assert "wrote out/explain.jsonl" in shown


def test_frames_between_are_said_to_be_predicted(street: Path) -> None:
    assert track("--save", "explain", "--every", "2") == 0
    frames = [json.loads(line) for line in (street / "out/explain.jsonl").read_text().splitlines()][1:]
    assert [frame["detected"] for frame in frames] == [True, False] * 6
    assert all("matches" in frame for frame in frames[::2])
    assert all(set(frame) == {"frame", "time_s", "detected"} for frame in frames[1::2])


def test_earlier_reasons_are_not_overwritten_unasked(street: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert track("--save", "explain") == 0
    assert track("--save", "explain") == 2
    assert "explain.jsonl" in capsys.readouterr().err
    assert track("--save", "explain", "--overwrite") == 0

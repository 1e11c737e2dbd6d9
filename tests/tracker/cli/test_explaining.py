"""`reidtrack track --save explain` and `--reasons`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

FRAMES, MISSED = 12, (6,)


def test_reasons_are_written_and_the_summary_counts_matches(
    street: Path, track: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
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


def test_frames_between_are_said_to_be_predicted(street: Path, track: Callable[..., int]) -> None:
    assert track("--save", "explain", "--every", "2") == 0
    frames = [json.loads(line) for line in (street / "out/explain.jsonl").read_text().splitlines()][1:]
    assert [frame["detected"] for frame in frames] == [True, False] * 6
    assert all("matches" in frame for frame in frames[::2])
    assert all(set(frame) == {"frame", "time_s", "detected"} for frame in frames[1::2])


def test_earlier_reasons_are_not_overwritten_unasked(
    street: Path, track: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert track("--save", "explain") == 0
    assert track("--save", "explain") == 2
    assert "explain.jsonl" in capsys.readouterr().err
    assert track("--save", "explain", "--overwrite") == 0

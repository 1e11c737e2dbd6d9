"""The soak: what it would notice, and a short one."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tracker.types import TrackEvent, Tracks


@pytest.fixture
def soak() -> ModuleType:
    import soak as module

    return module


def said(ids: list[int], *events: tuple[Any, ...], time_s: float = 1.0) -> Tracks:
    """Events are (kind, number) or (kind, number, the number it replaces)."""
    n = len(ids)
    told = tuple(TrackEvent(kind, number, time_s, *replaces) for kind, number, *replaces in events)
    zeros, scores = np.zeros(n, np.int64), np.ones(n, np.float32)
    return Tracks(np.array(ids, np.int64), np.zeros((n, 4), np.float32), scores, zeros, zeros, time_s, told)


TWO_ARE_BORN = said([1, 2], ("born", 1), ("born", 2))
ONE_LEFT = said([2], ("ended", 1))
CLAIM = [TWO_ARE_BORN, ONE_LEFT, said([2, 3], ("born", 3)), said([2, 1], ("recalled", 1, 3))]
"""3 turns out to be 1 who is back, so that nobody has the number 3."""


@pytest.mark.parametrize(
    "story",
    [
        [*CLAIM, said([2, 3], ("corrected", 3, 1)), said([2, 3, 1], ("recalled", 1))],
        [TWO_ARE_BORN, said([2, 1], ("recalled", 1, 2), ("recalled", 2, 1))],
        [TWO_ARE_BORN, said([2, 3, 4], ("born", 4), ("corrected", 3, 1)), said([2, 3])],
        [TWO_ARE_BORN, said([2]), said([2, 1], ("recovered", 1)), said([2]), said([2], ("ended", 1))],
    ],
    ids=["a claim is passed on", "two swap", "a track goes over to a stranger", "a lost one is found"],
)
def test_honest_numbers_pass(soak: ModuleType, story: list[Tracks]) -> None:
    numbers = soak.Numbers()
    for tracks in story:
        numbers.watch(tracks)
    assert numbers.faults == []


def test_numbers_are_counted(soak: ModuleType) -> None:
    numbers = soak.Numbers()
    for tracks in CLAIM:
        numbers.watch(tracks)
    assert (numbers.born, numbers.recalled, numbers.highest) == (3, 1, 3)


@pytest.mark.parametrize(
    ("story", "fault"),
    [
        ([TWO_ARE_BORN, ONE_LEFT, said([2, 1], ("born", 1))], "1 was born"),
        ([TWO_ARE_BORN, ONE_LEFT, said([2, 1])], "[1] came up at 1.00 s unannounced"),
        ([*CLAIM, said([2, 1, 3])], "[3] came up at 1.00 s unannounced"),
        ([TWO_ARE_BORN, said([1, 2, 9])], "[9] came up at 1.00 s unannounced"),
        ([TWO_ARE_BORN, said([1, 2, 40], ("recalled", 40))], "40 was recalled at 1.00 s although nobody ever had it"),
        ([TWO_ARE_BORN, said([1, 2, 40], ("recovered", 40))], "40 was recovered at 1.00 s although nobody ever"),
        ([TWO_ARE_BORN, said([2, 1], ("recalled", 1))], "1 was recalled at 1.00 s although somebody had it"),
        ([TWO_ARE_BORN, said([1, 2, 3], ("corrected", 3, 7))], "7, which nobody had, was taken away"),
        ([TWO_ARE_BORN, said([1, 2], ("ended", 3))], "3, which nobody had, was taken away"),
        ([said([1, 1], ("born", 1))], "given twice"),
        ([said([1], ("born", 1), ("born", 1))], "1 was born"),
        ([TWO_ARE_BORN, ONE_LEFT, said([1], ("corrected", 1, 2))], "1 was given by a correction"),
    ],
)
def test_reuse_is_noticed(soak: ModuleType, story: list[Tracks], fault: str) -> None:
    numbers = soak.Numbers()
    for tracks in story[:-1]:
        numbers.watch(tracks)
    assert numbers.faults == []
    numbers.watch(story[-1])
    assert fault in numbers.faults[0]


def test_growth_and_slowing_down_are_noticed(soak: ModuleType) -> None:
    flat, numbers = [100.0] * 20, soak.Numbers()
    assert soak.verdicts(flat, flat, numbers, 1.2, 5) == []
    assert soak.verdicts(flat, [80.0, 100.0] + [104.0] * 18, numbers, 1.2, 5) == [], "the start may grow"
    assert "memory grew by 9.0 MB" in soak.verdicts(flat, [100.0] * 19 + [109.0], numbers, 1.2, 5)[0]
    assert "125.0 yardsticks at the end" in soak.verdicts([100.0] * 15 + [125.0] * 5, flat, numbers, 1.2, 5)[0]


def test_a_short_one(soak: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--updates", "400", "--objects", "6", "--lifetime-s", "1", "--slower", "1000", "--memory-mb", "1000"]
    assert soak.main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 21
    assert lines[-1] == "memory flat, time flat, no number used twice"
    assert int(lines[-2].split(" MB, ")[1].split()[0]) > 20, "objects came and went"


def test_too_few_updates_are_refused(soak: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert soak.main(["--updates", "3"]) == 2
    assert "--updates must be at least 20" in capsys.readouterr().err

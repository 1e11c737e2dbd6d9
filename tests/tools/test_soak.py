"""The soak: what it would notice, and a short one."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from tracker.types import TrackEvent, Tracks


@pytest.fixture
def soak() -> ModuleType:
    import soak as module

    return module


def said(ids: list[int], *events: tuple[str, int], time_s: float = 1.0) -> Tracks:
    n = len(ids)
    told = tuple(TrackEvent(kind, number, time_s) for kind, number in events)  # type: ignore[arg-type]
    zeros, scores = np.zeros(n, np.int64), np.ones(n, np.float32)
    return Tracks(np.array(ids, np.int64), np.zeros((n, 4), np.float32), scores, zeros, zeros, time_s, told)


def test_honest_numbers_pass(soak: ModuleType) -> None:
    numbers = soak.Numbers()
    for tracks in (
        said([1, 2], ("born", 1), ("born", 2)),
        said([2], ("ended", 1)),
        said([2, 3], ("born", 3)),
        said([1, 2, 3], ("recalled", 1)),
    ):
        numbers.watch(tracks)
    assert numbers.faults == []
    assert (numbers.born, numbers.recalled, numbers.highest) == (3, 1, 3)


@pytest.mark.parametrize(
    ("story", "fault"),
    [
        ([said([1], ("born", 1)), said([], ("ended", 1)), said([1], ("born", 1))], "1 was born"),
        ([said([1], ("born", 1)), said([], ("ended", 1)), said([1])], "came back"),
        ([said([1, 1], ("born", 1))], "given twice"),
        ([said([1], ("born", 1)), said([], ("ended", 1)), said([1], ("corrected", 1))], "by a correction"),
    ],
)
def test_reuse_is_noticed(soak: ModuleType, story: list[Tracks], fault: str) -> None:
    numbers = soak.Numbers()
    for tracks in story:
        numbers.watch(tracks)
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

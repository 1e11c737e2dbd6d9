"""The ablation: every idea can be switched off, and what is printed is what it is worth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("trackeval", reason="needs the extra [eval]")

FRAMES, PEOPLE = 40, 4


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """People who pass each other, in a sequence of MOT17, and in one of MOT15 with weak detections half of the time."""
    root = tmp_path_factory.mktemp("data")
    for kind, tail in (("MOT17/MOT17-09", ",1,1,1"), ("MOT15/Venice-2", ",1,-1,-1,-1")):
        folder = root / "gt_text" / kind
        (folder / "gt").mkdir(parents=True)
        info = {"frameRate": 20, "seqLength": FRAMES, "imWidth": 1000, "imHeight": 500}
        (folder / "seqinfo.ini").write_text("[Sequence]\n" + "".join(f"{k}={v}\n" for k, v in info.items()))
        rows = [(f, p, 100 * p + (8 if p % 2 else -8) * f) for f in range(1, FRAMES + 1) for p in range(1, PEOPLE + 1)]
        (folder / "gt" / "gt.txt").write_text("".join(f"{f},{p},{x},100,40,100{tail}\n" for f, p, x in rows))
    (folder / "det").mkdir()
    scores = {f: 0.9 if f < 10 or f % 4 == 0 else 0.3 for f in range(1, FRAMES + 1)}
    (folder / "det" / "det.txt").write_text("".join(f"{f},-1,{x},100,40,100,{scores[f]}\n" for f, _, x in rows))
    return root


def test_each_idea_is_switched_off_by_what_it_says() -> None:
    from peers import IDEAS, WHOLE, named

    from tracker import TrackerConfig

    default = TrackerConfig()
    assert len({idea.name for idea in IDEAS}) == len({idea.settings for idea in IDEAS}) == len(IDEAS)
    for idea in IDEAS:
        assert not idea.embeds or idea.without
        assert all(getattr(default, name) != value for name, value in idea.without.items())
        assert all(name in idea.settings for name in idea.without)
        assert named(idea.peer.name).settings == idea.settings
    assert named(WHOLE.name) is WHOLE


def runs_of(tracker: str, idf1: list[float]) -> list[Any]:
    from accuracy.runs import FIGURES, Run

    return [Run("a", seed, tracker, "1", "", "d", dict.fromkeys(FIGURES, value)) for seed, value in enumerate(idf1)]


def test_a_cell_is_what_the_idea_is_worth() -> None:
    from ablation import table
    from peers import IDEAS, WHOLE

    idea = next(i for i in IDEAS if i.name == "recovery of lost tracks")
    runs = runs_of(WHOLE.name, [80.0, 82.0]) + runs_of(idea.peer.name, [79.0, 80.0])
    lines = table(runs, {"clips": ["a"], "easy": ["b"]}, 2, ["recovery of lost"]).splitlines()
    half = 12.7062 * np.std([1.0, 2.0], ddof=1) / np.sqrt(2)  # Student's t, one degree of freedom
    assert lines[2] == "| IDF1 with all of them | | 81.0 |  |"
    assert lines[3:] == [
        f"| {idea.name} | recover_evidence=1e+09 | +1.50 [{1.5 - half:+.2f}, {1.5 + half:+.2f}] |  |",
    ]


def test_a_whole_run(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from ablation import main

    words = [str(data), "--suites", "motion only", "with appearance", "--seeds", "1", "--jobs", "1"]
    words += ["--out", str(tmp_path / "out"), "--ideas", "weak detections continue", "for everything"]
    assert main(words) == 0
    said = capsys.readouterr()
    head, _, whole, weak, looks = [[c.strip() for c in line.split("|")[1:-1]] for line in said.out.splitlines()]
    assert head[2:] == ["motion only (2)", "easy (1)", "medium (1)", "hard (1)", "very hard (1)"]
    assert all(float(cell) > 20 for cell in whole[2:])
    assert float(weak[2]) > 5, "half of the detections of one sequence are weak"
    assert looks[1:3] == ["no embeddings", ""], "without embeddings there is none to switch off"
    assert float(looks[3]) > 0, "people who pass each other"
    assert main([*words, "--report"]) == 0
    assert capsys.readouterr().out == said.out
    assert main([*words, "--report", "--sequences", "hard"]) == 0
    assert "| hard (1) | very hard (1) |" in capsys.readouterr().out.splitlines()[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--ideas", "magic"], "--ideas must be part of an idea's name, got ['magic']"),
        ([], "DATA must hold gt_text/ for motion only"),
        (["--sequences", "Venice"], "DATA must hold gt_text/ for Venice"),
    ],
)
def test_wrong_calls_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    from ablation import main

    assert main([str(tmp_path), "--suites", "motion only", "--out", str(tmp_path / "out"), *words]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()

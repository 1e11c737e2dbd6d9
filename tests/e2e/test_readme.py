"""What README and docs tell the reader to type is what works."""

from __future__ import annotations

import json
import re
import runpy
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from tracker.cli.evaluate import EvalSettings
from tracker.cli.flags import parse_arguments
from tracker.cli.main import COMMANDS
from tracker.cli.settings import TrackSettings
from tracker.cli.train_settings import TrainSettings
from tracker.sinks import SINK_KINDS, JsonlSink
from tracker.sinks.csv import COLUMNS
from tracker.types import Detections, Frame, FrameResult, RunInfo, SourceInfo, TrackEvent, TrackEventKind, Tracks

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

# the contract of the library: what stands in README is this, to the letter
SNIPPET = """\
from tracker import Detections, Tracker
from reid import Embedder

embedder = Embedder()                                  # the shipped model; Embedder("own.onnx", device="cuda")
tracker = Tracker(appearance=embedder.info)            # optional: dimension, model hash, calibration of this embedder
vectors = embedder(frame, boxes)                       # BGR uint8 (H, W, 3), (N, 4) xyxy pixels -> (N, D) float32 of unit length
tracks = tracker.update(Detections(boxes, scores, classes, vectors), time_s=t)
tracks.ids, tracks.boxes, tracks.scores, tracks.classes, tracks.detections   # (M,), (M, 4), (M,), (M,), (M,) row of the input
"""  # noqa: E501 as it is shown


def blocks(language: str) -> list[str]:
    """Fenced blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def shell_lines() -> list[str]:
    """Every command of README's shell blocks, without comments."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return [words for line in lines if (words := line.split("#")[0].strip())]


def start_script() -> dict[str, object]:
    """The names in tools/start.py."""
    return runpy.run_path(str(ROOT / "tools" / "start.py"))


def test_the_library_snippet_is_the_contract_and_runs() -> None:
    assert SNIPPET in blocks("python")
    rng = np.random.default_rng(0)
    names: dict[str, object] = {
        "frame": rng.integers(0, 255, (240, 320, 3), dtype=np.uint8),
        "boxes": np.array([[10, 20, 60, 180], [200, 30, 250, 190]], np.float32),
        "scores": np.array([0.9, 0.8], np.float32),
        "classes": np.array([0, 0]),
    }
    setup, step = SNIPPET.split("vectors = ")
    exec(setup, names)
    for number in range(10):
        names["t"] = number / 25
        exec("vectors = " + step, names)
    tracks = names["tracks"]
    assert tracks.ids.tolist() == [1, 2]
    assert tracks.detections.tolist() == [0, 1]
    assert names["vectors"].shape[0] == 2


def test_the_two_commands_come_first() -> None:
    assert shell_lines()[:2] == ["python3 tools/start.py demo", "python3 tools/start.py test"]


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_does_the_same() -> None:
    for command in shell_lines()[:2]:
        job = command.split()[-1]
        shown = subprocess.run(["make", "-n", job], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        assert shown.strip() == command


def test_the_pip_lines_do_what_the_script_does() -> None:
    text = "\n".join(shell_lines())
    jobs = start_script()["JOBS"]
    for job, last in (("demo", "reidtrack demo --out demo-out"), ("test", "python -m pytest")):
        folder, extras, command = jobs[job]
        assert f"python3 -m venv {folder}\n" in text
        assert f'{folder}/bin/pip install -e ".[{extras}]"\n' in text
        assert f"{folder}/bin/{last}" in text
        assert set(last.split()) - {"python", "reidtrack"} <= set(command)
    assert "pip install torch==2.13.0" in text
    assert start_script()["TORCH"] == "torch==2.13.0+cpu"


def test_the_ci_runs_the_test_command_of_the_readme() -> None:
    text = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "tools/start.py test" in text
    assert text.rstrip().splitlines()[-1].startswith(".venv-test/bin/python -m pytest")


@pytest.mark.parametrize("line", [line for line in shell_lines() if line.startswith("reidtrack ")])
def test_every_shown_call_is_one_that_the_command_accepts(line: str) -> None:
    _, name, *words = shlex.split(line)
    assert name in COMMANDS
    known = {"track": TrackSettings, "eval": EvalSettings, "train": TrainSettings}
    if name in known:
        parse_arguments(known[name], words, command=name, summary="", examples="", config=name != "eval")


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_to_files_that_exist(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []


def test_the_picture_is_there_and_light() -> None:
    [picture] = re.findall(r"!\[[^]]*\]\(([^)]+)\)", README)
    assert 10_000 < (ROOT / picture).stat().st_size < 300_000


def test_the_outputs_page_names_every_kind_and_column() -> None:
    page = (ROOT / "docs" / "outputs.md").read_text(encoding="utf-8")
    assert all(f"| `{kind}` |" in page for kind in SINK_KINDS)
    table = page.split("## `tracks.csv`")[1].split("## ")[0]
    named = [
        name.strip() for row in re.findall(r"^\| ([^|]+) \|", table, flags=re.MULTILINE) for name in row.split(",")
    ]
    assert named[1:] == list(COLUMNS)


def test_the_outputs_page_names_every_event() -> None:
    page = (ROOT / "docs" / "outputs.md").read_text(encoding="utf-8")
    [row] = re.findall(r"^\| `events\[\]\.kind` \| (.*) \|$", page, flags=re.MULTILINE)
    assert re.findall(r"`(\w+)`:", row) == list(get_args(TrackEventKind))


def test_the_outputs_page_shows_the_real_schema(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "outputs.md").read_text(encoding="utf-8")
    shown_header, shown_frame = map(json.loads, page.split("```json\n")[1].split("```")[0].splitlines())
    sink = JsonlSink(tmp_path / "tracks.jsonl")
    sink.open(RunInfo(SourceInfo("clip.mp4", 640, 480, 25.0, 10, live=False), {0: "person"}))
    one = np.ones(1, np.int64)
    box = np.array([[10.25, 20.5, 60.0, 180.75]], np.float32)
    tracks = Tracks(one * 3, box, np.array([0.91], np.float32), one * 0, one, 0.44, (TrackEvent("born", 3, 0.44),))
    sink.write(FrameResult(Frame(np.zeros((480, 640, 3), np.uint8), 12, 0.44), Detections(box), tracks))
    sink.close()
    header, frame = map(json.loads, (tmp_path / "tracks.jsonl").read_text().splitlines())
    assert shown_header | {"program": header["program"]} == header
    assert shown_frame == frame

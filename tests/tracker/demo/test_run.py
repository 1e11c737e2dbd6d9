"""The demo as the command runs it, on a short, small clip."""

from __future__ import annotations

import sys

import pytest

from tracker.demo.run import run_demo
from tracker.demo.scene import DemoConfig
from tracker.errors import OutputError
from tracker.evaluation import evaluate_files, read_mot_tracks

CLIP = DemoConfig(seed=31, duration_s=12, rate_hz=12.5, width_px=480, height_px=270)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    seen = []
    return out, run_demo(CLIP, out, embedder=None, on_result=seen.append), seen


def test_everything_is_written_and_scored(demo):
    out, report, seen = demo
    assert len(seen) == CLIP.frames == report.summary.frames
    names = {path.name for path in report.paths}
    assert {"tracks.txt", "tracks.jsonl", "contact_sheet.png", "truth.txt"} < names
    assert len(names) == 5
    assert all(path.stat().st_size > 0 and path.parent == out for path in report.paths)
    assert len(read_mot_tracks(out / "tracks.txt").id) > 50
    assert report.scores == evaluate_files(out / "truth.txt", [out / "tracks.txt"]).combined
    assert report.scores.det_a > 30
    assert report.summary.stages.decode.calls == CLIP.frames


def test_earlier_results_are_kept_unless_told_otherwise(demo):
    out, _, _ = demo
    before = (out / "truth.txt").read_bytes()
    with pytest.raises(OutputError, match="exist"):
        run_demo(CLIP, out, embedder=None)
    assert (out / "truth.txt").read_bytes() == before


def test_without_trackeval_there_are_no_scores_but_everything_else(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "trackeval.metrics", None)
    short = DemoConfig(seed=31, duration_s=4, rate_hz=10, width_px=240, height_px=135)
    report = run_demo(short, tmp_path / "new" / "folder", embedder=None)
    assert report.scores is None
    assert (tmp_path / "new" / "folder" / "contact_sheet.png").is_file()
    again = run_demo(short, tmp_path / "new" / "folder", embedder=None, overwrite=True)
    assert again.summary.frames == report.summary.frames == 40

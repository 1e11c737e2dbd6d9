from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tracker.cli.main import main
from tracker.evaluation import read_mot_tracks
from tracker.pipeline import Pipeline

FRAMES, MISSED = 40, (20, 21, 22)


def test_refined_tracks_stand_beside_the_others(
    street: Path, track: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert track("--save", "mot,jsonl,csv", "--refine") == 0
    online, refined = (read_mot_tracks(street / "out" / f"tracks{name}.txt") for name in ("", "-refined"))
    assert set(refined.frame.tolist()) - set(online.frame.tolist()) == {20, 21, 22}
    assert set(refined.id.tolist()) == {1}
    lines = [json.loads(line) for line in (street / "out/tracks-refined.jsonl").read_text().splitlines()]
    assert lines[0]["source"]["width_px"] == 160
    assert [line["frame"] for line in lines[1:]] == list(range(1, 41))
    assert [line["frame"] for line in lines[1:] if any(t["coasted"] for t in line["tracks"])] == [20, 21, 22]
    table = (street / "out/tracks-refined.csv").read_text().splitlines()
    assert len(table) == 1 + len(refined.frame)
    shown = " ".join(capsys.readouterr().out.split())
    assert "refined: 1 identities; 0 tracklets linked, 0 returns undone, 3 boxes interpolated" in shown
    assert "wrote out/tracks-refined.txt" in shown


def test_the_online_files_are_the_same_with_and_without(street: Path, track: Callable[..., int]) -> None:
    assert track("--save", "mot,jsonl", "--refine") == 0
    with_it = [(street / "out" / name).read_bytes() for name in ("tracks.txt", "tracks.jsonl")]
    assert track("--save", "mot,jsonl", "--overwrite") == 0
    assert [(street / "out" / name).read_bytes() for name in ("tracks.txt", "tracks.jsonl")] == with_it


def test_only_what_is_saved_is_refined(street: Path, track: Callable[..., int]) -> None:
    assert track("--save", "video,csv", "--refine", "--refinement.max-gap-s", "0.1") == 0
    assert sorted(path.name for path in (street / "out").glob("tracks*")) == ["tracks-refined.csv", "tracks.csv"]
    frames = [line.split(",")[0] for line in (street / "out/tracks-refined.csv").read_text().splitlines()]
    assert "21" not in frames


def test_refined_results_are_replaced_only_when_asked(
    street: Path, track: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert track("--save", "mot", "--refine") == 0
    (street / "out/tracks.txt").unlink()
    assert track("--save", "mot", "--refine") == 2
    assert "out holds results already (tracks-refined.txt)" in capsys.readouterr().err
    assert track("--save", "mot", "--refine", "--overwrite") == 0
    assert "of an earlier run" not in capsys.readouterr().err
    assert track("--save", "mot", "--overwrite") == 0
    assert "out also holds results of an earlier run, which stay: tracks-refined.txt" in capsys.readouterr().err


def test_an_interrupted_run_is_refined_as_far_as_it_went(
    street: Path, track: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Pipeline.run

    def interrupted(self: Pipeline, sinks: object, on_result: object) -> object:
        def stop(result: object) -> None:
            on_result(result)
            if result.frame.index == 30:
                raise KeyboardInterrupt

        return run(self, sinks, stop)

    monkeypatch.setattr(Pipeline, "run", interrupted)
    assert track("--save", "mot", "--refine") == 130
    refined = read_mot_tracks(street / "out/tracks-refined.txt")
    assert {20, 21, 22, 30} <= set(refined.frame.tolist())
    assert refined.frame.max() == 30


def test_a_run_whose_source_breaks_off_is_refined_as_far_as_it_went(street: Path, track: Callable[..., int]) -> None:
    (street / "street" / "31.png").write_bytes(b"damaged")
    assert track("--save", "mot", "--refine") == 1
    refined = read_mot_tracks(street / "out/tracks-refined.txt")
    assert {20, 21, 22, 30} <= set(refined.frame.tolist())
    assert refined.frame.max() == 30


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["0", "--refine"], "--refine needs a whole video: SOURCE must be a file or pictures, got a camera or stream"),
        (["rtsp://camera.example/x", "--refine"], "--refine needs a whole video"),
        (["street", "--refine", "--save", "video,crops"], "--save must have one of mot, jsonl, csv, got video,crops"),
        (["street", "--refine", "--save", "", "--show"], "--save must have one of mot, jsonl, csv, got nothing"),
        (["street", "--refine", "--refinement.max-gap-s", "-1"], "refinement.max_gap_s must be 0 or more, got -1"),
    ],
)
def test_refinement_that_could_do_nothing_is_refused(
    street: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main(["track", *words, "--out", "out"]) == 2
    assert message in capsys.readouterr().err
    assert not (street / "out").exists()

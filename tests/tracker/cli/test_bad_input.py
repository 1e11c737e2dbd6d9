"""Everything that can be wrong with a call: its exit code, its message, and that nothing was written."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tracker.cli.main import main
from tracker.detectors import FileDetector
from tracker.errors import ModelError
from tracker.types import Detections, Frame


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a few pictures, detections for them, and files that are not what they seem."""
    monkeypatch.chdir(tmp_path)
    shots = tmp_path / "shots"
    shots.mkdir()
    for number in range(1, 4):
        cv2.imwrite(str(shots / f"{number}.png"), np.full((48, 64, 3), 40 * number, np.uint8))
    (tmp_path / "det.txt").write_text("1,-1,5,5,10,20,0.9\n")
    (tmp_path / "det-bad.txt").write_text("1,-1,5,5,10,20,0.9\n2,-1,x,5,10,20,0.9\n")
    (tmp_path / "fake.onnx").write_bytes(b"not a model")
    (tmp_path / "fake.mp4").write_bytes(b"not a video" * 100)
    (tmp_path / "empty").mkdir()
    (tmp_path / "old" / "crops" / "1").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "old" / "crops" / "1" / "1.png"), np.zeros((48, 64, 3), np.uint8))
    (tmp_path / "old" / "tracks.txt").write_text("1,-1,5,5,10,20,0.9\n")
    webm = cv2.VideoWriter(str(tmp_path / "old" / "annotated.webm"), cv2.VideoWriter.fourcc(*"VP80"), 10, (64, 48))
    for _ in range(3):
        webm.write(np.zeros((48, 64, 3), np.uint8))
    webm.release()
    (tmp_path / "bad.yaml").write_text("tracker:\n  memry_s: 3\n")
    return tmp_path


TRACK = ["track", "shots", "--embedder", "none", "--save", "mot"]

USAGE = [
    (["trck", "x"], "unknown command 'trck'; did you mean track?"),
    (["zzz"], "unknown command 'zzz' (commands: demo, track, train, adapt, online, eval, reid, doctor)"),
    (["track"], "the following arguments are required: SOURCE"),
    (["track", "nothing.mp4"], "SOURCE: 'nothing.mp4' was not found"),
    (["track", ""], "SOURCE: '' was not found"),
    (["track", "~nobody-here/street.mp4"], "SOURCE: '~nobody-here/street.mp4' was not found"),
    (["track", "20240229"], "SOURCE: '20240229' was not found"),
    (["track", "--", "--conf.mp4"], "SOURCE: '--conf.mp4' was not found"),
    ([*TRACK, "more.mp4"], "unexpected argument 'more.mp4'"),
    ([*TRACK, "det.txt"], "unexpected argument 'det.txt'; quote a glob"),
    ([*TRACK, "--sav", "mot"], "unknown option --sav; did you mean --save?"),
    ([*TRACK, "--tracker.memory", "3"], "unknown option --tracker.memory; did you mean --tracker.memory-"),
    ([*TRACK, "--conf"], "argument --conf: expected one argument"),
    ([*TRACK, "--conf", "high"], "argument --conf: must be a number or none, got 'high'"),
    ([*TRACK, "--conf", "1.5"], "conf must be within 0..1, got 1.5"),
    ([*TRACK, "--every", "0"], "every must be 1 or more, got 0"),
    ([*TRACK, "--tracker.rate-hz", "5"], "tracker.rate_hz is for programs that give no times: give rate_hz"),
    ([*TRACK, "--refinement.max-gap-s", "1"], "refinement.* says how tracks are refined, which refine asks for"),
    (
        [*TRACK, "--camera-motion", "off", "--camera.work-size-px", "200"],
        "camera.* says how camera motion is estimated",
    ),
    (["track", "shots", "--detector", "old/tracks.txt", "--out", "old", "--save", "mot"], "give another --out"),
    (["track", "old/crops/1", "--out", "old", "--save", "crops"], "give another --out"),
    (["track", "old/crops/1/*.png", "--out", "old", "--save", "crops"], "give another --out"),
    (["track", "old/annotated.webm", "--out", "old", "--save", "video"], "give another --out"),
    ([*TRACK, "--every", "2.5"], "argument --every: must be a whole number, got '2.5'"),
    ([*TRACK, "--rate-hz", "-1"], "rate_hz must be above 0, got -1.0"),
    (
        [*TRACK, "--save", "mp4"],
        "argument --save: must be a list (one of video, mot, jsonl, csv, crops, tracklets, explain each), got 'mp4'",
    ),
    ([*TRACK, "--save", "mot,mot"], "save must name each output once, got mot,mot"),
    ([*TRACK, "--save", ""], "--save is empty and there is neither --show nor --online"),
    ([*TRACK, "--reasons"], "--reasons are written into the video: --save must have video, or --show be given"),
    ([*TRACK, "--start", "12,5"], "start must be a frame number"),
    ([*TRACK, "--start", "10", "--end", "5"], "end must come after start"),
    ([*TRACK, "--embedder", "nothing.onnx"], "there is no file nothing.onnx"),
    ([*TRACK, "--detector", "nothing.onnx"], "--detector: there is no file nothing.onnx"),
    ([*TRACK, "--detector", "nothing.ONNX"], "--detector: there is no file nothing.ONNX"),
    ([*TRACK, "--detector", "nothing.txt"], "--detector: there is no file nothing.txt"),
    ([*TRACK, "--detector", "magic"], "detector must be"),
    ([*TRACK, "--classes", "person"], "classes cannot be honoured by detector 'motion'"),
    ([*TRACK, "--conf", "0.5"], "conf cannot be honoured by detector 'motion'"),
    ([*TRACK, "--device", "cpu"], "device cannot be honoured by detector 'motion'"),
    ([*TRACK, "--device", "gpu9", "--embedder", "default"], "--device: device must be auto, cpu, cuda"),
    ([*TRACK, "--every", "9" * 400], "argument --every: must be a whole number, got"),
    ([*TRACK, "--onnx.nms-iou", "0.5"], "onnx.nms_iou cannot be honoured by detector 'motion'"),
    ([*TRACK, "--detector", "det.txt", "--classes", "3"], "classes cannot be honoured by detector 'det.txt'"),
    ([*TRACK, "--tracker.memory-s", "-1"], "tracker.memory_s must be a finite number of at least 0, got -1.0"),
    ([*TRACK, "--tracker.low-score", "0.9"], "tracker.low_score <= tracker.high_score"),
    ([*TRACK, "--onnx.conf", "2"], "onnx.conf must be within 0..1, got 2.0"),
    ([*TRACK, "--motion.work-size-px", "9"], "motion.work_size_px must be at least 64, got 9"),
    ([*TRACK, "--onnx.format", "yolo99"], "argument --onnx.format: must be one of auto,"),
    ([*TRACK, "--onnx.mean", "1,2"], "argument --onnx.mean: must be a list of 3 values or none, got '1,2'"),
    ([*TRACK, "--config", "nothing.yaml"], "config file nothing.yaml cannot be read: No such file"),
    ([*TRACK, "--config", "bad.yaml"], "bad.yaml:2: unknown key tracker.memry_s; did you mean memory_s?"),
    (["eval", "--gt", "nothing", "--tracks", "det.txt"], "--gt: there is no file or folder nothing"),
    (["eval", "--gt", "det.txt", "--tracks", "nothing"], "--tracks: there is no file or folder nothing"),
    (["eval", "--gt", "det.txt"], "the following arguments are required: --tracks"),
    (["train"], "the following arguments are required: DATA"),
    (["train", "nothing"], "DATA: there is no file or folder nothing"),
    (["train", "shots", "--out", "model.pt"], "--out must be an .onnx file, got model.pt"),
    (["train", "shots", "--out", "fake.onnx"], "--out: fake.onnx is there already: give another file, or --overwrite"),
    (["train", "shots", "--out", "fake.onnx", "--resume"], "--out: fake.onnx is there already: give another file"),
    (["train", "shots", "--resume", "--overwrite"], "resume and overwrite cannot both be given"),
    (["train", "shots", "--device", "gpu9"], "device must be auto, cpu, cuda or cuda:N, got 'gpu9'"),
    (["reid", "search", "shots/1.png", "shots", "--json", "nowhere/x.json"], "--json: there is no folder nowhere"),
    (["reid", "search", "shots/1.png", "shots", "--device", "gpu9"], "--device: device must be auto, cpu, cuda"),
    (["reid", "verify", "shots/1.png", "shots/1.png", "--json", "nowhere/x"], "--json: there is no folder nowhere"),
    (["train", "shots", "--loss.mining", "hardest"], "argument --loss.mining: must be one of batch_hard, batch_all"),
    (["train", "shots", "--loss.margin", "0"], 'loss.margin must be "soft" or a finite number above 0, got 0.0'),
    (["train", "shots", "--sampler.pictures", "1"], "sampler.pictures must be a whole number of at least 2, got 1"),
    (["train", "shots", "--validation.share", "1"], "validation.share must be within 0..0.9, got 1.0"),
    (["train", "shots", "--model.height-px", "100"], "model.height_px must be a multiple of 64"),
    (["train", "shots", "--config", "bad.yaml"], "bad.yaml:1: unknown key tracker"),
    (["demo", "--seed", "x"], "argument --seed: must be a whole number, got 'x'"),
    (["demo", "--duration-s", "1"], "duration_s must be 4 or more, got 1: nobody is there at first"),
    (["demo", "--embedder", "nothing.onnx"], "there is no file nothing.onnx"),
    (["doctor", "--fast"], "unknown option --fast"),
]

FAILED = [
    (["track", "fake.mp4", "--embedder", "none"], "fake.mp4"),
    (["track", "empty", "--embedder", "none"], "empty"),
    (["track", "none-*.png", "--embedder", "none"], "none-*.png"),
    ([*TRACK, "--detector", "fake.onnx"], "fake.onnx"),
    ([*TRACK[:2], "--embedder", "fake.onnx"], "fake.onnx"),
    ([*TRACK, "--detector", "det-bad.txt"], "det-bad.txt"),
    ([*TRACK, "--out", "det.txt/x"], "det.txt"),
]


@pytest.mark.parametrize(("words", "message"), USAGE)
def test_a_wrong_call_is_refused_before_anything_is_written(
    words: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(folder.rglob("*"))
    assert main(words) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.startswith("reidtrack: ")
    assert said.count("\n") == 1, "one clear line"
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(("words", "message"), FAILED)
def test_what_cannot_work_fails_with_its_reason(
    words: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 1
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said
    assert said.startswith("reidtrack: ")


def test_the_table_is_long_enough() -> None:
    assert len(USAGE) + len(FAILED) >= 40


@pytest.mark.parametrize("fails_at", [1, 2])
@pytest.mark.parametrize("replace", [False, True])
def test_a_model_that_fails_leaves_no_empty_files_and_earlier_results_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int, replace: bool
) -> None:
    (folder / "det.txt").write_text("3,-1,5,5,10,20,0.9\n")
    earlier = folder / "out" / "tracks.txt"
    if replace:
        earlier.parent.mkdir()
        earlier.write_text("1,1,5,5,10,20,0.9,-1,-1,-1\n")

    def fail(self: FileDetector, frame: Frame) -> Detections:
        if frame.index >= fails_at:
            raise ModelError("the model does not fit the picture")
        return Detections.empty()

    monkeypatch.setattr(FileDetector, "__call__", fail)
    words = ["--detector", "det.txt", "--save", "mot,csv,crops", "--out", "out", *["--overwrite"] * replace]
    assert main([*TRACK[:4], *words]) == 1
    left = [path.relative_to(folder).as_posix() for path in folder.glob("out/*")]
    assert left == (["out/tracks.txt"] if replace else [])
    if replace:
        assert earlier.read_text() == "1,1,5,5,10,20,0.9,-1,-1,-1\n"

"""`reidtrack adapt`: what it refuses, and a run over tracklets and over a video."""

from __future__ import annotations

import re
import shutil
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from reid.embedder import DEFAULT_MODEL, Embedder
from reid.online import FileLock
from reid.tracklets import TrackletWriter
from tracker.cli.main import main
from tracker.replay import Replay

pytest.importorskip("torch", reason="needs the extra [train]")
pytest.importorskip("onnx", reason="needs the extra [train]")

FRAMES, MISSED = 40, frozenset[int]()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Six people at once, five times, each of two colours of their own."""
    rng = np.random.default_rng(0)
    with TrackletWriter(tmp_path / "store") as writer:
        writer.begin_run("street", rate_hz=2.0)
        for group in range(5):
            tracklets = range(1 + 6 * group, 7 + 6 * group)
            colours = rng.uniform(0, 255, (6, 2, 3))
            for number in range(10):
                frame = 1 + group * 20 + number
                for tracklet, pair in zip(tracklets, colours, strict=True):
                    crop = np.repeat(pair, 32, axis=0)[:, None].repeat(32, axis=1) + rng.normal(0, 25, (64, 32, 3))
                    writer.add_crop(
                        tracklet, np.clip(crop, 0, 255).astype(np.uint8), identity=tracklet, frame=frame,
                        time_s=frame / 2, box=[10, 10, 40, 90], score=0.9,
                    )  # fmt: skip
            pairs = [(a, b) for a in tracklets for b in tracklets if a < b]
            writer.together(np.array(pairs, np.int64), frame=1 + group * 20)
    return tmp_path / "store"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["missing.mp4"], "VIDEO: there is no file or folder missing.mp4"),
        (["{store}", "--out", "model.pt"], "--out must be an .onnx file"),
        (["{store}", "--embedder", "none"], "there must be something to teach"),
        (["{store}", "--embedder", "gone.onnx"], "there is no file gone.onnx"),
        (["{store}", "--passes", "2"], "tracklets are followed already"),
        (["{store}", "--passes", "0"], "passes must be a whole number of 1 or more"),
        (["{store}", "--keep", "{store}"], "must be an empty folder"),
        (["{store}", "{store}"], "each must be given once"),
        (["{store}", "--keep", "{store}/store.jsonl"], "must be an empty folder"),
        (["{store}", "--lesson.device", "banana"], "banana"),
        (["{store}", "--slices.held-out-share", "1"], "held_out_share must be above 0 and below 1"),
        (["{store}", "--every", "0"], "every must be 1 or more"),
    ],
    ids=[
        "missing",
        "suffix",
        "none",
        "embedder",
        "passes",
        "no-pass",
        "keep",
        "twice",
        "keep-file",
        "device",
        "share",
        "every",
    ],
)
def test_bad_input_is_refused_and_nothing_is_written(
    words: Sequence[str], says: str, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert main(["adapt", *(word.format(store=store) for word in words)]) == 2
    assert says in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def test_without_torch_it_says_so_before_anything_is_followed(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *more: None if name == "torch" else real(name, *more))
    assert main(["adapt", str(store), "--out", str(tmp_path / "site.onnx")]) == 1
    assert "[train]" in capsys.readouterr().err


def test_a_result_that_is_there_is_kept(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "site.onnx").write_text("mine")
    assert main(["adapt", str(store), "--out", str(tmp_path / "site.onnx")]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (tmp_path / "site.onnx").read_text() == "mine"


def test_what_a_killed_run_left_is_deleted_and_that_of_a_running_one_is_not(store: Path, tmp_path: Path) -> None:
    killed, running = tmp_path / ".adapting-killed", tmp_path / ".adapting-running"
    for folder in (killed, running):
        shutil.copytree(store, folder / "pass-1")
    lock = FileLock.attempt(running / "lock")
    assert lock is not None
    with lock:
        main(
            [
                "adapt",
                str(store),
                "--out",
                str(tmp_path / "out.onnx"),
                "--lesson.steps",
                "1",
                "--slices.least-held-out",
                "999",
            ]
        )
        assert not killed.exists()
        assert [path.name for path in tmp_path.glob(".adapting-*")] == [running.name]
        assert (running / "pass-1" / "store.jsonl").exists()


def test_tracklets_are_learned_from_and_the_verdict_is_told(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "site.onnx"
    # the shipped embedder tells plates of two colours apart already: there is nothing to gain here
    code = main(["adapt", str(store), "--out", str(out), "--lesson.steps", "2", "--lesson.identities", "6"])
    said = capsys.readouterr().out
    assert code == 1
    assert "300 crops, 30 tracklets" in said
    assert re.search(r"found again +\d\.\d{3} -> \d\.\d{3}", said)
    assert "refused: " in said
    assert not out.exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_without_the_gate_the_model_is_written_and_can_be_used(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "site.onnx"
    few = ["--lesson.steps", "2", "--lesson.identities", "6", "--no-gate.enabled"]
    assert main(["adapt", str(store), "--out", str(out), *few]) == 0
    assert f"use it: reidtrack track VIDEO --embedder {out}" in capsys.readouterr().out
    from reid import Embedder

    assert Embedder(out, device="cpu").info.model_hash != Embedder("default", device="cpu").info.model_hash


def test_a_source_that_is_no_tracklets_is_followed_first(street: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["street", "--detector", "det.txt", "--out", "site.onnx", "--keep", "kept"]
    assert main(["adapt", *words]) == 1
    told = capsys.readouterr()
    assert "following street" in told.err
    assert "let more be seen" in told.out  # one who stands there teaches nothing
    assert (street / "kept" / "pass-1" / "1-street" / "tracklets" / "store.jsonl").is_file()
    assert not (street / "site.onnx").exists()


def test_what_a_detector_gave_is_tracked_again_with_the_result(street: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from reid.online.worker import AdaptResult

    rows = [f"{f},-1,{x + f},30,20,60,0.9\n" for f in range(1, FRAMES + 1) for x in (10, 90)]
    (street / "det.txt").write_text("".join(rows), encoding="ascii")
    tried: list[tuple[int, int]] = []

    def adapt(*_: object, replay: Callable[[Embedder], list[Replay | None]], **_more: object) -> AdaptResult:
        tried.extend((each.births, each.crops) for each in replay(Embedder("default")) if each is not None)
        return AdaptResult(admitted=False, reason="no better", verdict=None, model=None)

    monkeypatch.setattr("reid.online.worker.adapt", adapt)
    burst = ["--bursts.first-s", "0", "--bursts.length-s", "0.5", "--bursts.least-s", "0.1"]
    assert main(["adapt", "street", "--detector", "det.txt", "--out", "site.onnx", *burst]) == 1
    ((births, crops),) = tried
    assert births == 2
    assert crops >= 10
    assert not [path for path in street.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(
    ("passes_before", "done"), [(0, "nothing was written"), (1, "site.onnx has what came of pass 1")]
)
def test_ctrl_c_keeps_what_came_of_the_passes_before(
    passes_before: int, done: str, street: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from reid.online.worker import AdaptResult

    taught: list[str] = []
    told: list[object] = []
    bases: list[object] = []

    def adapt(stores: Sequence[Path], live: str, out: Path, *_: object, **more: object) -> AdaptResult:
        taught.append(live)
        told.append(more["seen_until"])
        bases.append(more["base"])
        out.write_bytes(DEFAULT_MODEL.read_bytes())
        if len(taught) > passes_before:
            signal.raise_signal(signal.SIGINT)
        return AdaptResult(True, "better", None, out, seen_until=(1.5,))

    monkeypatch.setattr("reid.online.worker.adapt", adapt)
    words = ["adapt", "street", "--detector", "det.txt", "--out", "site.onnx", "--passes", "3"]
    assert main(words) == 130
    assert f"interrupted; {done}" in capsys.readouterr().err
    assert (street / "site.onnx").exists() == bool(passes_before)
    assert [Path(live).name for live in taught] == ["default", "1.onnx"][: passes_before + 1]
    assert told == [None, (1.5,)][: passes_before + 1], "who was trained on is not held out later"
    assert bases == [None, "default"][: passes_before + 1], "nothing may be forgotten of what it began with"
    assert not [path for path in street.iterdir() if path.name.startswith(".")]

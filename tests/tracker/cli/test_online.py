"""`reidtrack track --online` and `reidtrack online`: a folder in which an embedder learns on site."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from reid.data.stores import find_stores
from reid.embedder import DEFAULT_MODEL, Embedder
from reid.locking import is_locked
from reid.online import BaseModel, OnlineFolder, harvest_totals
from reid.online.burst import read_burst
from reid.online.config import CycleConfig
from reid.online.hours import hour_name
from reid.online.learning import WorkerNote
from reid.online.locks import holder_of
from reid.online.pace import Pace
from reid.online.registry import ModelRegistry
from reid.tracklets import TrackletWriter
from tracker.cli.main import main
from tracker.cli.replaying import replays_of

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
WIDTH_PX, HEIGHT_PX, FRAMES = 320, 240, 40
REST = ("active_share", "compute_s", "data_s", "triplet_loss", "identity_loss", "teacher_loss")


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two who walk side by side, of clothes with a pattern, and where they are; the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.nice", lambda by: 0)  # or all later tests of this process would stand back
    hour = hour_name(time.time())  # which must not end while a test runs
    for module in ("harvest", "harvest_store"):
        monkeypatch.setattr(f"reid.online.{module}.hour_name", lambda _unix_s: hour)
    rng = np.random.default_rng(0)
    people = rng.integers(0, 256, (2, 15, 8, 3), np.uint8)
    (tmp_path / "scene").mkdir()
    rows = []
    for number in range(1, FRAMES + 1):
        picture = np.full((HEIGHT_PX, WIDTH_PX, 3), 90, np.uint8)
        for who, x in enumerate((20 + 4 * number, 120 + 4 * number)):
            picture[100:220, x : x + 40] = cv2.resize(people[who], (40, 120), interpolation=cv2.INTER_NEAREST)
            rows.append(f"{number},-1,{x},100,40,120,0.9\n")
        cv2.imwrite(f"scene/{number:02}.png", picture)
    (tmp_path / "det.txt").write_text("".join(rows), encoding="ascii")
    return tmp_path


def track(*more: str) -> int:
    return main(["track", "scene", "--rate-hz", "10", "--detector", "det.txt", "--save", "mot", "--overwrite", *more])


def test_what_is_followed_is_harvested_and_the_folder_says_how_it_stands(
    scene: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert track("--online", "site") == 0
    said = capsys.readouterr().out
    assert re.search(r"harvested \d\d crops", said)
    assert "embedder: model 0 of site" in said
    assert (scene / "site" / "worker.log").exists()
    assert not is_locked(scene / "site" / "lock.worker")  # it ended with the tracker
    totals = harvest_totals(OnlineFolder.open("site"))
    assert [total.camera for total in totals] == ["scene"]
    assert totals[0].size.tracklets == 2
    assert totals[0].size.crops >= 10
    assert main(["online", "status", "site"]) == 0
    said = capsys.readouterr().out
    assert "live: model 0" in said
    assert f"harvest of scene: {totals[0].size.crops} crops of 2 tracklets in 1 hours" in said
    # the tracklets can be trained from as any others
    from reid.data import open_crops

    crops = open_crops(scene / "site" / "harvest")
    assert len(crops.identities) == 2
    assert crops.together.tolist() == [[0, 1]]


def test_a_file_of_settings_is_for_the_harvest_and_for_the_worker(
    scene: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch", reason="the worker needs the extra [train]")
    (scene / "site.yaml").write_text("harvest:\n  least_height_px: 200\nlesson:\n  steps: 0\n")
    assert track("--online", "site", "--online-config", "site.yaml") == 2
    assert "site.yaml: lesson.steps must be a whole number of at least 1" in capsys.readouterr().err
    assert not (scene / "site").exists()
    (scene / "site.yaml").write_text("harvest:\n  least_height_px: 200\ncycle:\n  least_new_crops: 0\nnice: 3\n")
    assert track("--online", "site", "--online-config", "site.yaml") == 0
    assert "harvested 0 crops" in capsys.readouterr().out  # they are 120 px
    (scene / "site.yaml").write_text("gate:\n  replicates: 100\nharvest:\n  least_height_px: 200\n")
    assert main(["online", "worker", "site", "--once", "--config", "site.yaml"]) == 1
    assert "refused" in capsys.readouterr().out
    assert main(["online", "worker", "site", "--once", "--config", str(CONFIGS / "track.yaml")]) == 2
    assert "unknown key detector" in capsys.readouterr().err


def test_a_worker_may_have_a_machine_of_its_own(
    scene: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []
    monkeypatch.setattr("reid.online.trainer.OnlineTrainer._start_worker", lambda _self, *words: started.append(words))
    assert track("--online", "site") == 0
    assert len(started) == 1
    assert track("--online", "site", "--no-online-worker") == 0
    assert len(started) == 1
    assert "harvested" in capsys.readouterr().out


def test_two_trackers_do_not_share_a_folder(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert track("--online", "site") == 0
    with OnlineFolder.open(scene / "site").lock_tracker():
        assert track("--online", "site") == 2
    assert "in use by another tracker" in capsys.readouterr().err


def test_a_folder_keeps_to_the_embedder_that_it_was_begun_with(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert track("--online", "site") == 0
    other = scene / "other.onnx"
    import onnx

    proto = onnx.load(DEFAULT_MODEL)
    proto.producer_version = "another file"
    onnx.save(proto, other)
    assert track("--online", "site", "--embedder", str(other)) == 2
    assert "must be used with the embedder that it was begun with" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["track", "scene", "--online", "site", "--embedder", "none"], "--online needs an embedder to teach"),
        (["track", "scene", "--detector", "det.txt", "--online", "scene"], "must be an online folder, or empty"),
        (["track", "scene", "--detector", "det.txt", "--online", "site", "--refine"], "give one of the two"),
        (["track", "scene", "--online-config", "site.yaml"], "--online-config needs the folder"),
        (["track", "scene", "--no-online-worker"], "--no-online-worker is about learning on site: give --online DIR"),
        (["online", "status", "nowhere"], "is no online folder"),
        (["online", "history", "nowhere"], "is no online folder"),
        (["online", "worker", "nowhere"], "is no online folder"),
        (["online", "worker", "nowhere", "--nice", "20"], "nice must be a whole number within 0..19"),
        (["online", "worker", "nowhere", "--most-busy", "0"], "most_busy must be above 0 and at most 1, got 0.0"),
        (["online", "forget", "nowhere", "x"], "NUMBER"),
        (["online", "sing"], "unknown command 'online sing'"),
    ],
    ids=[
        "none",
        "other-folder",
        "refine",
        "config",
        "own-worker",
        "status",
        "history",
        "worker",
        "nice",
        "busy",
        "forget",
        "unknown",
    ],
)
def test_bad_input_is_refused(words: Sequence[str], says: str, scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(list(words)) == 2
    assert says in capsys.readouterr().err
    assert not (scene / "nowhere").exists()
    assert not (scene / "site").exists()


def test_pause_resume_history_and_rollback(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert track("--online", "site") == 0
    assert main(["online", "pause", "site"]) == 0
    assert OnlineFolder.open(scene / "site").state()["paused"] is True
    capsys.readouterr()
    assert main(["online", "status", "site"]) == 0
    assert "learning: learning is paused; 0 rounds so far" in capsys.readouterr().out
    assert main(["online", "resume", "site"]) == 0
    assert OnlineFolder.open(scene / "site").state()["paused"] is False
    capsys.readouterr()
    assert main(["online", "history", "site", "--last", "2", "--json"]) == 0
    events = [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]
    assert events == ["paused", "resumed"]
    assert main(["online", "history", "site", "--last", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(" UTC  ")[2] for line in lines] == ["learning pauses", "learning goes on"]
    assert main(["online", "rollback", "site"]) == 1
    assert "the base cannot be rolled back from" in capsys.readouterr().err


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS])
def test_who_may_only_read_the_folder_is_told_how_it_stands(
    code: int, scene: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(path: Path, **_: Any) -> None:
        raise OSError(code, os.strerror(code), str(path))

    assert track("--online", "site") == 0
    monkeypatch.setattr("reid.online.locks.FileLock.attempt", denied)
    capsys.readouterr()
    assert main(["online", "status", "site"]) == 0
    assert "live: model 0" in capsys.readouterr().out
    (scene / "site" / "current.json").write_text("damaged")
    assert main(["online", "status", "site"]) == 1
    said = capsys.readouterr().err
    assert "current.json cannot be read" in said
    assert "which only somebody can repair who may write there" in said


@pytest.mark.parametrize("keep", [False, True])
def test_an_embedder_that_was_admitted_is_used_and_may_be_rolled_back_from(
    keep: bool, scene: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch = pytest.importorskip("torch", reason="needs the extra [train]")
    from reid.learning.graph import OnnxGraph, write_graph
    from reid.online.registry import ModelRegistry

    assert track("--online", "site") == 0
    network = OnnxGraph("default")
    with torch.no_grad():
        network.weights["turn"].mul_(1 + 0.01 * torch.randn(192, 192, generator=torch.Generator().manual_seed(0)))
    better = write_graph(network, network.card, scene / "better.onnx")
    window = (0.0, time.time() + 3600)
    assert ModelRegistry(OnlineFolder.open(scene / "site")).admit(better, window=window) == 1
    capsys.readouterr()
    assert track("--online", "site") == 0
    assert "embedder: model 1 of site" in capsys.readouterr().out
    assert main(["online", "rollback", "site", "--reason", "a test", *(["--keep-harvest"] if keep else [])]) == 0
    said = capsys.readouterr().out
    assert "model 0 is live in the place of 1" in said
    harvested = sum(total.size.crops for total in harvest_totals(OnlineFolder.open(scene / "site")))
    assert (f"left out of learning from now on: {harvested} crops of 1 hour\n" in said) is not keep
    assert main(["online", "status", "site"]) == 0
    said = capsys.readouterr().out
    assert "rolled back: model 1: a test" in said
    assert (f"it learned from them first: {harvested} crops of 1 hour\n" in said) is not keep
    assert f"{harvested if keep else 0} of 500 crops" in said


def test_somebody_is_forgotten(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert track("--online", "site") == 0
    capsys.readouterr()
    slice_ = scene / "site" / "training" / "4" / "harvest"  # as a worker that was killed leaves it
    shutil.copytree(scene / "site" / "harvest", slice_)
    assert main(["online", "forget", "site", "1"]) == 0
    assert not slice_.exists()
    assert re.search(r"deleted \d+ crops of 1 tracklet and 0 bursts of detections, of ", capsys.readouterr().out)
    totals = harvest_totals(OnlineFolder.open(scene / "site"))
    assert totals[0].size.tracklets == 1
    assert main(["online", "forget", "site", "1"]) == 1
    assert "nothing was harvested of 1 in the last start of the tracker\n" in capsys.readouterr().out
    assert main(["online", "history", "site", "--last", "1"]) == 0
    assert re.search(r"UTC  1 of scene, session \S+, is to be forgotten\n", capsys.readouterr().out)
    assert main(["online", "forget", "site", "1", "--session", "all"]) == 1
    assert "nothing was harvested of 1 in any session\n" in capsys.readouterr().out
    with OnlineFolder.open(scene / "site").lock_tracker(session="now", camera="scene"):
        assert main(["online", "forget", "site", "1"]) == 0
        assert "the tracker that runs is told to forget" in capsys.readouterr().out
        assert main(["online", "forget", "site", "2"]) == 0
        assert re.search(
            "nothing was .*\nthe tracker .*\nthe number is also in session .*--session", capsys.readouterr().out
        )
        assert main(["online", "forget", "site", "2", "--session", "no"]) == 1, "nobody is told of what is not there"
        assert "is told" not in capsys.readouterr().out
    assert totals == harvest_totals(OnlineFolder.open(scene / "site"))


def test_somebody_is_forgotten_in_a_folder_whose_header_is_damaged(scene: Path) -> None:
    assert track("--online", "site") == 0
    header = scene / "site" / "online.json"
    whole = header.read_bytes()
    header.write_bytes(whole[:20])
    assert main(["online", "forget", "site", "1"]) == 0
    assert track("--online", "site") == 0
    assert header.read_bytes() == whole


def test_numbers_that_are_forgotten_with_another_are_told(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert track("--online", "site") == 0
    folder = OnlineFolder.open(scene / "site")
    last = folder.last_tracker()
    assert last is not None
    with TrackletWriter(find_stores(folder.harvest)[0], append=True) as writer:
        writer.begin_run("scene", session=last.session, began_unix_s=0)
        tracklet = writer.next_tracklet
        for frame, number in ((900, 1), (901, 17)):
            crop = np.full((40, 20, 3), 90, np.uint8)
            writer.add_crop(tracklet, crop, identity=number, frame=frame, time_s=frame, box=(0, 0, 20, 40), score=1)
    capsys.readouterr()
    assert main(["online", "forget", "site", "17"]) == 0
    assert re.search(r"deleted \d+ crops of 2 tracklets .*\n1 went with it: one of", capsys.readouterr().out)


def test_what_was_detected_is_recorded_and_can_be_tracked_again(
    scene: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    (scene / "online.yaml").write_text("bursts: {first_s: 0.5, length_s: 2, least_s: 1}\n", encoding="ascii")
    assert track("--online", "site", "--online-config", "online.yaml", "--tracker.high-score", "0.55") == 0
    capsys.readouterr()
    assert main(["online", "status", "site"]) == 0
    assert re.search(r"detections of scene: 1 bursts, 0\.\d MB", capsys.readouterr().out)
    burst = read_burst(scene / "site" / "replay" / "scene" / "000001.npz")
    assert len(burst.time_s) == 20
    assert (burst.info.identities, burst.info.tracker["high_score"]) == ((1, 2), 0.55)
    damaged = scene / "site" / "replay" / "scene" / "000002.npz"
    damaged.write_bytes(b"")
    embedder = Embedder("default", device="cpu")
    bare = damaged.with_name("000003.npz")  # whoever asks for a vector cannot go on
    with bare.open("wb") as file:
        dataclasses.replace(burst, jpegs=[b""] * len(burst.jpegs)).write(file)
    caplog.clear()
    first, *others = replays_of(scene / "site" / "replay", embedder)
    assert first is not None
    assert (first.births, first.breaks) == (2, 2)
    assert others == [None, None], "one for each burst, so that those of two embedders can be laid side by side"
    assert [number in said for number, said in zip(("000002", "000003"), caplog.messages, strict=True)] == [True, True]
    assert replays_of(scene / "site" / "replay", embedder, stop=lambda: True) == [None] * 3
    damaged.unlink()
    bare.unlink()
    assert main(["online", "forget", "site", "2"]) == 0
    assert "and 1 burst of detections, of session" in capsys.readouterr().out
    assert not list((scene / "site" / "replay").rglob("*.npz"))


def test_the_worker_says_that_there_is_too_little_to_learn_from(
    scene: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch", reason="needs the extra [train]")
    assert track("--online", "site") == 0
    assert main(["online", "worker", "site", "--once", "--nice", "0"]) == 1
    assert "round 1: refused: there are" in capsys.readouterr().out
    assert OnlineFolder.open(scene / "site").history.read()[-1]["event"] == "refused"


def test_a_run_says_what_became_of_rounds_and_why(
    scene: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def worker(trainer: Any, *_: Any) -> None:
        """What one does meanwhile."""
        history = trainer.folder.history
        history.append("cycle_started", round=1, crops=75, live=0)
        history.append("refused", round=1, reason="re-association did not improve")
        figures = {"round": 2}
        history.append("admitted", number=1, model={"figures": figures}, reason="it is better")
        history.append("doubted", number=0, camera="scene", reason="margins fell")
        history.append("rolled_back", number=0, quarantined={"number": 1}, reason="tracks broke")

    monkeypatch.setattr("reid.online.trainer.OnlineTrainer._start_worker", worker)
    assert track("--online", "site") == 0
    said = capsys.readouterr()
    rounds = [
        "round 1 refused: re-association did not improve",
        "round 2 admitted as model 1: it is better",
        "model 0 is in doubt at scene: margins fell",
        "model 1 is rolled back from, to model 0: tracks broke",
    ]
    assert [line for line in said.err.splitlines() if "round " in line or "model " in line] == [
        f"reidtrack: {line}" for line in rounds
    ]
    summary = said.out.splitlines()
    begin = next(k for k, line in enumerate(summary) if line.startswith("harvested"))
    assert summary[begin + 1 : begin + 5] == rounds
    crops = int(summary[begin].split()[1])
    assert summary[begin + 5] == f"learning: no worker, {crops} of 500 crops for the next round"
    assert summary[begin + 6].startswith("embedder: model 0 of site")
    assert main(["online", "status", "site"]) == 0
    assert "beware: model 0 is in doubt at scene: margins fell\n" in capsys.readouterr().out
    history = OnlineFolder.open("site").history
    history.append("put_off", number=0, reason="model 0 cannot be used on cuda now: no memory")
    assert main(["online", "status", "site"]) == 0
    assert "not used yet: model 0 cannot be used on cuda now: no memory\n" in capsys.readouterr().out
    history.append("taken_up", number=0)
    history.append("trusted", number=0, camera="yard", reason="")
    assert main(["online", "status", "site"]) == 0
    last = capsys.readouterr().out
    assert "beware" in last, "at the other camera it still is"
    assert "not used yet" not in last
    history.append("trusted", number=0, camera="scene", reason="")
    assert main(["online", "status", "site"]) == 0
    last = capsys.readouterr().out
    assert "beware" not in last
    assert "UTC  model 0 is in doubt at scene no more\n" in last
    monkeypatch.setattr("tracker.cli.progress._LINE_EVERY_S", -1.0)
    assert track("--online", "site") == 0
    line = next(line for line in capsys.readouterr().err.splitlines() if line.startswith("frame 40"))
    assert re.search(
        r"2 identities.*; harvested \d+, no worker, \d+ of 500 crops for the next round, model 0, round 2 admitted$",
        line,
    )


def test_the_folder_says_how_far_a_round_is(
    scene: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="needs the extra [train]")
    import reid.online.worker as worker

    assert track("--online", "site") == 0
    said: list[str] = []

    def status() -> None:
        capsys.readouterr()
        assert main(["online", "status", "site"]) == 0
        said.append(next(line for line in capsys.readouterr().out.splitlines() if line.startswith("learning")))

    def adapt(*_: Any, progress: Callable[[Any], None], **__: Any) -> Any:
        status()
        for step in (30, 300):
            progress(SimpleNamespace(step=step, steps=300, loss=1.0, validation_map=None, **dict.fromkeys(REST, 0.0)))
            status()
        return worker.AdaptResult(admitted=False, reason="a test", verdict=None, model=None)

    monkeypatch.setattr(worker, "adapt", adapt)
    assert main(["online", "worker", "site", "--once", "--nice", "0"]) == 1
    status()
    assert said[:3] == [f"learning: round 1 {what}; 1 rounds so far" for what in ("begins", "trains, 10%", "is judged")]
    assert said[3] == "learning: no worker, 0 of 500 crops for the next round; 1 rounds so far"
    assert main(["online", "status", "site", "--json"]) == 0
    state = json.loads(capsys.readouterr().out)
    assert (state["live"]["number"], state["last"]["reason"], state["harvest_waits"]) == (0, "a test", None)
    assert {name: state["learning"][name] for name in ("paused", "stage", "new_crops", "missing_crops")} == {
        "paused": False,
        "stage": "waiting",
        "new_crops": 0,
        "missing_crops": 500,
    }


def test_a_worker_that_is_refused_leaves_the_note_of_the_other_one(
    scene: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch", reason="needs the extra [train]")
    assert track("--online", "site") == 0
    folder = OnlineFolder.open(scene / "site")
    with folder.lock_worker():
        WorkerNote(folder, CycleConfig(least_new_crops=300)).trained(120, 300)
        before = folder.worker_note.read_bytes()
        assert main(["online", "worker", "site", "--once"]) == 2
        assert "in use by another worker" in capsys.readouterr().err
        assert folder.worker_note.read_bytes() == before


def test_the_folder_says_that_harvesting_waits_as_long_as_a_tracker_runs(
    scene: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def waits(*, at_work: bool) -> bool:
        capsys.readouterr()
        with folder.lock_tracker() if at_work else nullcontext():
            assert main(["online", "status", "site"]) == 0
        return "harvesting waits: less than 500 MB are free" in capsys.readouterr().out

    assert track("--online", "site") == 0
    folder = OnlineFolder.open(scene / "site")
    folder.history.append("paused", by="harvest", camera="scene", reason="less than 500 MB are free")
    assert waits(at_work=True)
    assert not waits(at_work=False)
    (folder.harvest / "scene" / "20200101-00").mkdir()
    (folder.harvest / "scene" / "20200101-00" / "store.jsonl").write_bytes(b"of somebody else")
    assert main(["online", "status", "site"]) == 0
    assert "kept for too long: harvest/scene/20200101-00; a tracker or a worker" in capsys.readouterr().out
    # the one that waited has ended: the next one harvests, of another camera or not
    assert track("--online", "site") == 0
    assert not waits(at_work=True)


@contextmanager
def beside(scene: Path, settings: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """A worker as a tracker starts it, which holds the other end of its standard input; all is done to it at once."""
    (scene / "site.yaml").write_text(f"cycle:\n  least_new_crops: 100000\n{settings}")
    command = [sys.executable, "-m", "tracker.cli.main", "online", "worker", "site", "--with-parent"]
    with (
        (scene / "said.txt").open("wb") as said,
        subprocess.Popen(
            [*command, "--config", "site.yaml"], stdin=subprocess.PIPE, stdout=said, stderr=said
        ) as worker,
    ):
        yield worker
        worker.kill()


def until(happens: Callable[[], bool]) -> None:
    began = time.monotonic()
    while not happens():
        assert time.monotonic() - began < 500, "it hangs"
        time.sleep(0.05)


def test_a_worker_whose_tracker_is_gone_before_it_is_ready_ends(scene: Path) -> None:
    pytest.importorskip("torch", reason="the worker needs the extra [train]")
    assert track("--online", "site") == 0
    with beside(scene) as worker:
        assert worker.stdin is not None
        worker.stdin.close()  # as the system does for a tracker that was killed
        assert worker.wait(500) == 0


@pytest.mark.skipif(not hasattr(os, "getpriority"), reason="the system knows no nice levels")
def test_a_worker_stands_back_behind_other_work(scene: Path) -> None:
    pytest.importorskip("torch", reason="the worker needs the extra [train]")
    folder = OnlineFolder.make(scene / "site", BaseModel("default", Embedder("default", device="cpu").info.model_hash))
    ModelRegistry(folder, base=DEFAULT_MODEL)
    path = folder.worker_lock
    with beside(scene, "nice: 19\n") as worker:
        until(lambda: holder_of(path).startswith(f"process {worker.pid} "))
        assert os.getpriority(os.PRIO_PROCESS, worker.pid) == 19


@pytest.mark.parametrize(
    ("words", "rests"), [(["--with-parent"], True), ([], False), (["--most-busy", "0.5"], True)],
    ids=["beside", "alone", "told"],
)  # fmt: skip
def test_a_worker_rests_between_its_steps_beside_a_tracker_or_where_it_is_told_to(
    words: Sequence[str], rests: bool, scene: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="the worker needs the extra [train]")
    import reid.online.worker as worker
    import tracker.cli.online_worker as command

    now_s = busy_s = 0.0
    stopped: list[bool] = []
    rested_s: list[float] = []

    def adapt(*_: Any, stop: Callable[[], bool], **__: Any) -> Any:
        nonlocal now_s, busy_s
        now_s, busy_s = now_s + 0.5, busy_s + 0.5
        before_s = now_s
        stopped.append(stop())
        rested_s.append(now_s - before_s)
        return worker.AdaptResult(admitted=False, reason="a test", verdict=None, model=None)

    def sleep(seconds: float) -> None:
        nonlocal now_s
        now_s += seconds

    assert track("--online", "site") == 0
    monkeypatch.setattr(worker, "adapt", adapt)
    monkeypatch.setattr(command, "_when_input_ends", threading.Event)  # whose tests have none
    clocks = partial(Pace, busy=lambda: busy_s, steady=lambda: now_s, sleep=sleep)
    monkeypatch.setattr("reid.online.pace.Pace", clocks)
    assert main(["online", "worker", "site", "--once", "--nice", "0", *words]) == 1
    assert stopped == [False]
    assert rested_s == [pytest.approx(0.5 if rests else 0.0)]


def test_a_torch_that_cannot_be_loaded_costs_no_round(
    scene: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch", reason="the worker needs the extra [train]")

    class Broken:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "reid.online.worker":
                raise ImportError("libgomp.so.1: cannot open shared object file")

    assert track("--online", "site") == 0
    monkeypatch.delitem(sys.modules, "reid.online.worker", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    assert main(["online", "worker", "site", "--once", "--nice", "0"]) == 1
    assert "learning on site needs torch, which cannot be loaded: libgomp.so.1" in capsys.readouterr().err
    told = {event["event"] for event in OnlineFolder.open(scene / "site").history.read()}
    assert not told & {"cycle_started", "refused"}


def test_a_worker_waits_for_the_one_of_a_tracker_that_was_killed(scene: Path) -> None:
    pytest.importorskip("torch", reason="the worker needs the extra [train]")
    assert track("--online", "site") == 0
    path = scene / "site" / "lock.worker"
    lock = OnlineFolder.open(scene / "site").lock_worker()
    with beside(scene) as worker:
        until(lambda: b"waiting for another worker to end (process" in (scene / "said.txt").read_bytes())
        assert worker.poll() is None
        lock.release()
        until(lambda: holder_of(path).startswith(f"process {worker.pid} "))
        assert worker.stdin is not None
        worker.stdin.close()
        assert worker.wait(500) == 0
    assert not is_locked(path)

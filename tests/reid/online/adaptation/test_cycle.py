"""Rounds of learning in an online folder."""

from __future__ import annotations

import errno
import hashlib
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reid.data.config import DataConfig
from reid.data.stores import read_store_crops
from reid.embedder import DEFAULT_MODEL, Embedder
from reid.errors import DataError, InputError, ModelError
from reid.online import BaseModel, OnlineFolder, forget, setting_aside
from reid.online.burst_store import burst_files
from reid.online.config import AdaptConfig, LessonConfig
from reid.online.cycle import CycleConfig, Stop, Task, is_due, run_round, work
from reid.online.files import read_json, write_json
from reid.online.gate import Difference, Verdict
from reid.online.hours import hour_name
from reid.online.learning import WorkerNote, learning_of
from reid.online.ledger import harvest_totals
from reid.online.proven_clock import note_hour
from reid.online.registry import ModelRegistry

Film = Callable[..., Path]
FIGURES = {"found again": Difference(0.5, 0.7, 0.1, 0.3)}


@dataclass
class Learner:
    """Learns nothing: takes down what it was asked, and gives what it was told to."""

    model: Path | None = None
    error: Exception | None = None
    during: Callable[[], object] | None = None
    seen: int = 0
    asked: list[Task] = field(default_factory=list)

    @dataclass(frozen=True)
    class Result:
        admitted: bool
        reason: str
        verdict: Verdict | None
        model: Path | None
        counts: Mapping[str, int]

    def __call__(self, task: Task, _config: AdaptConfig, _stop: Stop) -> Result:
        self.asked.append(task)
        assert task.out.parent.is_dir()
        if self.during is not None:
            self.during()
        self.seen = len(read_store_crops(task.harvest, DataConfig()))
        if self.error is not None:
            raise self.error
        if self.model is not None:
            task.out.write_bytes(self.model.read_bytes())
        verdict = Verdict(self.model is not None, "because", FIGURES)
        return self.Result(verdict.admitted, "because", verdict, None if self.model is None else task.out, {"crops": 7})


@pytest.fixture
def folder(tmp_path: Path, film: Film) -> OnlineFolder:
    """A folder with a harvest of 72 crops."""
    base = BaseModel("default", hashlib.sha256(DEFAULT_MODEL.read_bytes()).hexdigest())
    made = OnlineFolder.make(tmp_path / "site", base)
    store = film("store", people=6)
    (made.harvest / "door").mkdir(parents=True)
    store.rename(made.harvest / "door" / "20260131-09")
    return made


@pytest.fixture
def better(dim_eyes: Path) -> Path:
    """Another sound model, with its card inside."""
    from reid.learning.graph import OnnxGraph, write_graph

    network = OnnxGraph(dim_eyes)
    return write_graph(network, network.card, dim_eyes.with_name("better.onnx"))


def crops_in(folder: OnlineFolder) -> int:
    return sum(total.size.crops for total in harvest_totals(folder))


def rounds_until_told(folder: OnlineFolder, learner: Learner, cycle: CycleConfig) -> list[int]:
    """The round after which a worker was told to stop: the first that came to an end."""
    rounds = list[int]()
    work(
        folder, ModelRegistry(folder), learner, AdaptConfig(), cycle,
        told=lambda done: rounds.append(done.number), stop=lambda: bool(rounds), sleep=lambda _s: None,
    )  # fmt: skip
    return rounds


def once_begun(folder: OnlineFolder) -> Stop:
    """Says that it is to stop as soon as a round has all that it learns from."""
    return lambda: any(folder.training.glob("*/round.json"))


def make_older(folder: OnlineFolder, by_s: float) -> None:
    """The round under way began so much earlier."""
    (path,) = folder.training.glob("*/round.json")
    begun = read_json(path)
    assert begun is not None
    write_json(path, {**begun, "unix_s": begun["unix_s"] - by_s})


def events(folder: OnlineFolder) -> list[str]:
    return [event["event"] for event in folder.history.read()]


def test_a_better_model_goes_live_with_its_figures(folder: OnlineFolder, better: Path) -> None:
    registry, learner = ModelRegistry(folder), Learner(better)
    before = registry.current()
    done = run_round(folder, registry, learner, AdaptConfig())
    assert done is not None
    assert (done.number, done.admitted) == (1, registry.current().number), done.reason
    assert done.admitted != before.number
    assert [(task.live, task.base, task.seed) for task in learner.asked] == [(before.path, registry.path(0), 1)]
    assert learner.seen == 72
    record = next(model for model in registry.models if model.number == done.admitted)
    assert record.figures["figures"]["found again"]["candidate"] == 0.7
    assert record.window is not None
    assert record.window[1] - record.window[0] == 3600
    assert "admitted" in events(folder)
    assert not list(folder.training.iterdir())


def test_a_round_has_the_bursts_that_there_are_at_its_beginning(folder: OnlineFolder) -> None:
    bursts = [folder.replay / camera / "000001.npz" for camera in ("door", "yard")]
    for path in bursts:
        path.parent.mkdir(parents=True)
        path.write_bytes(path.parent.name.encode())
    learner, tried = Learner(during=lambda: look()), list[bytes]()

    def look() -> None:
        bursts[0].unlink()
        tried.extend(path.read_bytes() for path in burst_files(learner.asked[-1].replay))

    run_round(folder, ModelRegistry(folder), learner, AdaptConfig())
    assert tried == [b"door", b"yard"]
    assert not list(folder.training.iterdir())


@pytest.mark.parametrize(
    "error", [None, ModelError("it broke"), MemoryError("it broke")], ids=["refused", "failed", "died"]
)
def test_a_round_without_a_better_one_changes_nothing_and_says_why(
    folder: OnlineFolder, error: Exception | None
) -> None:
    registry = ModelRegistry(folder)
    done = run_round(folder, registry, Learner(error=error), AdaptConfig())
    assert done is not None
    assert done.admitted is None
    assert registry.current().number == 0
    last = folder.history.read()[-1]
    assert last["event"] == "refused"
    assert ("it failed: " if error else "because") in last["reason"]
    assert ("it broke" in last["reason"]) == (error is not None)


def test_it_is_due_once_enough_was_harvested_and_not_while_it_is_paused(folder: OnlineFolder) -> None:
    assert crops_in(folder) == 72
    assert not is_due(folder, ModelRegistry(folder), CycleConfig(least_new_crops=100))
    assert is_due(folder, ModelRegistry(folder), CycleConfig(least_new_crops=50))
    folder.change_state(lambda state: {**state, "paused": True})
    assert not is_due(folder, ModelRegistry(folder), CycleConfig(least_new_crops=50))
    folder.change_state(lambda state: {**state, "paused": False})
    run_round(folder, ModelRegistry(folder), Learner(), AdaptConfig())
    assert not is_due(folder, ModelRegistry(folder), CycleConfig(least_new_crops=50))


def test_the_worker_learns_when_it_is_due_and_stops_when_told(folder: OnlineFolder) -> None:
    assert rounds_until_told(folder, Learner(), CycleConfig(least_new_crops=50, wait_s=1)) == [1]


def test_there_is_one_worker_a_folder(folder: OnlineFolder) -> None:
    with folder.lock_worker(), pytest.raises(DataError, match="in use by another worker"):
        work(folder, ModelRegistry(folder), Learner(), AdaptConfig(), CycleConfig(), once=True)


def test_hours_of_a_model_that_was_rolled_back_are_not_learned_from_again(
    folder: OnlineFolder, film: Film, better: Path
) -> None:
    registry, learner = ModelRegistry(folder), Learner(better)
    done = run_round(folder, registry, learner, AdaptConfig())
    assert done is not None
    assert done.admitted == 1
    film("later", people=6).rename(folder.harvest / "door" / "20260131-11")
    learner.model = DEFAULT_MODEL
    done = run_round(folder, registry, learner, AdaptConfig())
    assert done is not None
    assert done.admitted == 2
    assert learner.seen == 144
    # what the first had learned from is not the second's
    first, second = (next(model for model in registry.models if model.number == number) for number in (1, 2))
    assert first.window is not None
    assert second.window is not None
    assert second.window[0] == first.window[1] - 3600
    assert second.window[1] == first.window[1] + 7200
    registry.roll_back("it was worse")
    learner.model = None
    film("after", people=3).rename(folder.harvest / "door" / "20260131-13")
    run_round(folder, registry, learner, AdaptConfig())
    assert learner.seen == 36, "the hours from the ninth to the eleventh are left out"


def test_a_round_that_was_stopped_goes_on_and_one_that_makes_no_sense_any_more_does_not(
    folder: OnlineFolder, better: Path, film: Film
) -> None:
    registry, learner = ModelRegistry(folder), Learner(better)
    assert run_round(folder, registry, learner, AdaptConfig(), stop=once_begun(folder)) is None
    (learner.asked[0].lesson).mkdir()
    film("later", people=6).rename(folder.harvest / "door" / "20260131-11")
    done = run_round(folder, registry, learner, AdaptConfig())
    assert done is not None
    assert (done.number, done.admitted) == (1, 1)
    assert learner.asked[0] == learner.asked[1]
    assert learner.seen == 72, "what it began with"
    assert not list(folder.training.iterdir())
    assert events(folder).count("cycle_started") == 1
    # another embedder is live by then
    assert run_round(folder, registry, learner, AdaptConfig(), stop=once_begun(folder)) is None
    registry.roll_back("it was worse")
    assert not is_due(folder, ModelRegistry(folder), CycleConfig(least_new_crops=10**6))
    learner.model = None
    done = run_round(folder, registry, learner, AdaptConfig())
    assert done is not None
    assert done.number == 3
    # somebody was forgotten by then
    assert run_round(folder, registry, learner, AdaptConfig(), stop=once_begun(folder)) is None
    shutil.rmtree(folder.training)
    done = run_round(folder, registry, learner, AdaptConfig())
    assert done is not None
    assert done.number == 5
    # settings are others by then
    assert run_round(folder, registry, learner, AdaptConfig(), stop=once_begun(folder)) is None
    done = run_round(folder, registry, learner, AdaptConfig(lesson=LessonConfig(steps=50)))
    assert done is not None
    assert done.number == 7


def test_a_worker_goes_on_with_a_round_though_too_little_is_new(folder: OnlineFolder) -> None:
    run_round(folder, ModelRegistry(folder), Learner(), AdaptConfig(), stop=once_begun(folder))
    assert rounds_until_told(folder, Learner(), CycleConfig(least_new_crops=10**6, wait_s=1)) == [1]


def test_a_model_that_was_taught_from_one_rolled_back_meanwhile_never_goes_live(
    folder: OnlineFolder, better: Path
) -> None:
    registry, learner = ModelRegistry(folder), Learner(better)
    run_round(folder, registry, learner, AdaptConfig())
    assert registry.current().number == 1
    learner.model, learner.during = DEFAULT_MODEL, lambda: registry.roll_back("it was worse")
    done = run_round(folder, registry, learner, AdaptConfig())
    assert done is not None
    assert (done.admitted, registry.current().number) == (None, 0)
    assert "another embedder went live meanwhile" in done.reason


def test_a_round_teaches_the_embedder_that_it_began_with_and_no_other(
    folder: OnlineFolder, better: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, learner = ModelRegistry(folder), Learner()

    def another_goes_live(_folder: OnlineFolder, _into: Path) -> None:
        monkeypatch.undo()
        registry.admit(better)

    monkeypatch.setattr("reid.online.cycle.set_bursts_aside", another_goes_live)
    assert rounds_until_told(folder, learner, CycleConfig(least_new_crops=50, wait_s=1)) == [2]
    assert [task.live for task in learner.asked] == [registry.current().path]


def test_who_forgets_while_a_round_begins_has_it_begin_once_more(
    folder: OnlineFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forgotten(_folder: OnlineFolder, _into: Path) -> None:
        monkeypatch.undo()
        shutil.rmtree(folder.training)

    monkeypatch.setattr("reid.online.cycle.set_bursts_aside", forgotten)
    assert rounds_until_told(folder, Learner(), CycleConfig(least_new_crops=50, wait_s=1)) == [2]


def test_who_is_held_out_stays_so(folder: OnlineFolder) -> None:
    learner, before, after = Learner(), {"door, s: 1": True}, {"door, s: 1": True, "door, s: 2": False}

    def shares_out() -> None:
        assert read_json(learner.asked[-1].people) == before
        write_json(learner.asked[-1].people, after)

    learner.during = shares_out
    write_json(folder.people, before)
    run_round(folder, ModelRegistry(folder), learner, AdaptConfig())
    assert read_json(folder.people) == after


@pytest.mark.parametrize("when", ["copying", "learning", "judging"])
def test_who_forgets_somebody_has_the_round_begin_once_more(
    when: str, folder: OnlineFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner, times = Learner(), [1]

    def forgotten() -> None:
        if times:
            times.pop()
            write_json(folder.people, {})
            for path in folder.training.glob("*/round.json*"):
                path.unlink()
            shutil.rmtree(folder.training)

    def copied(*asked: Any) -> None:
        forgotten()
        copy(*asked)

    def learned(*asked: Any) -> Learner.Result:
        write_json(asked[0].people, {"door, s: 1": True})
        result = learner(*asked)
        if when == "judging":
            forgotten()
            write_json(folder.people, {})
        return result

    copy = setting_aside._copy
    if when == "copying":
        monkeypatch.setattr(setting_aside, "_copy", copied)
    if when == "learning":
        learner.during = forgotten
    rounds = list[int]()
    work(
        folder, ModelRegistry(folder), learned, AdaptConfig(), CycleConfig(least_new_crops=50),
        told=lambda done: rounds.append(done.number), stop=lambda: bool(rounds), sleep=lambda _s: None,
    )  # fmt: skip
    assert rounds == [2]
    assert learner.seen == 72
    assert events(folder).count("refused") == 1
    assert not list(folder.training.iterdir())


@pytest.mark.parametrize(("then", "noted"), [("forgotten", "waiting"), ("paused", "training"), ("over", "waiting")])
def test_a_worker_notes_that_no_round_is_under_way_as_soon_as_none_is(
    then: str, noted: str, folder: OnlineFolder
) -> None:
    cycle, found = CycleConfig(least_new_crops=50), list[str]()
    note, registry = WorkerNote(folder, cycle), ModelRegistry(folder)

    def learned(_task: Task, _config: AdaptConfig, stop: Stop) -> Learner.Result:
        assert stage() == "waiting"
        note.trained(120, 300)
        if then == "forgotten":
            forget(folder, 1)
        elif then == "paused":
            folder.change_state(lambda state: {**state, "paused": True})
        assert stop() == (then != "over")
        return Learner.Result(admitted=False, reason="because", verdict=None, model=None, counts={})

    def stage() -> str:
        return learning_of(folder, registry, harvest_totals(folder)).stage

    def sleep(_s: float) -> None:
        found.append(stage())

    note.trained(300, 300)  # of a round of the worker before, which cannot go on
    work(folder, registry, learned, AdaptConfig(), cycle, waits=note.waits, stop=lambda: bool(found), sleep=sleep)
    assert found == [noted]


def test_a_worker_deletes_what_is_too_old_whether_or_not_learning_is_paused(folder: OnlineFolder) -> None:
    (folder.harvest / "door" / "20260131-09").rename(folder.harvest / "door" / "20200131-09")
    note_hour(folder.clock, hour_name(time.time() - 7200), 30)
    folder.change_state(lambda state: {**state, "paused": True})
    looks = list[float]()
    work(
        folder, ModelRegistry(folder), Learner(), AdaptConfig(), CycleConfig(),
        stop=lambda: bool(looks), sleep=looks.append,
    )  # fmt: skip
    assert crops_in(folder) == 0


def test_a_worker_that_is_refused_notes_nothing(folder: OnlineFolder) -> None:
    noted = list[int]()
    with folder.lock_worker(), pytest.raises(DataError, match="in use by another worker"):
        work(
            folder, ModelRegistry(folder), Learner(), AdaptConfig(), CycleConfig(), once=True,
            waits=lambda: noted.append(1),
        )  # fmt: skip
    assert noted == []


def test_a_disk_that_is_full_while_it_learns_costs_no_round(folder: OnlineFolder) -> None:
    registry, learner = ModelRegistry(folder), Learner(error=OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(OSError, match="No space left"):
        run_round(folder, registry, learner, AdaptConfig())
    assert is_due(folder, ModelRegistry(folder), CycleConfig(least_new_crops=1))
    learner.error = None
    done = run_round(folder, registry, learner, AdaptConfig())
    assert done is not None
    assert done.number == 1


def test_who_pauses_for_a_moment_finds_the_round_where_it_was(folder: OnlineFolder) -> None:
    learner, paused = Learner(), [False]

    def stopped(task: Task, config: AdaptConfig, stop: Stop) -> Learner.Result:
        paused[0] = True
        assert stop()
        paused[0] = False
        return learner(task, config, stop)

    assert run_round(folder, ModelRegistry(folder), stopped, AdaptConfig(), stop=lambda: paused[0]) is None
    assert is_due(folder, ModelRegistry(folder), CycleConfig(least_new_crops=1))


def test_a_picture_that_cannot_be_read_ends_no_round(folder: OnlineFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    read, bad = Path.read_bytes, next(iter(sorted(folder.harvest.rglob("*.jpg"))))

    def read_bytes(path: Path) -> bytes:
        if path == bad:
            raise OSError(errno.EIO, "Input/output error")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    learner = Learner()
    assert run_round(folder, ModelRegistry(folder), learner, AdaptConfig()) is not None
    assert learner.seen == 71


def test_where_nothing_was_harvested_no_model_is_blamed(folder: OnlineFolder) -> None:
    shutil.rmtree(folder.harvest)
    done = run_round(folder, ModelRegistry(folder), Learner(), AdaptConfig())
    assert done is not None
    assert "found nothing" in done.reason


def test_what_is_left_out_does_not_make_a_round_due(folder: OnlineFolder, film: Film, better: Path) -> None:
    registry, learner, cycle = ModelRegistry(folder), Learner(better), CycleConfig(least_new_crops=1)
    run_round(folder, registry, learner, AdaptConfig())
    (folder.harvest / "yard").mkdir()
    film("more", people=6).rename(folder.harvest / "yard" / "20260131-09")
    assert is_due(folder, registry, cycle)
    registry.roll_back("it was worse")
    assert not is_due(folder, registry, cycle), "they are of the hour that the bad one learned from"
    film("later", people=6).rename(folder.harvest / "door" / "20260131-11")
    assert is_due(folder, registry, cycle)


def test_told_to_stop_it_does_not_look_through_the_whole_harvest(
    folder: OnlineFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, decode, learner = list[int](), setting_aside.decode, Learner()

    def look(*asked: Any) -> object:
        looked.append(1)
        return decode(*asked)

    monkeypatch.setattr(setting_aside, "decode", look)
    assert run_round(folder, ModelRegistry(folder), learner, AdaptConfig(), stop=lambda: len(looked) > 0) is None
    assert 0 < len(looked) <= 12, "one tracklet of six"
    assert not learner.asked
    assert not list(folder.training.iterdir())
    done = run_round(folder, ModelRegistry(folder), learner, AdaptConfig())
    assert done is not None
    assert learner.seen == 72


def test_where_all_hours_are_of_a_bad_model_it_says_so(folder: OnlineFolder, better: Path) -> None:
    registry, learner = ModelRegistry(folder), Learner(better)
    run_round(folder, registry, learner, AdaptConfig())
    registry.roll_back("it was worse")
    done = run_round(folder, registry, learner, AdaptConfig())
    assert done is not None
    assert "which made tracking worse: let more be seen" in done.reason
    assert len(learner.asked) == 1


def test_a_full_disk_costs_a_round_and_not_the_worker(
    folder: OnlineFolder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries, change_state = [0], folder.change_state

    def full(change: Callable[..., Mapping[str, object]]) -> dict[str, object]:
        tries[0] += 1
        if tries[0] < 4:
            raise OSError("no space left")
        return change_state(change)

    monkeypatch.setattr(folder, "change_state", full)
    assert rounds_until_told(folder, Learner(), CycleConfig(least_new_crops=50, wait_s=1)) == [1]
    assert caplog.text.count("learning waits: no space left") == 1


def test_who_pauses_stops_the_round_that_is_under_way(folder: OnlineFolder) -> None:
    registry, learner, rests = ModelRegistry(folder), Learner(), [0]

    def rest(_s: float) -> None:
        rests[0] += 1

    learner.during = lambda: folder.change_state(lambda state: {**state, "paused": True})
    work(
        folder, registry, learner, AdaptConfig(), CycleConfig(least_new_crops=50, wait_s=0.5),
        stop=lambda: rests[0] > 2, sleep=rest,
    )  # fmt: skip
    assert len(learner.asked) == 1
    assert "refused" not in events(folder)
    assert [path.name for path in folder.training.iterdir()] == ["1"], "it goes on when it is resumed"


def test_where_old_crops_make_room_for_new_ones_it_is_due_all_the_same(folder: OnlineFolder, film: Film) -> None:
    cycle = CycleConfig(least_new_crops=50)
    run_round(folder, ModelRegistry(folder), Learner(), AdaptConfig())
    assert not is_due(folder, ModelRegistry(folder), cycle)
    shutil.rmtree(folder.harvest / "door" / "20260131-09")
    film("later", people=6).rename(folder.harvest / "door" / "20260131-11")
    assert crops_in(folder) == 72
    assert is_due(folder, ModelRegistry(folder), cycle)


def test_what_a_killed_round_left_is_gone_with_the_next(folder: OnlineFolder) -> None:
    (folder.training / "7").mkdir(parents=True)
    (folder.training / "7" / "candidate.onnx").write_text("half")
    run_round(folder, ModelRegistry(folder), Learner(), AdaptConfig())
    assert not list(folder.training.iterdir())


def test_a_round_that_was_killed_while_it_was_deleted_is_not_gone_on_with(
    folder: OnlineFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    rmtree, registry = shutil.rmtree, ModelRegistry(folder)

    def killed(path: Path, **options: Any) -> None:
        if not (path / "harvest").is_dir():
            return rmtree(path, **options)
        rmtree(path / "harvest")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            run_round(folder, registry, Learner(), AdaptConfig())
    done = run_round(folder, registry, Learner(), AdaptConfig())
    assert done is not None
    assert (done.number, done.reason) == (2, "because")


@pytest.mark.parametrize("at", [0, 0.5], ids=["header", "middle"])
def test_what_is_damaged_is_not_learned_from_and_ends_no_round(folder: OnlineFolder, at: float) -> None:
    store = folder.harvest / "door" / "20260131-09"
    records = store / "store.jsonl"
    pictures = sorted((store / "pictures").rglob("*.jpg"))
    for path, first in ((records, int(at * records.stat().st_size)), (pictures[0], 0), (pictures[40], 0)):
        data = bytearray(path.read_bytes())
        data[first : first + 8] = b"\xa5" * 8
        path.write_bytes(data)
    harvested = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
    decoded: list[int] = []

    def look(task: Task, _config: AdaptConfig, _stop: Stop) -> Learner.Result:
        crops = read_store_crops(task.harvest, DataConfig())
        decoded.append(len(crops.pixels(np.arange(len(crops)), 32, 16)))
        return Learner.Result(admitted=False, reason="because", verdict=None, model=None, counts={})

    done = run_round(folder, ModelRegistry(folder), look, AdaptConfig())
    assert done is not None
    assert done.reason == "because"
    assert 60 <= decoded[0] <= 70
    assert {path: path.read_bytes() for path in store.rglob("*") if path.is_file()} == harvested, "it is left alone"


def test_an_hour_that_cannot_be_read_ends_no_round(folder: OnlineFolder, film: Film) -> None:
    film("later", people=3).rename(folder.harvest / "door" / "20260131-11")
    records = folder.harvest / "door" / "20260131-09" / "store.jsonl"
    records.write_bytes(records.read_bytes().replace(b'"version":1', b'"version":3', 1))
    learner = Learner()
    done = run_round(folder, ModelRegistry(folder), learner, AdaptConfig())
    assert done is not None
    assert (done.reason, learner.seen) == ("because", 36)


@pytest.mark.parametrize(("age_s", "number"), [(86_000, 1), (86_500, 2), (-100, 2)], ids=["young", "stale", "ahead"])
def test_a_round_goes_on_for_a_day_and_no_longer(folder: OnlineFolder, age_s: float, number: int) -> None:
    registry = ModelRegistry(folder)
    assert run_round(folder, registry, Learner(), AdaptConfig(), stop=once_begun(folder)) is None
    make_older(folder, age_s)
    done = run_round(folder, registry, Learner(), AdaptConfig())
    assert done is not None
    assert done.number == number


def test_a_worker_keeps_no_pictures_of_a_round_that_is_stale_while_learning_is_paused(folder: OnlineFolder) -> None:
    rests = [0]

    def rest(_s: float) -> None:
        rests[0] += 1
        if rests[0] == 1:
            folder.change_state(lambda state: {**state, "paused": True})
            run_round(folder, ModelRegistry(folder), Learner(), AdaptConfig(), stop=once_begun(folder))
            make_older(folder, 86_500)
            assert list(folder.training.rglob("*.jpg"))

    work(
        folder, ModelRegistry(folder), Learner(), AdaptConfig(), CycleConfig(least_new_crops=10**6, wait_s=0.5),
        stop=lambda: rests[0] > 2, sleep=rest,
    )  # fmt: skip
    assert not folder.training.exists()


@pytest.mark.parametrize("damage", ["{", '{"rounds": "x"}', '{"rounds": 1, "learned_hours": {"door/1": "x"}}'])
def test_a_worker_waits_until_a_damaged_state_is_gone(
    folder: OnlineFolder, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    path, rounds, rests = folder.path / "state.json", list[int](), [0]
    path.write_text(damage)

    def rest(_s: float) -> None:
        rests[0] += 1
        if rests[0] == 3:
            path.unlink()

    work(
        folder, ModelRegistry(folder), Learner(), AdaptConfig(), CycleConfig(least_new_crops=50, wait_s=0.5),
        told=lambda done: rounds.append(done.number), stop=lambda: bool(rounds) or rests[0] > 9, sleep=rest,
    )  # fmt: skip
    assert (rounds, rests[0]) == ([1], 3)
    assert caplog.text.count("state.json is damaged") == 1


def test_a_worker_waits_until_a_sound_model_is_there(
    folder: OnlineFolder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries, current = [0], ModelRegistry.current

    def none_at_first(registry: ModelRegistry) -> object:
        tries[0] += 1
        if tries[0] < 3:
            raise ModelError("no sound model is left")
        return current(registry)

    monkeypatch.setattr(ModelRegistry, "current", none_at_first)
    assert rounds_until_told(folder, Learner(), CycleConfig(least_new_crops=50, wait_s=1)) == [3]
    assert caplog.text.count("learning waits: no sound model is left") == 1


def test_a_round_in_which_somebody_is_forgotten_is_told_to_stop_and_leaves_nothing(folder: OnlineFolder) -> None:
    asked: list[bool] = []

    def learn(task: Task, _config: AdaptConfig, stop: Stop) -> Learner.Result:
        asked.append(stop())
        forget(folder, 1)
        asked.append(stop())
        task.lesson.mkdir(parents=True)
        (task.lesson / "checkpoint.pt").write_bytes(b"what it knew of somebody")
        return Learner.Result(admitted=False, reason="it was stopped", verdict=None, model=None, counts={})

    assert run_round(folder, ModelRegistry(folder), learn, AdaptConfig()) is None
    assert asked == [False, True]
    assert not list(folder.training.iterdir())


def test_vectors_that_a_round_keeps_are_gone_with_whom_they_are_of(folder: OnlineFolder, dim_eyes: Path) -> None:
    worker = pytest.importorskip("reid.online.worker", reason="needs the extra [train]")
    embedder, crops = Embedder(dim_eyes, device="cpu"), read_store_crops(folder.harvest, DataConfig())
    asked = list[int]()

    def learn(task: Task, config: AdaptConfig, _stop: Stop) -> Any:
        def once_kept() -> bool:
            asked.append(1)
            return len(asked) > 1

        return worker.adapt([task.harvest], dim_eyes, task.out, config, kept_in=task.lesson, stop=once_kept)

    assert run_round(folder, ModelRegistry(folder), learn, AdaptConfig(), stop=lambda: len(asked) > 1) is None
    somebody = np.flatnonzero(crops.identity == 0)  # the first tracklet, under number 1
    height_px, width_px = embedder.card.height_px, embedder.card.width_px
    needles = [row.tobytes() for row in embedder.crops(crops.pixels(somebody, height_px, width_px))]
    found = [path.name for path in with_any(folder.path, needles)]
    assert len(found) == 1
    assert found[0].startswith("vectors-")
    forget(folder, 1)
    assert not with_any(folder.path, needles)


def with_any(folder: Path, needles: list[bytes]) -> list[Path]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if any(needle in path.read_bytes() for needle in needles)]


def test_hours_of_a_clock_that_was_ahead_are_in_no_window(folder: OnlineFolder, film: Film, better: Path) -> None:
    film("ahead", people=3).rename(folder.harvest / "door" / "20990131-11")
    registry = ModelRegistry(folder)
    run_round(folder, registry, Learner(better), AdaptConfig())
    window = registry.models[-1].window
    assert window is not None
    assert window[1] - window[0] == 3600
    shutil.rmtree(folder.harvest / "door" / "20260131-09")
    run_round(folder, registry, Learner(DEFAULT_MODEL), AdaptConfig())
    assert registry.models[-1].window is None


def test_what_goes_from_the_harvest_meanwhile_disturbs_no_round(folder: OnlineFolder) -> None:
    learner = Learner(during=lambda: shutil.rmtree(folder.harvest / "door"))
    done = run_round(folder, ModelRegistry(folder), learner, AdaptConfig())
    assert done is not None
    assert done.reason == "because"
    assert learner.seen == 72
    assert not list(folder.training.iterdir())


def test_settings_are_checked() -> None:
    with pytest.raises(InputError, match="least_new_crops must be a whole number of at least 0"):
        CycleConfig(least_new_crops=-1)
    with pytest.raises(InputError, match="wait_s must be a finite number above 0"):
        CycleConfig(wait_s=0)

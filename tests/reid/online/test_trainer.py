"""Learning on site in one piece, for anyone's tracker, and as docs/online.md shows it."""

from __future__ import annotations

import dataclasses
import importlib.util
import math
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest

from reid.embedder import Embedder
from reid.errors import DataError, InputError, ModelError
from reid.online import BaseModel, HarvestStoreConfig, OnlineFolder, OnlineTrainer, TrackedBoxes, forget, harvest_totals
from reid.online.beside import worker_command
from reid.online.burst import read_burst
from reid.online.burst_store import burst_files
from reid.online.config import CycleConfig, OnlineConfig
from reid.online.harvest_store import HarvestStore
from reid.online.hours import hour_name
from reid.online.live import LiveConfig
from reid.online.registry import ModelRegistry
from reid.tracklets import read_tracklets
from tracker import Detections, Frame, Pipeline, Tracker, TrackerConfig
from tracker.cli.config_file import load_config
from tracker.cli.schema import build
from tracker.sinks import online_sinks
from tracker.types import SourceInfo

PAGE = Path(__file__).resolve().parents[3] / "docs" / "online.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
RATE_HZ, FRAMES = 10.0, 40
WAIT_S = 120.0


@pytest.fixture(autouse=True)
def one_hour(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The hour must not end while a test runs; files lie in a folder of the test."""
    monkeypatch.chdir(tmp_path)
    hour = hour_name(time.time())
    for module in ("harvest", "harvest_store"):
        monkeypatch.setattr(f"reid.online.{module}.hour_name", lambda _unix_s: hour)


def scene() -> list[tuple[np.ndarray, float, np.ndarray, np.ndarray]]:
    """Two who walk side by side, of clothes with a pattern: pictures, times, numbers and boxes."""
    people = np.random.default_rng(0).integers(0, 256, (2, 15, 8, 3), np.uint8)
    frames = []
    for number in range(FRAMES):
        image = np.full((240, 320, 3), 90, np.uint8)
        left = np.array([20, 120]) + 4 * number
        for who, x in enumerate(left.tolist()):
            image[100:220, x : x + 40] = cv2.resize(people[who], (40, 120), interpolation=cv2.INTER_NEAREST)
        boxes = np.column_stack((left, np.full(2, 100), left + 40, np.full(2, 220)))
        frames.append((image, number / RATE_HZ, np.array([7, 9]), boxes))
    return frames


class Footage:
    """Them, as a source, and what a detector sees of them."""

    info = SourceInfo("door", 320, 240, RATE_HZ, FRAMES, live=False)
    class_names: ClassVar[dict[int, str]] = {}

    def __iter__(self) -> Any:
        return iter([Frame(image, row + 1, time_s) for row, (image, time_s, _, _) in enumerate(scene())])

    def __call__(self, frame: Frame) -> Detections:
        return Detections(scene()[frame.index - 1][3], np.full(2, 0.9))

    def close(self) -> None:
        """Nothing to close."""


class MyTracker:
    """Has vectors to forget."""

    forgot = 0

    def forget_vectors(self) -> None:
        self.forgot += 1


def until(happens: Callable[[], object]) -> None:
    end = time.monotonic() + WAIT_S
    while not happens():
        assert time.monotonic() < end, "it hangs"
        time.sleep(0.01)


def trainer(make_model: Any, config: OnlineConfig | None = None, **options: Any) -> OnlineTrainer:
    config = config or OnlineConfig(live=LiveConfig(poll_s=0.01))
    return OnlineTrainer(make_model(name="base.onnx"), "site", config, device="cpu", worker=False, **options)


def admit(made: OnlineTrainer, path: Path) -> int:
    return ModelRegistry(made.folder).admit(path, {"round": 3}, reason="it is better")


def test_the_example_for_any_tracker_runs_as_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {"frames": scene(), "my_tracker": MyTracker()}
    exec(EXAMPLES[0], names)
    said = capsys.readouterr().out
    assert re.search(r"^harvested \d+, .*, model 0$", said.strip())
    assert names["vectors"].shape == (2, 192)
    (total,) = harvest_totals(OnlineFolder.open("site"))
    assert (total.camera, total.size.tracklets) == ("door", 2)
    assert total.size.crops >= 10
    store = read_tracklets(Path("site/harvest/door") / total.hour)
    assert set(store.identity.tolist()) == {7, 9}
    assert (Path("site") / "worker.log").exists() == (importlib.util.find_spec("torch") is not None)


def test_the_example_for_the_pipeline_runs_as_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    exec(EXAMPLES[1], {"source": Footage(), "detector": Footage()})
    (total,) = harvest_totals(OnlineFolder.open("site"))
    assert (total.camera, total.size.tracklets) == ("door", 2)
    assert total.size.crops >= 10


def test_whoever_shows_a_frame_waits_for_no_disk(make_model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on, add, asked = threading.Event(), HarvestStore.add, threading.Event()

    def hangs(store: HarvestStore, sheaf: Any) -> None:
        asked.set()
        assert goes_on.wait(WAIT_S)
        add(store, sheaf)

    monkeypatch.setattr(HarvestStore, "add", hangs)
    with trainer(make_model) as made:
        taken = 0
        for image, time_s, ids, boxes in scene():
            taken += made.observe(image, TrackedBoxes(ids=ids, boxes=boxes), time_s=time_s)
            image[:] = 0  # what it needs, it has copied
        assert asked.wait(WAIT_S)
        assert made.status().harvested.written == 0
        goes_on.set()
        made.end_harvest()
        assert made.status().harvested.written == taken >= 10


def test_detections_are_recorded_where_they_are_given(make_model: Any) -> None:
    config = OnlineConfig(bursts=dataclasses.replace(OnlineConfig().bursts, first_s=0.5, length_s=2, least_s=1))
    with trainer(make_model, config, tracker={"high_score": 0.6}) as made:
        for image, time_s, ids, boxes in scene():
            seen = Detections(boxes, np.full(2, 0.9))
            made.observe(image, TrackedBoxes(ids=ids, boxes=boxes), time_s=time_s, detections=seen)
        made.end_harvest()
        assert made.status().bursts == 1


def test_a_recording_is_dated_by_the_clock_that_it_is_given(make_model: Any) -> None:
    config = OnlineConfig(bursts=dataclasses.replace(OnlineConfig().bursts, first_s=0.5, length_s=2, least_s=1))
    now_s = 1000.0

    def clock() -> float:
        return now_s

    with trainer(make_model, config, wall=clock, steady=clock) as made:
        for image, time_s, ids, boxes in scene():
            now_s = 1000.0 + time_s
            made.observe(image, TrackedBoxes(ids=ids, boxes=boxes), detections=Detections(boxes, np.full(2, 0.9)))
    (total,) = harvest_totals(made.folder)
    store = read_tracklets(made.folder.harvest / "camera" / total.hour)
    assert store.runs[0].began_unix_s == pytest.approx(1000.0)
    assert store.time_s.max() == pytest.approx((FRAMES - 1) / RATE_HZ, abs=0.5)  # and not how long this test takes
    (burst,) = burst_files(made.folder.replay)
    assert read_burst(burst).info.began_unix_s == pytest.approx(1000.5)


def test_a_better_embedder_is_told_of_and_waits_for_its_moment(make_model: Any) -> None:
    told: list[str] = []

    def tell(event: Any) -> None:
        told.append(event["event"])
        raise RuntimeError("whoever is told must not end it")

    with trainer(make_model, on_event=tell) as made:
        assert made.embedder.swap() is None
        assert made.status().verdict == ""
        assert admit(made, make_model(gain=2.0, name="better.onnx")) == 1
        until(made.embedder.ready)
        assert made.status().model == 0
        assert made.embedder.swap() is not None
        assert made.status().model == 1
        until(lambda: [event["event"] for event in made.events()] == ["begun", "admitted", "swapped"])
        assert made.events()[1]["reason"] == "it is better"
        assert made.status().verdict == "round 3 admitted"
        assert (
            str(made.status()) == "harvested 0, no worker, 0 of 500 crops for the next round, model 1, round 3 admitted"
        )
    assert told == ["begun", "admitted", "swapped"]


def test_what_happened_before_it_began_is_no_news(make_model: Any) -> None:
    with trainer(make_model) as made:
        made.folder.history.append("refused", round=1, reason="worse")
        assert [event["event"] for event in made.events()] == ["begun", "refused"]
    with trainer(make_model) as made:
        assert made.events() == ()
        assert made.status().verdict == "round 1 refused"


def test_whoever_is_forgotten_leaves_its_memory(make_model: Any) -> None:
    with trainer(make_model) as made:
        for image, time_s, ids, boxes in scene():
            made.observe(image, TrackedBoxes(ids=ids, boxes=boxes), time_s=time_s)
        image, time_s, ids, boxes = scene()[0]
        made.embedder.remember(np.array([7, 9]), [image[100:220, 20:60], image[100:220, 120:160]], time_s)
        assert forget(OnlineFolder.open("site"), 7).told
        assert made.events()[-1]["event"] == "forgotten"
        assert made.embedder.vectors_again(np.array([7, 9]))[1].tolist() == [0, 1]
        assert made.embedder.to_forget().tolist() == [7]
        made.folder.history.append("forgotten", identity=9, session="all", sessions=["another"], numbers=[9])
        assert made.events()[-1]["sessions"] == ["another"]
        assert made.embedder.to_forget().tolist() == [], "of another start of the tracker"


def remembering(made: OnlineTrainer, *numbers: int) -> list[float]:
    """How many crops its memory has of these."""
    return made.embedder.vectors_again(np.array(numbers))[1].tolist()


def remember(made: OnlineTrainer, *numbers: int) -> None:
    image = scene()[0][0]
    made.embedder.remember(np.array(numbers), [image[100:220, 20:60]] * len(numbers), 0.0)


@pytest.mark.parametrize("damage", ["{", '{"rounds": "x"}'])
def test_whoever_cannot_read_the_state_forgets_all_the_same(make_model: Any, damage: str) -> None:
    with trainer(make_model) as made:
        remember(made, 7)
        Path("site/state.json").write_text(damage)
        assert forget(made.folder, 7).told
        until(lambda: made.embedder.to_forget().tolist() == [7])  # it looks by itself
        assert remembering(made, 7) == [0]
        until(lambda: made.status().problems)
        assert re.search(r"how far the learning is cannot be told: .*state\.json is damaged", made.status().problems[0])
    with trainer(make_model) as made:
        assert made.status().problems, "it begins"
        made._recorder._store._undeleted.why = "it may not be deleted"
        assert "it may not be deleted" in made.status().problems
        made._recorder._store._undeleted.why = None
        assert "no worker, 0 of 500 crops" in str(made.status())
        Path("site/state.json").unlink()
        until(lambda: not made.status().problems)


@pytest.mark.parametrize(
    "fields", [{"numbers": [10**20]}, {"numbers": ["x"]}, {"numbers": None}, {"numbers": [7], "sessions": None}]
)
def test_an_event_that_nobody_understands_keeps_none_from_being_obeyed(
    make_model: Any, fields: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with trainer(make_model) as made:
        remember(made, 7, 9)
        last = made.folder.last_tracker()
        assert last is not None
        made.folder.history.append("forgotten", **{"identity": 7, "sessions": [last.session], **fields})
        forget(made.folder, 9)
        until(lambda: made.embedder.to_forget().tolist() == [9])
        assert remembering(made, 7, 9) == [1, 0]
        assert "could not be taken in" in caplog.text
        forget(made.folder, 7)
        until(lambda: made.embedder.to_forget().tolist() == [7])


def test_what_was_to_be_forgotten_before_it_began_is_not_obeyed(make_model: Any) -> None:
    with trainer(make_model) as made:
        forget(made.folder, 7, session="all")
        made.folder.history.append("resumed")
    with trainer(make_model) as made:
        remember(made, 7)
        lines = made.folder.history.path.read_bytes().splitlines(keepends=True)
        made.folder.history.path.write_bytes(lines[1])  # what it knew as the last event is gone, and all but one
        made.folder.history.append("resumed")
        assert [event["event"] for event in made.events()] == ["resumed"]
        made.folder.history.path.unlink()
        made.folder.history.path.write_bytes(lines[1].replace(b'"unix_s":', b'"unix_s": '))
        assert [event["event"] for event in made.events()] == ["resumed", "forgotten"], "told once more"
        assert made.embedder.to_forget().tolist() == []


def test_nobody_waits_for_whoever_is_told(make_model: Any) -> None:
    entered, goes_on, waited = threading.Event(), threading.Event(), list[bool]()

    def tell(_event: Any) -> None:
        entered.set()
        waited.append(goes_on.wait(WAIT_S / 10))

    with trainer(make_model, on_event=tell) as made:
        assert entered.wait(WAIT_S)
        made.folder.history.append("refused", round=1, reason="worse")
        assert [event["event"] for event in made.events()] == ["begun", "refused"]
        goes_on.set()
    assert waited == [True, True]


def test_whoever_is_told_for_ever_keeps_neither_the_end_nor_the_folder(
    make_model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reid.online.telling._PATIENCE_S", 0.05)
    told, goes_on = threading.Event(), threading.Event()

    def tell(_event: Any) -> None:
        told.set()
        goes_on.wait()

    made = trainer(make_model, on_event=tell)
    made.folder.history.append("refused", round=1, reason="worse")
    until(told.is_set)
    closing = threading.Thread(target=made.close, daemon=True)
    closing.start()
    try:
        until(lambda: not closing.is_alive())
        with trainer(make_model) as again:
            assert again.status().model == 0
    finally:
        goes_on.set()


def test_whoever_is_told_may_end_it(make_model: Any, caplog: pytest.LogCaptureFixture) -> None:
    def tell(event: Any) -> None:
        if event["event"] == "refused":
            made.close()
            ended.append(True)

    ended = list[bool]()
    made = trainer(make_model, on_event=tell)
    made.folder.history.append("refused", round=1, reason="worse")
    until(lambda: ended)
    until(lambda: not [each.name for each in threading.enumerate() if each.name.startswith("reidtrack")])
    assert "failed" not in caplog.text
    made.close()


@pytest.mark.parametrize("forgotten", [False, True])
def test_a_tracker_that_runs_forgets_who_left(forgotten: bool) -> None:
    """Both leave for a while, and come back."""
    walk, gap = scene(), 60
    images = [image for image, *_ in walk]
    empty = np.full_like(images[0], 90)
    seen_ids: list[list[int]] = []

    class ComingBack(Footage):
        def __iter__(self) -> Any:
            for row, image in enumerate([*images, *[empty] * gap, *images]):
                if row == FRAMES + gap and forgotten:
                    until(lambda: len(seen_ids) >= FRAMES + gap // 2)  # they left, for the tracker too
                    assert forget(OnlineFolder.open("site"), 1).sessions
                    assert made.events()[-1]["event"] == "forgotten"
                yield Frame(image, row + 1, row / RATE_HZ)

        def __call__(self, frame: Frame) -> Detections:
            row = (frame.index - 1) % (FRAMES + gap)
            return Detections(walk[row][3], np.full(2, 0.9)) if row < FRAMES else Detections.empty()

    with OnlineTrainer("default", "site", camera="door", worker=False) as made:
        tracker = Tracker(TrackerConfig(max_lost_s=1.0), appearance=made.embedder.info)
        pipeline = Pipeline(ComingBack(), ComingBack(), made.embedder, tracker)
        pipeline.run(online_sinks(made), lambda result: seen_ids.append(result.tracks.ids.tolist()))
    assert sorted(seen_ids[FRAMES - 1]) == [1, 2]
    assert sorted(seen_ids[-1]) == ([2, 3] if forgotten else [1, 2])


def test_without_torch_it_harvests_alone(make_model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with OnlineTrainer(make_model(name="base.onnx"), "site", device="cpu", worker=["worker"]) as made:
        (reason,) = [event["reason"] for event in made.events() if event["event"] == "worker"]
        assert "torch is not installed" in reason


def test_whatever_is_refused_leaves_nothing_behind(make_model: Any) -> None:
    with trainer(make_model) as made:
        with pytest.raises(DataError, match="in use by another tracker"):
            trainer(make_model)
        with pytest.raises(InputError, match="ids must be different numbers"):
            made.observe(np.zeros((9, 9, 3), np.uint8), TrackedBoxes(ids=[1, 1], boxes=np.zeros((2, 4))))
    with pytest.raises(DataError, match="must be used with the embedder that it was begun with"):
        OnlineTrainer("default", "site", device="cpu", worker=False)
    with pytest.raises(InputError, match="rate_hz"):
        trainer(make_model, rate_hz=-1.0)
    for worker in (True, "reidtrack online worker", None):
        with pytest.raises(InputError, match="worker must be the words of a command, or False, got"):
            OnlineTrainer(make_model(name="base.onnx"), "site", device="cpu", worker=worker)
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("reidtrack")]
    trainer(make_model).close()


def test_a_folder_goes_on_with_the_default_embedder_of_the_release_before(
    make_model: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for release in ("before", "today"):
        (tmp_path / release).mkdir()
    before, today = make_model(name="before/default.onnx"), make_model(name="today/default.onnx", gain=2.0)
    monkeypatch.setattr("reid.online.trainer.DEFAULT_MODEL", before)
    with OnlineTrainer("default", "site", device="cpu") as made:
        begun = made.embedder.info.model_hash
    monkeypatch.setattr("reid.online.trainer.DEFAULT_MODEL", today)
    with OnlineTrainer("default", "other", device="cpu") as made:
        assert made.embedder.info.model_hash != begun
    with OnlineTrainer("default", "site", device="cpu") as made:
        assert (made.embedder.number, made.embedder.info.model_hash) == (0, begun)
    with pytest.raises(DataError, match="must be used with the embedder that it was begun with"):
        OnlineTrainer(today, "site", device="cpu")
    OnlineTrainer(before, "given", device="cpu").close()
    with pytest.raises(DataError, match="must be used with the embedder that it was begun with"):
        OnlineTrainer("default", "given", device="cpu")  # of the same name, and no default
    for kept in Path("site/models").glob("*.onnx"):
        kept.unlink()
    with pytest.raises(ModelError, match="no sound model is left in site: give the base again"):
        OnlineTrainer("default", "site", device="cpu")


def test_the_worker_gets_the_settings(tmp_path: Path) -> None:
    OnlineFolder.make("site", BaseModel("default", Embedder(device="cpu").info.model_hash))
    config = OnlineConfig(cycle=CycleConfig(least_new_crops=7), store=HarvestStoreConfig(keep_days=math.inf), nice=3)
    config = dataclasses.replace(config, lesson=dataclasses.replace(config.lesson, learning_rate=1e-5))
    command = worker_command(["any", "worker"], Path("site"), config)
    assert command[:3] == ["any", "worker", "site"]
    file = Path(command[command.index("--config") + 1])
    read = build(OnlineConfig, load_config(file, OnlineConfig))
    assert dataclasses.replace(read, store=config.store) == config, "all but what a worker has no use for"

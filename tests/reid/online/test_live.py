"""The exchange of models between two frames: never by half, never in the way, and never one that cannot serve."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reid import Card, Embedder, InputError, ModelError
from reid.card import METADATA_KEY
from reid.embedder import DEFAULT_MODEL
from reid.online import BaseModel, OnlineFolder, live
from reid.online.live import LiveConfig, LiveEmbedder
from reid.online.news import put_off_of
from reid.online.registry import ModelRegistry
from reid.online.smoke import open_checked

WAIT_S = 60.0  # how long a broken exchange may hang before the test says so
IMAGE = np.random.default_rng(3).integers(0, 256, (60, 80, 3), np.uint8)
BOXES = np.array([[3, 4, 23, 44], [10, 5, 60, 55]], np.float32)
CROPS = [IMAGE[4:44, 3:23], IMAGE[5:55, 10:60], IMAGE[:30, :20]]
MakeModel = Callable[[int], Path]


@pytest.fixture
def model(make_model: Any) -> MakeModel:
    """`model(number)`: each gives other vectors."""

    def make(number: int) -> Path:
        card = Card(f"model {number}", 8, 4, 3, mean=(40.0 * number, 0.0, -30.0 * number))
        return make_model(metadata={METADATA_KEY: card.to_json()}, name=f"candidate-{number}.onnx")

    return make


@pytest.fixture
def registry(model: MakeModel, tmp_path: Path) -> ModelRegistry:
    base = model(0)
    folder = OnlineFolder.make(tmp_path / "online", BaseModel("base", Embedder(base).info.model_hash))
    return ModelRegistry(folder, base=base)


@pytest.fixture
def embedder(registry: ModelRegistry) -> Iterator[LiveEmbedder]:
    with LiveEmbedder(registry, device="cpu", config=LiveConfig(poll_s=0.01, retry_s=0.05)) as opened:
        yield opened
    assert "reidtrack-live-embedder" not in [thread.name for thread in threading.enumerate()]


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, "it never came to pass"
        time.sleep(0.002)


def swapped(embedder: LiveEmbedder) -> None:
    until(embedder.ready)
    assert embedder.swap() is not None


def ids(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


def events(registry: ModelRegistry) -> list[str]:
    return [event["event"] for event in registry.folder.history.read()]


def test_it_is_the_embedder_that_is_live(embedder: LiveEmbedder, model: MakeModel) -> None:
    plain = Embedder(model(0))
    np.testing.assert_array_equal(embedder(IMAGE, BOXES), plain(IMAGE, BOXES))
    assert (embedder.info, embedder.card, embedder.device, embedder.number) == (plain.info, plain.card, "cpu", 0)
    assert not embedder.ready()
    assert embedder.swap() is None


def test_an_admitted_model_waits_and_is_live_after_the_swap(
    embedder: LiveEmbedder, registry: ModelRegistry, model: MakeModel
) -> None:
    old, new = Embedder(model(0)), Embedder(model(1))
    registry.admit(model(1))
    until(embedder.ready)
    np.testing.assert_array_equal(embedder(IMAGE, BOXES), old(IMAGE, BOXES))  # nothing has changed yet
    assert embedder.swap() == (old.info, new.info)
    np.testing.assert_array_equal(embedder(IMAGE, BOXES), new(IMAGE, BOXES))
    assert (embedder.number, embedder.problem, embedder.ready()) == (1, None, False)
    embedder.close()
    assert registry.folder.history.read()[-1]["event"] == "swapped"
    assert registry.folder.history.read()[-1]["sha256"] == new.info.model_hash


def test_everybody_is_seen_again_by_the_new_model(
    embedder: LiveEmbedder, registry: ModelRegistry, model: MakeModel
) -> None:
    embedder.remember(ids(5, 6), CROPS[:2], 1.0)
    before, _ = embedder.vectors_again(ids(5))
    registry.admit(model(1))
    until(embedder.ready)
    embedder.remember(ids(5), CROPS[2:], 2.0)  # after it was made ready
    adopted: list[Any] = []

    def adopt(info: Any, again: Any) -> None:
        adopted.append((info, *again(ids(6, 5, 9), np.full(3, np.inf))))

    embedder.swap(adopt)
    ((info, vectors, counts),) = adopted
    assert info == embedder.info
    expected = Embedder(model(1)).crops(CROPS)
    both = expected[0] + expected[2]
    np.testing.assert_allclose(vectors[:2], [expected[1], both / np.linalg.norm(both)], atol=0.02)
    np.testing.assert_array_equal(vectors[2], 0)
    assert counts.tolist() == [1, 2, 0]
    earlier, counts = embedder.vectors_again(ids(5, 6), [1.0, 0.5])
    np.testing.assert_allclose(earlier[0], expected[0], atol=0.02)
    assert counts.tolist() == [1, 0]
    assert np.abs(before[0] - earlier[0]).max() > 0.05  # the two models do not agree
    embedder.renamed(5, 6, since_s=2.0)
    embedder.keep_only(ids(6))
    assert embedder.vectors_again(ids(5, 6))[1].tolist() == [0, 2]
    embedder.forget(ids(6))
    assert embedder.vectors_again(ids(5, 6))[1].tolist() == [0, 0]
    embedder.forget(ids(9))
    assert embedder.to_forget().tolist() == [6, 9], "for whoever tracks"
    assert embedder.to_forget().tolist() == []


def test_a_model_of_another_dimension(embedder: LiveEmbedder, registry: ModelRegistry) -> None:
    embedder.remember(ids(1), CROPS[:1], 0.0)
    assert embedder.vectors_again(ids(1))[0].shape == (1, 3)
    registry.admit(DEFAULT_MODEL)
    swapped(embedder)
    vectors, counts = embedder.vectors_again(ids(1, 2))
    assert vectors.shape == (2, 192)
    assert counts.tolist() == [1, 0]
    assert embedder(IMAGE, BOXES).shape == (2, 192)


def test_whoever_does_not_adopt_it_keeps_the_old_one(
    embedder: LiveEmbedder, registry: ModelRegistry, model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at = threading.Event()

    def refuse(info: Any, again: Any) -> None:
        raise InputError("not now")

    def later(path: Path, **options: Any) -> Embedder:
        assert looked_at.wait(WAIT_S)
        return open_checked(path, **options)

    registry.admit(model(1))
    until(embedder.ready)
    monkeypatch.setattr(live, "open_checked", later)  # offered again no sooner than it was looked at
    with pytest.raises(InputError, match="not now"):
        embedder.swap(refuse)
    assert (embedder.number, embedder.info.name) == (0, "model 0")
    assert "not now" in str(embedder.problem)
    looked_at.set()
    swapped(embedder)  # it is offered again later
    assert embedder.number == 1


def test_tracking_is_not_kept_waiting_while_a_model_is_loaded(
    embedder: LiveEmbedder, registry: ModelRegistry, model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    loading, go_on = threading.Event(), threading.Event()
    real = live.open_checked

    def slow(path: Path, **options: Any) -> Embedder:
        loading.set()
        assert go_on.wait(WAIT_S)
        return real(path, **options)

    monkeypatch.setattr(live, "open_checked", slow)
    registry.admit(model(1))
    assert loading.wait(WAIT_S)
    assert embedder(IMAGE, BOXES).shape == (2, 3)
    assert not embedder.ready()
    assert embedder.swap() is None
    go_on.set()
    swapped(embedder)


def test_a_model_that_cannot_serve_here_is_rolled_back_from(
    embedder: LiveEmbedder, registry: ModelRegistry, model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Path, **options: Any) -> Embedder:
        if path.name[0] == "1":
            raise ModelError("the graph needs what this device has not")
        return open_checked(path, **options)

    monkeypatch.setattr(live, "open_checked", broken)
    registry.admit(model(1), window=(1.0, 2.0))
    until(lambda: registry.quarantined)
    until(lambda: embedder.problem is None)  # as model 0 is to be live, and is
    assert (registry.current().number, embedder.number, embedder.ready()) == (0, 0, False)
    assert "this device" in registry.quarantined[0].reason
    assert registry.quarantined[0].window is None, "what it learned from is not to blame"
    monkeypatch.undo()
    registry.admit(model(2))
    swapped(embedder)
    assert embedder.number == 2


def waited_for(embedder: LiveEmbedder, registry: ModelRegistry, problem: str, mend: Callable[[], object]) -> None:
    """Model 1 cannot be used now, for which it is not to blame; it is live once that is mended."""
    until(lambda: embedder.problem)
    assert problem in str(embedder.problem)
    assert (registry.current().number, embedder.number, registry.quarantined) == (1, 0, ())
    mend()
    swapped(embedder)
    assert (embedder.number, embedder.problem) == (1, None)


def test_a_device_that_is_full_for_a_while_is_waited_for(
    embedder: LiveEmbedder, registry: ModelRegistry, model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, **options: Any) -> Embedder:
        raise MemoryError("no memory left")

    monkeypatch.setattr(live, "open_checked", full)
    registry.admit(model(1))
    waited_for(embedder, registry, "no memory left", monkeypatch.undo)


def out_of_threads(path: Path, **options: Any) -> Embedder:
    raise ModelError("Thread::Thread: pthread_create failed")


def test_no_model_is_to_blame_where_none_can_be_opened(
    embedder: LiveEmbedder, registry: ModelRegistry, model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "open_checked", out_of_threads)
    registry.admit(model(1))
    waited_for(embedder, registry, "pthread_create failed", monkeypatch.undo)


def test_a_model_that_can_be_opened_a_moment_later_is_not_to_blame(
    embedder: LiveEmbedder, registry: ModelRegistry, model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = [True]

    def once_in_vain(path: Path, **options: Any) -> Embedder:
        if path.name[0] == "1" and fails:
            fails.clear()
            out_of_threads(path)
        return open_checked(path, **options)

    monkeypatch.setattr(live, "open_checked", once_in_vain)
    registry.admit(model(1))
    swapped(embedder)
    assert (embedder.number, registry.quarantined) == (1, ())


def test_the_start_rolls_back_nothing_where_no_model_can_be_opened(
    registry: ModelRegistry, model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2):
        registry.admit(model(number))
    monkeypatch.setattr(live, "open_checked", out_of_threads)
    with pytest.raises(ModelError, match="pthread_create failed"):
        LiveEmbedder(registry, device="cpu")
    assert (registry.current().number, registry.quarantined) == (2, ())


def test_a_base_that_cannot_be_opened_is_tried_again(
    registry: ModelRegistry, model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.admit(model(1))
    registry.path(1).write_bytes(b"damaged")
    assert registry.current().number == 0
    registry.path(1).write_bytes(model(1).read_bytes())
    fails = [True]

    def no_base(path: Path, **options: Any) -> Embedder:
        return out_of_threads(path) if path.name[0] == "0" and fails else open_checked(path, **options)

    monkeypatch.setattr(live, "open_checked", no_base)
    with LiveEmbedder(registry, device="cpu", config=LiveConfig(poll_s=0.01, retry_s=0.05)) as embedder:
        assert embedder.number == 1
        until(lambda: "pthread_create failed" in str(embedder.problem))
        fails.clear()
        swapped(embedder)
        assert (embedder.number, registry.quarantined) == (0, ())


def test_a_model_that_serves_on_the_cpu_is_not_to_blame_for_another_device(
    embedder: LiveEmbedder, registry: ModelRegistry, model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = [True]

    def full(path: Path, *, device: str = "cpu", **options: Any) -> Embedder:
        if device != "cpu" and busy:
            raise ModelError("CUDA failure 2: out of memory")
        return open_checked(path, **options)

    monkeypatch.setattr(live, "open_checked", full)
    monkeypatch.setattr(embedder, "_device", "cuda")
    registry.admit(model(1))
    waited_for(embedder, registry, "out of memory", busy.clear)


def test_it_begins_with_the_one_before_where_the_device_cannot_take_the_live_one(
    registry: ModelRegistry, model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2, 3):
        registry.admit(model(number))
    registry.roll_back("it was worse", number=2)
    refused = [registry.path(3)]

    def picky(path: Path, *, device: str = "cpu", **options: Any) -> Embedder:
        if device != "cpu" and path in refused:
            raise ModelError("CUDA failure 2: out of memory")
        return open_checked(path, **options)

    monkeypatch.setattr(live, "open_checked", picky)
    with LiveEmbedder(registry, device="cuda", config=LiveConfig(poll_s=0.02, retry_s=0.05)) as embedder:
        assert (embedder.number, registry.current().number) == (1, 3)
        until(lambda: "out of memory" in str(embedder.problem))
        assert [bad.number for bad in registry.quarantined] == [2]
        refused.clear()
        swapped(embedder)
        assert embedder.number == 3


def test_a_model_that_is_put_off_is_told_once_and_so_is_that_it_went_live(
    registry: ModelRegistry, model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    history, tries = registry.folder.history, []

    def picky(path: Path, *, device: str = "cpu", **options: Any) -> Embedder:
        if device != "cpu" and path.name[0] == "1":
            tries.append(path)
            out_of_threads(path)
        return open_checked(path, **options)

    def told() -> list[str]:
        return [event for event in events(registry) if event in ("put_off", "swapped", "taken_up")]

    monkeypatch.setattr(live, "open_checked", picky)
    registry.admit(model(1))
    config = LiveConfig(poll_s=0.01, retry_s=0.05)
    for _ in range(2):  # in another process neither
        with LiveEmbedder(registry, device="cuda", config=config):
            tries.clear()
            until(lambda: len(tries) > 6)
    assert told() == ["put_off"]
    assert "pthread_create failed" in str(put_off_of(1, history.read()))
    monkeypatch.undo()
    for _ in range(2):
        with LiveEmbedder(registry, device="cpu", config=config) as embedder:
            assert embedder.number == 1
            until(lambda: "taken_up" in told())
    assert told() == ["put_off", "taken_up"]
    assert put_off_of(1, history.read()) is None


def test_a_look_that_fails_is_repeated(
    embedder: LiveEmbedder, registry: ModelRegistry, model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    current, fails = registry.current, [OSError("too many open files")]

    def once_in_vain() -> Any:
        if fails:
            raise fails.pop()
        return current()

    monkeypatch.setattr(registry, "current", once_in_vain)  # before the admission, which is what is looked at
    registry.admit(model(1))
    swapped(embedder)
    assert embedder.number == 1
    assert not fails


def test_a_file_that_is_damaged_after_its_admission_never_goes_live(registry: ModelRegistry, model: MakeModel) -> None:
    with LiveEmbedder(registry, device="cpu", config=LiveConfig(poll_s=1000)) as embedder:
        registry.admit(model(1))
        registry.path(1).write_bytes(b"damaged")
        embedder._wake.set()
        until(lambda: "fell_back" in events(registry))
    assert embedder.swap() is None
    assert (embedder.number, registry.current().number) == (0, 0)


def test_it_is_rolled_back_on_demand_and_the_model_before_it_goes_live(
    embedder: LiveEmbedder, registry: ModelRegistry, model: MakeModel
) -> None:
    registry.admit(model(1), window=(1.0, 2.0))
    swapped(embedder)
    embedder.roll_back("more new identities", embedder.info.model_hash)
    swapped(embedder)
    assert (embedder.number, embedder.info.name) == (0, "model 0")
    assert registry.quarantined[0].window == (1.0, 2.0)
    told: list[bool] = []
    for reason, event in (("it may be the light", "doubted"), ("", "trusted")):
        embedder.doubt(
            reason, embedder.info.model_hash, "door", lambda event=event: told.append(event in events(registry))
        )
        until(lambda event=event: event in events(registry))
    until(lambda: len(told) == 2)
    assert all(told), "it is on the disk by then"
    said = [event for event in registry.folder.history.read() if event["event"] in ("doubted", "trusted")]
    assert [(event["number"], event["camera"]) for event in said] == [(0, "door")] * 2
    embedder.roll_back("again", embedder.info.model_hash)  # from the base nothing leads back
    until(lambda: embedder.problem)
    assert "base" in str(embedder.problem)
    assert embedder.number == 0


def test_the_one_that_was_judged_is_rolled_back_from_and_not_the_one_that_is_live_by_now(
    embedder: LiveEmbedder, registry: ModelRegistry, model: MakeModel
) -> None:
    registry.admit(model(1))
    swapped(embedder)
    judged = embedder.info.model_hash
    registry.admit(model(2))
    swapped(embedder)
    assert not embedder.is_quarantined(judged)
    embedder.roll_back("it was worse", judged)
    until(lambda: registry.quarantined)
    assert [each.number for each in registry.quarantined] == [1]
    assert embedder.is_quarantined(judged)
    assert not embedder.is_quarantined(embedder.info.model_hash)
    assert (embedder.number, registry.current().number) == (2, 2)
    embedder.roll_back("so is this one", embedder.info.model_hash)
    swapped(embedder)
    assert (embedder.number, embedder.info.name) == (0, "model 0")
    with pytest.raises(InputError, match="must be of a model that was live here, got 'nobody'"):
        embedder.roll_back("?", "nobody")


def test_what_cannot_be_read_says_of_no_model_that_it_was_rolled_back_from(
    embedder: LiveEmbedder, registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable() -> None:
        raise OSError("no such file")

    monkeypatch.setattr(registry, "_state", unreadable)
    assert not embedder.is_quarantined(embedder.info.model_hash)


def test_a_rollback_that_fails_is_tried_again_and_told_once(
    embedder: LiveEmbedder,
    registry: ModelRegistry,
    model: MakeModel,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    registry.admit(model(1))
    swapped(embedder)
    roll_back, tries = registry.roll_back, [0]

    def full_disk(reason: str, **options: Any) -> int:
        tries[0] += 1
        if tries[0] < 4:
            raise OSError("no space left")
        return roll_back(reason, **options)

    monkeypatch.setattr(registry, "roll_back", full_disk)
    embedder.roll_back("it was worse", embedder.info.model_hash)
    until(lambda: embedder.problem == "no space left" or tries[0] >= 4)
    until(lambda: registry.current().number == 0)
    swapped(embedder)
    until(lambda: embedder.problem is None)
    assert tries == [4]
    assert caplog.text.count("no space left") == 1


def test_what_cannot_be_done_keeps_nothing_else_from_being_done(
    embedder: LiveEmbedder, caplog: pytest.LogCaptureFixture
) -> None:
    reasons, tries, done = ("a disk is full", "a file is locked"), [0, 0], []
    can = threading.Event()

    def wait(number: int) -> None:
        tries[number] += 1
        if not can.is_set():
            raise OSError(reasons[number])

    def never() -> None:
        raise TypeError("Object of type int64 is not JSON serializable")

    embedder.run_beside(lambda: wait(0))
    embedder.run_beside(never)
    embedder.run_beside(lambda: wait(1))
    embedder.run_beside(lambda: done.append(True))
    until(lambda: min(tries) > 9)
    assert (done, embedder.problem) == ([True], "a disk is full")
    can.set()
    until(lambda: embedder.problem is None)
    assert not embedder._errands
    assert caplog.text.count("given up that was to be done: TypeError('Object of type int64") == 1
    assert caplog.text.count("a disk is full") <= 2, "the first look at the registry finds that all is well"


def test_the_newest_one_goes_live_where_several_are_admitted_before_a_swap(
    embedder: LiveEmbedder, registry: ModelRegistry, model: MakeModel
) -> None:
    registry.admit(model(1))
    until(embedder.ready)
    registry.admit(model(2))
    until(lambda: (embedder._waiting or (0,))[0] == 2)
    swapped(embedder)
    assert embedder.number == 2
    registry.admit(model(3))
    until(embedder.ready)
    registry.roll_back("thought better of it")
    until(lambda: not embedder.ready())
    assert embedder.swap() is None
    assert embedder.number == 2


def test_it_begins_with_a_model_that_can_be_loaded(
    registry: ModelRegistry, model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2):
        registry.admit(model(number))
    real = live.open_checked

    def broken(path: Path, **options: Any) -> Embedder:
        if path.name[0] != "0":
            raise ModelError("cannot serve")
        return real(path, **options)

    monkeypatch.setattr(live, "open_checked", broken)
    with LiveEmbedder(registry, device="cpu", config=LiveConfig(poll_s=0.01)) as embedder:
        assert embedder.number == 0
        until(lambda: embedder.problem is None and registry.current().number == 0)
    assert [bad.number for bad in registry.quarantined] == [2, 1]


def test_two_trackers_may_follow_one_registry(registry: ModelRegistry, model: MakeModel) -> None:
    config = LiveConfig(poll_s=0.01)
    with LiveEmbedder(registry, config=config, device="cpu") as one, LiveEmbedder(registry, config=config) as two:
        registry.admit(model(1))
        swapped(one)
        swapped(two)
        assert one.info == two.info


@pytest.mark.parametrize("wrong", [{"poll_s": 0}, {"retry_s": float("nan")}, {"poll_s": True}])
def test_settings_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="above 0"):
        LiveConfig(**wrong)

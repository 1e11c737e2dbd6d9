"""What a pipeline does for an embedder whose model is exchanged: with stand-ins, and with real models on a clip."""

from __future__ import annotations

import json
import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reid import Embedder
from reid.card import METADATA_KEY
from reid.embedder import DEFAULT_MODEL
from reid.online import BaseModel, OnlineFolder
from reid.online.live import LiveConfig, LiveEmbedder
from reid.online.registry import ModelRegistry
from tracker import Detections, Frame, FrameResult, Pipeline, Tracker, TrackerConfig, Tracks
from tracker.boxes import iou
from tracker.demo import DemoClip, DemoConfig
from tracker.errors import InputError
from tracker.exchanging import Exchange, exchange_of
from tracker.stages import StageTime
from tracker.types import TrackEvent

IMAGE = np.zeros((200, 300, 3), np.uint8)


class Remembering:
    """A swappable embedder that notes what it is told."""

    info = None

    def __init__(self, *, waiting: int = 0, forgotten: tuple[int, ...] = ()) -> None:
        self.waiting, self.told = waiting, []
        self.forgotten = forgotten
        self.crops: list[tuple[int, float, tuple[int, ...]]] = []

    def __call__(self, image: Any, boxes: Any) -> Any:
        raise AssertionError("nobody asked")

    def ready(self) -> bool:
        return self.waiting > 0

    def swap(self, adopt: Any) -> None:
        self.waiting -= 1
        adopt("info", "again")

    def remember(self, ids: Any, crops: Any, time_s: float) -> None:
        self.crops += [(number, time_s, crop.shape) for number, crop in zip(ids.tolist(), crops, strict=True)]

    def renamed(self, old: int, new: int, *, since_s: float) -> None:
        self.told.append((old, new, since_s))

    def to_forget(self) -> Any:
        forgotten, self.forgotten = self.forgotten, ()
        return np.array(forgotten, np.int64)

    def keep_only(self, ids: Any) -> None:
        self.told.append(("keep", ids.tolist()))


class Willing:
    """A tracker that takes any embedder, or none."""

    def __init__(self, error: Exception | None = None) -> None:
        self.changes, self.error = [], error
        self.known_ids = np.array([1, 2])

    def change_embedder(self, info: Any, again: Any = None) -> None:
        if self.error is not None:
            raise self.error
        self.changes.append((info, again))

    def forget(self, ids: Any) -> None:
        self.changes.append(ids.tolist())


def exchange(embedder: Remembering, tracker: Willing | None = None) -> Exchange:
    return Exchange(embedder, tracker or Willing(), StageTime())


def seen(
    boxes: list[list[float]], time_s: float, *, ids: list[int] | None = None, scores: float = 0.9, events: Any = ()
) -> tuple[Frame, Detections, Tracks]:
    n = len(boxes)
    found = Detections(boxes, np.full(n, scores))
    numbers = np.array(ids or range(1, n + 1), np.int64)
    tracks = Tracks(numbers, found.boxes, found.scores, found.classes, np.arange(n), time_s, tuple(events))
    return Frame(IMAGE, round(25 * time_s) + 1, time_s), found, tracks


def test_crops_are_dense_at_first_and_rare_in_the_long_run() -> None:
    embedder = Remembering()
    part = exchange(embedder)
    for frame in range(25 * 60):
        part.after_update(*seen([[10, 10, 50, 110]], frame / 25))
    times = np.array([time_s for _, time_s, _ in embedder.crops])
    np.testing.assert_allclose(times[:4], [0, 0.12, 0.24, 0.76], atol=1e-6)
    assert 8 + 25 <= len(times) <= 8 + 30
    assert {shape for _, _, shape in embedder.crops} == {(100, 40, 3)}


def test_only_what_shows_one_object_alone_and_whole_is_remembered() -> None:
    boxes = [[10, 10, 50, 110], [100, 10, 140, 110], [110, 12, 150, 112], [-30, 10, 20, 110], [200, 50, 204, 60]]
    for k, kept in enumerate([True, False, False, False, False]):
        embedder = Remembering()
        exchange(embedder).after_update(*seen(boxes, 1.0))
        assert (k + 1 in [number for number, _, _ in embedder.crops]) == kept
    for wrong in ({"scores": 0.4}, {}):
        embedder = Remembering()
        frame, found, tracks = seen(boxes[:1], 1.0, **wrong)
        if not wrong:  # predicted, not seen
            tracks = Tracks(tracks.ids, tracks.boxes, tracks.scores, tracks.classes, np.array([-1]), 1.0)
        exchange(embedder).after_update(frame, found, tracks)
        assert not embedder.crops


def test_a_crop_is_that_of_the_detection_which_the_track_goes_on_with() -> None:
    embedder = Remembering()
    frame, found, tracks = seen([[10, 10, 50, 110], [100, 10, 120, 60]], 0.0)
    turned = Tracks(np.array([7]), tracks.boxes[:1], tracks.scores[:1], tracks.classes[:1], np.array([1]), 0.0)
    exchange(embedder).after_update(frame, found, turned)
    assert embedder.crops == [(7, 0.0, (50, 20, 3))]


def test_numbers_that_change_are_passed_on_also_where_two_exchange_theirs() -> None:
    embedder = Remembering()
    events = [
        TrackEvent("recalled", 1, 5.0, 2, 4.0),
        TrackEvent("born", 9, 5.0),
        TrackEvent("corrected", 2, 5.0, 1, None),
    ]
    exchange(embedder).after_update(*seen([], 5.0, events=events))
    assert embedder.told[:4] == [(2, -1, 4.0), (1, -3, 5.0), (-1, 1, -math.inf), (-3, 2, -math.inf)]


def test_who_cannot_come_back_is_forgotten_now_and_then() -> None:
    embedder = Remembering()
    part = exchange(embedder)
    for second in range(30):
        part.after_update(*seen([[10, 10, 50, 110]], float(second), ids=[second + 1]))
    assert embedder.told == [("keep", [1, 2])] * 3
    assert len(part._next) < 12


def test_a_swap_that_fails_is_told_and_tracking_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    embedder, tracker = Remembering(waiting=2), Willing(RuntimeError("no"))
    part = exchange(embedder, tracker)
    with caplog.at_level(logging.ERROR):
        part.before_update()
    assert "goes on with the one before" in caplog.text
    tracker.error = None
    part.before_update()
    part.before_update()
    assert tracker.changes == [("info", "again")]


def test_the_tracker_forgets_whom_the_embedder_forgot_before_it_takes_another_model() -> None:
    tracker = Willing()
    part = exchange(Remembering(waiting=1, forgotten=(3, 5)), tracker)
    part.before_update()
    part.before_update()
    assert tracker.changes == [[3, 5], ("info", "again")]


def test_who_can_be_exchanged_and_who_not() -> None:
    clock = StageTime()
    assert exchange_of(Embedder(), Tracker(), clock) is None
    assert isinstance(exchange_of(Remembering(), Tracker(), clock), Exchange)
    with pytest.raises(InputError, match="needs a tracker with change_embedder"):
        exchange_of(Remembering(), object(), clock)


# ---- real models on a rendered clip ----------------------------------------------------------------------------------


BASE = DEFAULT_MODEL


def projected(path: Path, dimension: int) -> Path:
    """The shipped embedder, its vectors turned into fewer dimensions: as good, and not one number the same."""
    onnx = pytest.importorskip("onnx", reason="tests build models with onnx")
    model = onnx.load(BASE)
    output = model.graph.output[0]
    rng = np.random.default_rng(8)
    turn, _ = np.linalg.qr(rng.normal(size=(192, 192)))
    turn = onnx.numpy_helper.from_array(turn[:, :dimension].astype(np.float32), "test.turn")
    model.graph.initializer.append(turn)
    model.graph.node.append(onnx.helper.make_node("MatMul", [output.name, "test.turn"], ["test.turned"]))
    del model.graph.output[:]
    info = onnx.helper.make_tensor_value_info("test.turned", onnx.TensorProto.FLOAT, [None, dimension])
    model.graph.output.append(info)
    card = json.loads(Embedder(BASE).card.to_json()) | {"name": "turned", "dimension": dimension, "weights_hash": None}
    onnx.helper.set_model_props(model, {METADATA_KEY: json.dumps(card)})
    onnx.save(model, path)
    return path


class Painted:
    """A clip that was painted before, so that all of its truth is known, and once for all tests."""

    def __init__(self, config: DemoConfig) -> None:
        clip = DemoClip(config)
        self.frames, self.info = list(clip), clip.info
        self.truth = clip.truth

    def __iter__(self) -> Iterator[Frame]:
        return iter(self.frames)

    def close(self) -> None: ...


@pytest.fixture(scope="module")
def painted() -> Painted:
    return Painted(DemoConfig(seed=104, duration_s=30, rate_hz=10, width_px=480, height_px=270))


class TruthDetector:
    """Finds everybody of whom half is visible; does something before a given frame."""

    def __init__(self, clip: Painted, frame: int, action: Callable[[], object]) -> None:
        self.class_names = {0: "person"}
        self._truth, self._frame, self._action = clip.truth, frame, action

    def __call__(self, frame: Frame) -> Detections:
        if frame.index == self._frame:
            self._action()
        rows = (self._truth.frame == frame.index) & (self._truth.visibility > 0.5)
        return Detections(self._truth.box[rows], frame_size=(frame.image.shape[1], frame.image.shape[0]))


class Noting:
    """A sink that keeps what it is given, but for the pictures."""

    def __init__(self) -> None:
        self.results: list[FrameResult] = []

    def open(self, run: Any) -> None: ...
    def write(self, result: FrameResult) -> None:
        self.results.append(replace(result, frame=Frame(IMAGE, result.frame.index, result.frame.time_s)))

    def close(self) -> None: ...


def run(
    clip: Painted, folder: Path, candidate: Path | None, at: int, config: TrackerConfig | None = None
) -> tuple[list[FrameResult], ModelRegistry]:
    """The real pipeline over a clip, with another model admitted before a frame."""
    base = BaseModel("default", Embedder(BASE).info.model_hash)
    registry = ModelRegistry(OnlineFolder.make(folder, base), base=BASE)
    sink = Noting()
    with LiveEmbedder(registry, device="cpu", config=LiveConfig(poll_s=0.02)) as embedder:

        def admit() -> None:
            if candidate is not None:
                registry.admit(candidate)
                end = time.monotonic() + 120
                while not embedder.ready():
                    assert time.monotonic() < end, "it never was ready"
                    time.sleep(0.01)

        tracker = Tracker(config, appearance=embedder.info)
        summary = Pipeline(clip, TruthDetector(clip, at, admit), embedder, tracker).run([sink])
        assert summary.dropped_frames == 0
        assert embedder.problem is None
    return sink.results, registry


def numbers_of(results: list[FrameResult], clip: Painted, first: int, last: int) -> dict[int, int]:
    """Person -> the number under which they were reported most often in frames first..last."""
    truth, votes = clip.truth, Counter[tuple[int, int]]()
    for result in results[first - 1 : last]:
        rows = np.flatnonzero(truth.frame == result.frame.index)
        overlap = iou(truth.box[rows], result.tracks.boxes)  # (people, tracks)
        for row, column in zip(*np.nonzero(overlap > 0.7), strict=True):
            votes[int(truth.id[rows[row]]), int(result.tracks.ids[column])] += 1
    return {person: number for (person, number), _ in reversed(votes.most_common())}


@pytest.mark.parametrize("dimension", [192, 128])
def test_people_keep_their_numbers_when_the_model_is_exchanged_in_the_middle(
    painted: Painted, tmp_path: Path, dimension: int
) -> None:
    clip, at, last = painted, 150, len(painted.frames)
    candidate = projected(tmp_path / "turned.onnx", dimension)
    results, registry = run(clip, tmp_path / "online", candidate, at)
    assert [result.frame.index for result in results] == list(range(1, last + 1))
    old, new = Embedder(BASE).info, Embedder(candidate).info
    hashes = [result.model_hash for result in results]
    exchanged = hashes.index(new.model_hash)
    assert at - 5 <= exchanged <= at
    assert hashes == [old.model_hash] * exchanged + [new.model_hash] * (len(results) - exchanged)
    for result in results:  # vectors are of the model that is named beside them
        if result.detections.embeddings is not None:
            wanted = old if result.model_hash == old.model_hash else new
            assert result.detections.embeddings.shape[1] == wanted.dimension
    assert registry.folder.history.read()[-1]["event"] == "swapped"
    before, after = numbers_of(results, clip, 1, exchanged), numbers_of(results, clip, exchanged + 1, last)
    both = set(before) & set(after)
    assert len(both) >= 6
    assert [before[person] for person in both] == [after[person] for person in both]
    events = [event for result in results[exchanged:] for event in result.tracks.events]
    assert "recalled" in {event.kind for event in events}  # who left before comes back under the old number

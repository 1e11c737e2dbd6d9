"""An embedder learns from tracklets without labels, and goes out only if it is better."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="needs the extra [train]")
pytest.importorskip("onnx", reason="needs the extra [train]")

from reid import DataError, Embedder, InputError  # noqa: E402
from reid.data import Crops  # noqa: E402
from reid.data.config import DataConfig  # noqa: E402
from reid.data.stores import read_store_crops  # noqa: E402
from reid.embedder import DEFAULT_MODEL  # noqa: E402
from reid.evaluation import EvaluationConfig, evaluate  # noqa: E402
from reid.learning.graph import OnnxGraph  # noqa: E402
from reid.learning.trainer import TrainConfig  # noqa: E402
from reid.online.config import AdaptConfig, LessonConfig  # noqa: E402
from reid.online.figures import load_figures  # noqa: E402
from reid.online.gate import NUMBERS, SINCE_BASE, GateConfig, Verdict  # noqa: E402
from reid.online.slices import SliceConfig, accompanied  # noqa: E402
from reid.online.worker import adapt  # noqa: E402

Film = Callable[..., Path]
Opens = Callable[[], Embedder]
LESSON = LessonConfig(steps=100, learning_rate=5e-3, trained_share=1.0, memory_weight=0.0, most_figure_loss=1.0)
CONFIG = AdaptConfig(lesson=LESSON)
HEIGHT_PX, WIDTH_PX = 32, 16


@pytest.fixture(autouse=True)
def _both_as_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine must not decide a test."""
    monkeypatch.setattr("reid.online.worker.latencies", lambda *_: (1.0, 1.0))


def score(model: Path) -> float:
    """mAP on twenty people whom no site showed."""
    rng = np.random.default_rng(5)
    crops = []
    for person in range(1000, 1020):
        colours = np.random.default_rng([7, person]).uniform(0, 255, (2, 3))
        for _ in range(6):
            picture = np.repeat(colours, HEIGHT_PX // 2, axis=0)[:, None].repeat(WIDTH_PX, axis=1)
            noisy = picture * rng.uniform(0.8, 1.2) + rng.normal(0, 25, picture.shape)
            crops.append(np.clip(noisy, 0, 255).astype(np.uint8))
    vectors = Embedder(model, device="cpu").crops(np.stack(crops))
    report = evaluate(vectors, np.repeat(np.arange(20), 6), config=EvaluationConfig(later_s=(), replicates=0))
    return report.mean_average_precision.value


def cosines(embedder: Embedder, crops: Crops, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    vectors = embedder.crops(crops.pixels(rows, embedder.card.height_px, embedder.card.width_px))
    return vectors @ vectors.T


def test_it_learns_from_tracklets_alone_and_the_gate_lets_it_out(film: Film, dim_eyes: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "better.onnx"
    result = adapt([film(people=90, beside=6)], dim_eyes, out, CONFIG)
    assert result.admitted, result
    assert result.model == out
    assert score(out) > score(dim_eyes) + 0.02
    assert Embedder(out, device="cpu").card.name == Embedder(dim_eyes, device="cpu").card.name
    counts = result.counts
    assert (counts["crops"], counts["tracklets"]) == (1080, 90)
    assert counts["trained on"] + counts["held out"] + counts["crops left out"] == 1080
    assert [path.name for path in out.parent.iterdir()] == ["better.onnx"]


def test_a_lesson_is_as_its_settings_say(
    film: Film, dim_eyes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}

    def no_training(training: TrainConfig, crops: Crops, held_out: Crops, draft: Path, **more: Any) -> Any:
        given.update(more, training=training, crops=crops, objective=more["make_objective"](OnnxGraph(dim_eyes), ()))
        return SimpleNamespace(model=None)

    def objective(_model: OnnxGraph, relate: Callable[..., Any], **settings: Any) -> dict[str, Any]:
        return settings

    monkeypatch.setattr("reid.online.worker.run_training", no_training)
    monkeypatch.setattr("reid.online.worker.TrackletObjective", objective)
    result = adapt([film(people=90, beside=6)], dim_eyes, tmp_path / "a.onnx", AdaptConfig(), base=DEFAULT_MODEL)
    assert result.reason == "it was stopped"
    training = given["training"]
    assert (training.epochs * training.epoch_steps, training.threads, training.device) == (300, 1, "cpu")
    optimizer = training.optimizer
    assert (optimizer.freeze_batch_norm, optimizer.clip_norm, optimizer.average_decay) == (True, 1.0, 0.98)
    assert optimizer.learning_rate == 5e-4
    assert optimizer.frozen == OnnxGraph(dim_eyes).all_but_last(0.5) != ()
    assert training.loss.identity_weight == 0
    assert (training.sampler.identities, training.sampler.pictures) == (16, 4)
    objective_of = given["objective"]
    assert (objective_of["hard_from_step"], objective_of["dropped_positives"]) == (120, 0.05)
    assert (objective_of["memory_weight"], objective_of["remembered"]) == (5.0, 0)
    crops, learned = given["crops"], load_figures().learned
    assert len(crops) == result.counts["trained on"] + len(learned), "the site's crops, and figures"
    rows, base = np.array([0, len(crops) - 1]), Embedder(DEFAULT_MODEL, device="cpu", threads=1)
    wanted = base.crops(crops.pixels(rows, base.card.height_px, base.card.width_px))
    np.testing.assert_allclose(given["teacher"](rows), wanted, atol=1e-3)  # kept in half precision


def test_tracklets_that_went_over_to_somebody_else_are_cut(
    film: Film, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reid.online.worker._Lesson.teach", lambda *_: False)
    pure, mixed = (
        adapt([film(name, people=45, switched=switched)], DEFAULT_MODEL, tmp_path / "a.onnx", CONFIG).counts
        for name, switched in (("pure", 0), ("mixed", 5))
    )
    assert (pure["cuts"], pure["pieces"]) == (0, 45)
    assert mixed["cuts"] >= 8, "of ten"
    assert mixed["pieces"] == 45 + mixed["cuts"]


def test_both_are_tried_on_the_replay(film: Film, dim_eyes: Path, tmp_path: Path) -> None:
    tried = []

    def replay(embedder: Embedder) -> list[Any]:
        tried.append(embedder.info.model_hash)
        return [SimpleNamespace(births=20 * len(tried), breaks=50, confusion=0.0, crops=100)]

    store, out = film(people=90, beside=6), tmp_path / "better.onnx"
    result = adapt([store], dim_eyes, out, CONFIG, replay=replay)
    assert tried[0] == Embedder(dim_eyes, device="cpu").info.model_hash
    assert len(set(tried)) == 2
    assert not result.admitted
    assert result.reason == "people are lost more often with it: numbers in the replay 20 -> 40"
    assert not out.exists()


def test_one_that_follows_another_is_tried_beside_what_the_site_began_with_too(
    film: Film, dim_eyes: Path, tmp_path: Path
) -> None:
    tried = []

    def replay(embedder: Embedder) -> list[Any]:
        tried.append(embedder.info.model_hash)
        births = 20 if tried[-1] == began else 21  # one more than with the base, none more than with the live one
        return [SimpleNamespace(births=births, breaks=50, confusion=0.0, crops=100)]

    began = Embedder(DEFAULT_MODEL, device="cpu").info.model_hash
    config = AdaptConfig(lesson=dataclasses.replace(LESSON, steps=50))
    store = film(people=45, beside=6)
    result = adapt([store], dim_eyes, tmp_path / "a.onnx", config, base=DEFAULT_MODEL, replay=replay)
    assert (len(tried), tried.count(began)) == (3, 1)
    assert result.verdict is not None
    figures = result.verdict.figures
    assert (figures[NUMBERS].live, figures[NUMBERS + SINCE_BASE].live) == (21, 20)
    tried.clear()
    result = adapt([store], dim_eyes, tmp_path / "b.onnx", config, base=dim_eyes, replay=replay)
    assert len(tried) == 2, "in the first round the base is live"
    assert result.verdict is not None
    assert NUMBERS + SINCE_BASE not in result.verdict.figures


def test_one_that_takes_longer_is_refused(
    film: Film, dim_eyes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def slow(live: Opens, candidate: Opens, pixels: NDArray[np.uint8], most_slower: float) -> tuple[float, float]:
        asked.append((live().info.model_hash, candidate().device, pixels.shape, most_slower))
        return 2.0, 2.2

    monkeypatch.setattr("reid.online.worker.latencies", slow)
    result = adapt([film(people=90, beside=6)], dim_eyes, tmp_path / "slow.onnx", CONFIG)
    assert not result.admitted
    assert result.reason.startswith("it is slower: ms a crop 2.000 -> 2.200")
    assert not (tmp_path / "slow.onnx").exists()
    began = Embedder(dim_eyes, device="cpu").info.model_hash
    assert asked == [(began, "cpu", (16, HEIGHT_PX, WIDTH_PX, 3), 0.05)]


def test_how_long_it_takes_is_compared_with_what_the_site_began_with_in_one_thread(
    film: Film, dim_eyes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def measured(base: Opens, candidate: Opens, *_: object) -> tuple[float, float]:
        for opens in (base, candidate):
            options = opens()._session._session.get_session_options()
            asked.append((opens().info.model_hash, options.intra_op_num_threads))
        return 1.0, 1.0

    monkeypatch.setattr("reid.online.worker.latencies", measured)
    two = AdaptConfig(lesson=dataclasses.replace(LESSON, steps=50, threads=2))
    adapt([film(people=45, beside=6)], dim_eyes, tmp_path / "a.onnx", two, base=DEFAULT_MODEL)
    assert asked[0] == (Embedder(DEFAULT_MODEL, device="cpu").info.model_hash, 1)
    assert asked[1][1] == 1


def test_what_is_no_better_is_not_written(film: Film, dim_eyes: Path, tmp_path: Path) -> None:
    lesson = dataclasses.replace(LESSON, steps=50, learning_rate=1e-7)
    result = adapt([film(people=90, beside=6)], dim_eyes, tmp_path / "same.onnx", AdaptConfig(lesson=lesson))
    assert not result.admitted
    assert "not surely better" in result.reason
    assert not (tmp_path / "same.onnx").exists()
    assert not list(tmp_path.glob(".adapt*"))


def test_too_little_to_learn_from_is_said(film: Film, dim_eyes: Path, tmp_path: Path) -> None:
    result = adapt([film(people=6)], dim_eyes, tmp_path / "few.onnx", CONFIG)
    assert not result.admitted
    assert "are needed: let more be seen" in result.reason
    assert result.verdict is None


def test_a_clip_that_was_tracked_twice_may_give_the_same_crops_to_both_sides(
    film: Film, dim_eyes: Path, tmp_path: Path
) -> None:
    config = AdaptConfig(lesson=dataclasses.replace(LESSON, steps=50))
    stores = [film(str(people), people=people, beside=6) for people in (60, 48, 36, 24)]  # the same pictures so far
    assert adapt(stores, dim_eyes, tmp_path / "a.onnx", config, base=DEFAULT_MODEL).verdict is not None


def test_a_store_given_twice_is_refused(film: Film, dim_eyes: Path, tmp_path: Path) -> None:
    store = film(people=30)
    with pytest.raises(InputError, match="given once each"):
        adapt([store, store], dim_eyes, tmp_path / "twice.onnx", CONFIG)


def test_told_to_stop_it_stops_without_a_result(film: Film, dim_eyes: Path, tmp_path: Path) -> None:
    answers = iter([False, False, True])
    result = adapt([film(people=90, beside=6)], dim_eyes, tmp_path / "stopped.onnx", CONFIG, stop=lambda: next(answers))
    assert (result.admitted, result.reason) == (False, "it was stopped")
    assert not list(tmp_path.glob("stopped*"))


def test_it_keeps_to_its_threads_and_leaves_those_of_others_as_they_were(
    film: Film, dim_eyes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pools, seen = list[int](), list[tuple[int, int]]()

    class Pool(ThreadPoolExecutor):
        def __init__(self, most: int, **options: Any) -> None:
            pools.append(most)
            super().__init__(most, **options)

    def stop() -> bool:
        seen.append((cv2.getNumThreads(), torch.get_num_threads()))
        return bool(pools)  # not before pictures were read for training

    monkeypatch.setattr("os.cpu_count", lambda: 8)
    monkeypatch.setattr("reid.data.cache.ThreadPoolExecutor", Pool)
    monkeypatch.setattr("reid.data.fingerprint.ThreadPoolExecutor", Pool)
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(5)
        config = AdaptConfig(lesson=dataclasses.replace(LESSON, threads=2))
        adapt([film(people=45, beside=6)], dim_eyes, tmp_path / "out.onnx", config, stop=stop)
        assert set(seen) == {(2, 2)}
        assert set(pools) == {2}
        assert cv2.getNumThreads() == 5
    finally:
        cv2.setNumThreads(before)


def test_told_to_stop_it_does_not_look_through_the_whole_harvest(
    film: Film, dim_eyes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, seen, crops, answers = tmp_path / "kept", list[int](), Embedder.crops, iter([False, False, True])

    def counted(self: Embedder, pixels: Any) -> Any:
        seen.append(len(pixels))
        return crops(self, pixels)

    monkeypatch.setattr(Embedder, "crops", counted)
    monkeypatch.setattr("reid.online.worker._Lesson.teach", lambda *_: False)
    store, people = film(people=90, beside=6), tmp_path / "people.json"
    stopped = adapt(
        [store], dim_eyes, tmp_path / "a.onnx", CONFIG, people=people, kept_in=kept, stop=lambda: next(answers)
    )
    assert (stopped.reason, seen) == ("it was stopped", [64, 64])
    assert not people.exists()
    adapt([store], dim_eyes, tmp_path / "a.onnx", CONFIG, people=people, kept_in=kept)
    assert seen[2:17] == [64] * 14 + [56], "it goes on where it was"
    assert sum(seen[:17]) == 1080


def test_of_a_large_harvest_it_takes_whole_pieces_with_their_company(
    film: Film, dim_eyes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Crops] = []

    def no_training(_self: object, trained: Any, held_out: Crops, *_: object) -> bool:
        given.extend((trained.crops, held_out))
        return False

    monkeypatch.setattr("reid.online.worker._Lesson.teach", no_training)
    monkeypatch.setattr("reid.online.worker._MOST_HELD_OUT", 100)
    monkeypatch.setattr("reid.online.worker._MOST_TRAINED", 200, raising=False)
    result = adapt([film(people=90, beside=6)], dim_eyes, tmp_path / "a.onnx", CONFIG)
    assert result.counts["held out"] > 300, "of how many there were it tells"
    for crops, most in zip(given, (200, 100), strict=True):
        pieces, each = np.unique(crops.identity, return_counts=True)
        assert 0.9 * most < len(crops) <= most
        assert each.min() >= 4
        assert np.array_equal(accompanied(crops), pieces)


def test_a_lesson_that_was_stopped_goes_on_where_it_was(film: Film, dim_eyes: Path, tmp_path: Path) -> None:
    lesson = dataclasses.replace(LESSON, remembered_batches=3)
    config, store = AdaptConfig(lesson=lesson, gate=GateConfig(enabled=False)), film(people=45, beside=6)
    whole = adapt([store], dim_eyes, tmp_path / "whole.onnx", config).model
    kept, steps = tmp_path / "kept", list[int]()
    answers = itertools.chain([False] * 70, itertools.repeat(True))
    stopped = adapt([store], dim_eyes, tmp_path / "two.onnx", config, kept_in=kept, stop=lambda: next(answers))
    assert stopped.reason == "it was stopped"
    assert kept.is_dir()
    result = adapt(
        [store], dim_eyes, tmp_path / "two.onnx", config, kept_in=kept, progress=lambda row: steps.append(row.step)
    )
    assert result.model == tmp_path / "two.onnx"
    assert steps[0] > 50
    assert whole is not None
    one, two = OnnxGraph(whole).weights_in_file(), OnnxGraph(result.model).weights_in_file()
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_the_same_seed_gives_the_same_weights(film: Film, dim_eyes: Path, tmp_path: Path) -> None:
    config = AdaptConfig(lesson=dataclasses.replace(LESSON, steps=50), gate=GateConfig(enabled=False))
    store = film(people=45, switched=3)
    first, second = (adapt([store], dim_eyes, tmp_path / f"{name}.onnx", config, seed=4).model for name in "ab")
    assert first is not None
    assert second is not None
    mine, theirs = OnnxGraph(first).weights_in_file(), OnnxGraph(second).weights_in_file()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_it_goes_only_so_far_that_it_forgets_nothing(
    film: Film, dim_eyes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, store = GateConfig(enabled=False), film(people=45)
    lesson = dataclasses.replace(LESSON, steps=50)
    whole = adapt([store], dim_eyes, tmp_path / "whole.onnx", AdaptConfig(lesson=lesson, gate=gate)).model
    known = iter([0.9, 0.5, 0.6, 0.89])  # from where it began, then at each share of the way
    monkeypatch.setattr("reid.online.worker.map_of", lambda *_: next(known))
    lesson = dataclasses.replace(lesson, most_figure_loss=0.02)
    half = adapt([store], dim_eyes, tmp_path / "half.onnx", AdaptConfig(lesson=lesson, gate=gate)).model
    assert whole is not None
    assert half is not None
    assert next(known, None) is None
    began, end, between = (OnnxGraph(path).weights_in_file() for path in (dim_eyes, whole, half))
    assert all(torch.allclose(between[name], (began[name] + end[name]) / 2, atol=1e-6) for name in began)
    card = Embedder(half, device="cpu").card
    assert "50% of the way" in (card.training or "")
    assert card.calibration is not None
    assert card.calibration.data == "held-out tracklets"
    assert card.calibration != Embedder(whole, device="cpu").card.calibration


def test_who_was_held_out_is_written_down_before_anything_is_trained_and_stays_so(
    film: Film, dim_eyes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people, store = tmp_path / "people.json", film(people=90, beside=6)
    taught: list[set[str]] = []

    def no_training(_self: object, trained: Any, *_: object) -> bool:
        sides = json.loads(people.read_text())
        people_here = set(trained.crops.kin[trained.crops.identity].tolist())
        names = {name for kin in people_here for name in trained.crops.kin_names[kin]}
        assert not any(sides[name] for name in names)
        taught.append(names)
        return False

    monkeypatch.setattr("reid.online.worker._Lesson.teach", no_training)
    config = AdaptConfig(slices=SliceConfig(held_out_share=0.3))
    adapt([store], dim_eyes, tmp_path / "a.onnx", config, people=people)
    adapt([store], dim_eyes, tmp_path / "b.onnx", AdaptConfig(slices=SliceConfig(held_out_share=0.6)), people=people)
    adapt([store], dim_eyes, tmp_path / "c.onnx", AdaptConfig(slices=SliceConfig(held_out_share=0.6)))
    assert taught[0] == taught[1] > taught[2]
    people.write_text("{half")
    with pytest.raises(DataError, match=r"people\.json is damaged"):
        adapt([store], dim_eyes, tmp_path / "d.onnx", config, people=people)


def test_in_a_second_pass_nobody_is_held_out_who_was_trained_on_in_the_first(
    film: Film, dim_eyes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared: list[tuple[set[float], set[float]]] = []  # when those were there who are trained on, and held out

    def no_training(_self: object, trained: Any, held_out: Crops, *_: object) -> bool:
        shared.append((set(trained.crops.time_s.tolist()), set(held_out.time_s.tolist())))
        return True

    monkeypatch.setattr("reid.online.worker._Lesson.teach", no_training)
    monkeypatch.setattr("reid.online.worker._Lesson.judge", lambda *_: Verdict(admitted=False, reason="a test"))
    first = adapt([film("one", people=90, beside=6)], dim_eyes, tmp_path / "a.onnx", CONFIG)
    moved = AdaptConfig(lesson=LESSON, slices=SliceConfig(held_out_share=0.6))  # as where fewer are followed at the end
    again = film("two", people=90, beside=6)
    for seen_until in (None, first.seen_until):
        second = adapt([again], dim_eyes, tmp_path / "b.onnx", moved, seen_until=seen_until)
    (trained, _), (_, share), (_, held_out) = shared
    assert trained & share, "by share alone somebody would be"
    assert held_out
    assert not trained & held_out
    assert second.seen_until == first.seen_until, "nor in a third"


def test_what_the_site_began_with_teaches_and_is_what_must_not_be_forgotten(
    film: Film, dim_eyes: Path, tmp_path: Path
) -> None:
    lesson = dataclasses.replace(LESSON, steps=50, memory_weight=50.0, most_figure_loss=1.0)
    config, store = AdaptConfig(lesson=lesson, gate=GateConfig(enabled=False)), film(people=45, beside=6)
    alone = adapt([store], dim_eyes, tmp_path / "alone.onnx", config)
    beside = adapt([store], dim_eyes, tmp_path / "beside.onnx", config, base=DEFAULT_MODEL)
    assert alone.verdict is not None
    assert beside.verdict is not None
    first, second = (result.verdict.figures["canary mAP"] for result in (alone, beside))
    assert second.live > first.live + 0.1, "the default embedder knows the figures better than dim eyes"
    crops = read_store_crops(store, DataConfig())
    rows = np.arange(len(crops))
    assert alone.model is not None
    assert beside.model is not None
    with_default, mine, theirs = (
        cosines(Embedder(path, device="cpu"), crops, rows) for path in (DEFAULT_MODEL, alone.model, beside.model)
    )
    assert np.abs(theirs - with_default).mean() < np.abs(mine - with_default).mean()


def test_figures_are_shared_out_so_that_the_canary_is_seen_by_the_gate_alone() -> None:
    figures = load_figures()
    parts = (figures.learned, figures.limit, figures.canary)
    families = [set((part.identity // 2).tolist()) for part in parts]
    assert not families[0] & families[1]
    assert not (families[0] | families[1]) & families[2]
    assert [len(part) for part in parts] == [192, 96, 96]
    assert all(np.unique(part.identity, return_counts=True)[1].min() == 4 for part in parts)


def test_the_last_layers_alone_are_trained(dim_eyes: Path) -> None:
    network = OnnxGraph(dim_eyes)
    assert network.all_but_last(1.0) == ()
    first = ("weights.conv/weight", "weights.conv/bias")
    assert network.all_but_last(0.67) == first
    last = network.all_but_last(0.34)
    assert last == (*first, "norms.n.weight", "norms.n.bias")
    assert network.all_but_last(0.01) == last, "something is trained"
    with pytest.raises(InputError, match="trained_share must be above 0 and at most 1, got 0"):
        LessonConfig(trained_share=0)

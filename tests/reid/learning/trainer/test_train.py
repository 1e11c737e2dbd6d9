"""A whole training: what it learns, what it leaves, and that a run that was told to stop goes on exactly."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from reid import Card, Embedder
from reid.data import Crops, join_crops, open_crops
from reid.errors import DataError, DeviceError, InputError, ModelError
from reid.learning.trainer import LossConfig, OptimizerConfig, TrainConfig, TrainProgress, ValidationConfig, train
from reid.learning.trainer.distributed import Processes
from reid.learning.trainer.history import COLUMNS, read_history
from reid.learning.trainer.objective import Batch, Cost, TripletObjective

MakeCrops = Callable[..., Crops]
CLOCKS = ("data_s", "compute_s")


def losses(rows: list[TrainProgress]) -> list[dict[str, object]]:
    """Everything but the clocks."""
    return [{k: v for k, v in dataclasses.asdict(row).items() if k not in CLOCKS} for row in rows]


def test_it_learns_and_leaves_a_model_a_history_and_curves(
    tmp_path: Path, config: TrainConfig, make_crops: MakeCrops, real_export: None
) -> None:
    crops, seen = make_crops(20), []
    config = replace(config, epochs=10)
    before = torch.get_rng_state()
    result = train(config, crops, None, tmp_path / "plates.onnx", progress=seen.append)
    assert torch.equal(torch.get_rng_state(), before), "the caller's generator is left as it was"
    assert (result.stopped, result.step) == ("done", 30)
    assert result.best_map is not None
    assert result.best_map > 0.8
    assert seen == read_history(result.history)
    assert [row.step for row in seen] == sorted({*range(2, 31, 2), *range(6, 31, 6)})
    assert [row.step for row in seen if row.validation_map is not None] == [6, 12, 18, 24, 30]
    assert (seen[-1].triplet_loss or 1) < 0.3 * (seen[0].triplet_loss or 0)
    assert all(0 <= (row.active_share or 0) <= 1 for row in seen)
    assert cv2.imread(str(result.curves)).shape == (1000, 960, 3)
    embedder = Embedder(result.model)
    assert embedder.info.dimension == 16
    vectors = embedder.crops(crops.pixels(np.arange(12), 64, 32))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_the_card_says_what_was_measured(tmp_path: Path, config: TrainConfig, make_crops: MakeCrops) -> None:
    card_config = replace(config.card, name="plates", licence="CC0-1.0", data="painted plates")
    result = train(replace(config, card=card_config), make_crops(licence="CC0-1.0"), None, tmp_path / "m.onnx")
    card = Card.from_json(result.model.read_text())
    assert (card.name, card.licence) == ("plates", "CC0-1.0")
    [source] = card.sources
    assert (source.name, source.licence) == ("painted plates", "CC0-1.0")
    scores = {score.measure: score.value for score in card.scores}
    assert scores["mAP"] == pytest.approx(result.best_map)
    assert scores["rank-1"] == pytest.approx(result.best_rank1)


def test_the_same_seed_gives_the_same_losses_and_another_does_not(
    tmp_path: Path, config: TrainConfig, make_crops: MakeCrops
) -> None:
    runs: list[list[TrainProgress]] = [[], [], []]
    for number, seed in enumerate((0, 0, 1)):
        train(replace(config, seed=seed), make_crops(), None, tmp_path / f"{number}.onnx", progress=runs[number].append)
    assert losses(runs[0]) == losses(runs[1])
    assert losses(runs[0]) != losses(runs[2])


@pytest.mark.parametrize("average_decay", [0.0, 0.9])
@pytest.mark.parametrize("stop_after", [3, 5])  # at the end of an epoch, and between two rows of the history
def test_a_run_that_is_stopped_goes_on_exactly(
    tmp_path: Path, config: TrainConfig, make_crops: MakeCrops, stop_after: int, average_decay: float
) -> None:
    config = replace(config, optimizer=replace(config.optimizer, average_decay=average_decay))
    whole = train(config, make_crops(), None, tmp_path / "whole.onnx")
    steps = iter(range(1, 100))
    first = train(config, make_crops(), None, tmp_path / "parts.onnx", stop=lambda: next(steps) == stop_after)
    assert (first.stopped, first.step, first.model) == ("interrupted", stop_after, None)
    second = train(config, make_crops(), None, tmp_path / "parts.onnx", existing="resume")
    assert second.stopped == "done"
    assert losses(read_history(second.history)) == losses(read_history(whole.history))
    ours, theirs = (torch.load(r.checkpoint, weights_only=True)["model"] for r in (second, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


class OneOfTwo(Processes):
    """Takes part as if another one did the same."""

    def part(self, length: int) -> slice:
        return slice(length)

    def gather(self, rows: torch.Tensor) -> torch.Tensor:
        return rows

    def add_gradients(self, parameters: object) -> None: ...
    def average_buffers(self, module: object) -> None: ...
    def wait(self) -> None: ...
    def any(self, flag: bool, device: object) -> bool:
        return flag


def test_several_processes_ask_each_other_only_where_a_row_or_an_epoch_ends(
    tmp_path: Path, config: TrainConfig, make_crops: MakeCrops, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "reid.learning.trainer.running.joined_processes", lambda _: contextlib.nullcontext(OneOfTwo(0, 2))
    )
    config = replace(config, validation=replace(config.validation, share=0))
    answers = iter([False] * 6 + [True])
    result = train(config, make_crops(), None, tmp_path / "m.onnx", stop=lambda: next(answers))
    assert (result.stopped, result.step) == ("interrupted", 10), "asked at 2, 3, 4, 6, 8, 9 and 10"


def test_a_finished_run_that_is_resumed_exports_again(
    tmp_path: Path, config: TrainConfig, make_crops: MakeCrops
) -> None:
    out = tmp_path / "m.onnx"
    first = train(config, make_crops(), None, out)
    rows = read_history(first.history)
    out.unlink()
    again = train(config, make_crops(), None, out, existing="resume")
    assert again == first
    assert out.is_file()
    assert read_history(again.history) == rows


def test_a_training_that_is_there_is_refused_resumed_or_replaced(
    tmp_path: Path, config: TrainConfig, make_crops: MakeCrops
) -> None:
    out = tmp_path / "m.onnx"
    config = replace(config, epochs=1)
    train(config, make_crops(), None, out)
    mine = tmp_path / "m.train" / "notes.txt"
    mine.write_text("not ours")
    with pytest.raises(InputError, match=r"m\.train holds a training already"):
        train(config, make_crops(), None, out)
    with pytest.raises(ModelError, match=r"cannot be resumed: --epochs was 1, is 2"):
        train(replace(config, epochs=2), make_crops(), None, out, existing="resume")
    with pytest.raises(ModelError, match=r"cannot be resumed: .*training data was"):
        train(config, make_crops(11), None, out, existing="resume")
    for other in (make_crops(seed=1), make_crops(camera=np.arange(60) % 2), make_crops(time_s=np.arange(60.0))):
        with pytest.raises(ModelError, match=r"cannot be resumed: held-out data was .*, training data was"):
            train(config, other, None, out, existing="resume")  # of the same names and identities
    assert train(replace(config, epochs=2), make_crops(), None, out, existing="replace").step == 6
    assert mine.read_text() == "not ours"


def test_it_stops_early_where_validation_does_not_get_better(
    tmp_path: Path, config: TrainConfig, make_crops: MakeCrops
) -> None:
    config = replace(
        config,
        epochs=30,
        optimizer=OptimizerConfig(learning_rate=1e-9),
        validation=ValidationConfig(every=1, patience=2),
    )
    result = train(config, make_crops(), None, tmp_path / "m.onnx")
    assert result.stopped == "early"
    assert result.step < 30 * 3
    assert result.model is not None


def test_held_out_identities_are_never_trained_on(
    tmp_path: Path, config: TrainConfig, make_crops: MakeCrops, monkeypatch: pytest.MonkeyPatch
) -> None:
    crops, used, before_the_end = make_crops(10), set(), set()
    original = Crops.relations

    def watch(self: Crops, rows: np.ndarray) -> np.ndarray:
        used.update(self.identity[rows].tolist())
        return original(self, rows)

    monkeypatch.setattr(Crops, "relations", watch)
    train(config, crops, None, tmp_path / "m.onnx", progress=lambda _row: before_the_end.update(used))
    assert len(before_the_end) == 8
    assert len(used) == 10, "the calibration is of the others"


def test_a_calibration_says_what_it_was_fitted_on(tmp_path: Path, config: TrainConfig, make_crops: MakeCrops) -> None:
    config = replace(config, card=replace(config.card, data="cows"))
    result = train(config, make_crops(), make_crops(12), tmp_path / "m.onnx")
    fit = Card.from_json(result.model.read_text()).calibration
    assert fit is not None
    assert (fit.data, fit.caution) == ("crops held out from training on cows", None)


def test_without_validation_the_last_weights_are_exported_without_calibration(
    tmp_path: Path, config: TrainConfig, make_crops: MakeCrops
) -> None:
    config = replace(config, validation=ValidationConfig(share=0))
    result = train(config, make_crops(), None, tmp_path / "m.onnx")
    assert result.best_map is None
    card = Card.from_json(result.model.read_text())
    assert card.calibration is None
    assert card.scores == ()


def test_tracklets_are_learned_from_by_what_is_known_of_each_pair(
    tmp_path: Path, config: TrainConfig, make_crops: MakeCrops
) -> None:
    pairs = [(a, b) for a in range(10) for b in range(a) if a // 5 == b // 5]
    crops = make_crops(10, labelled=False, together=pairs, group=np.repeat([0, 1], 30))
    rows: list[TrainProgress] = []
    result = train(config, crops, None, tmp_path / "m.onnx", progress=rows.append)
    assert result.stopped == "done"
    assert all(row.identity_loss is None for row in rows), "two tracklets may be one object"
    assert all(row.triplet_loss is not None for row in rows)


def test_fine_tuning_begins_with_the_weights_of_a_checkpoint(
    tmp_path: Path, config: TrainConfig, make_crops: MakeCrops
) -> None:
    first = train(replace(config, epochs=10), make_crops(20), None, tmp_path / "first.onnx")
    still = OptimizerConfig(learning_rate=1e-9)
    seen: list[TrainProgress] = []
    train(
        replace(config, epochs=1, optimizer=still, model=replace(config.model, pretrained=first.checkpoint)),
        make_crops(20),
        None,
        tmp_path / "second.onnx",
        progress=seen.append,
    )
    last = read_history(first.history)[-1]
    assert seen[-1].validation_map == pytest.approx(last.validation_map, abs=0.05)


def test_a_training_may_be_replaced_by_one_that_begins_with_its_weights(
    tmp_path: Path, config: TrainConfig, make_crops: MakeCrops
) -> None:
    config, out = replace(config, epochs=1), tmp_path / "m.onnx"
    first = train(config, make_crops(), None, out)
    with pytest.raises(InputError, match=r"optimizer\.frozen must name weights"):
        train(replace(config, optimizer=OptimizerConfig(frozen=("x",))), make_crops(), None, out, existing="replace")
    assert first.checkpoint.exists(), "what is refused deletes nothing"
    again = replace(config, model=replace(config.model, pretrained=first.checkpoint))
    assert train(again, make_crops(), None, out, existing="replace").step == 3
    # and goes on without that file, whose weights the checkpoint has
    kept = first.checkpoint.with_name("kept.pt")
    kept.write_bytes(first.checkpoint.read_bytes())
    moved = replace(config, model=replace(config.model, pretrained=kept))
    train(moved, make_crops(), None, tmp_path / "n.onnx")
    kept.unlink()
    assert train(moved, make_crops(), None, tmp_path / "n.onnx", existing="resume").model is not None


def test_mined_triplets_follow_the_seed() -> None:
    vectors, classes = torch.randn(12, 16), torch.arange(4).repeat_interleave(3)
    relations = (classes[:, None] == classes[None]).to(torch.int8)
    batch = Batch(torch.zeros(12, 1, 1, 3), vectors, vectors, relations, classes)
    loss = LossConfig(mining="random", identity_weight=0)
    costs = [float(TripletObjective(loss, 16, 4, seed=seed)(batch).total) for seed in (1, 1, 2)]
    assert costs[0] == costs[1] != costs[2]


@pytest.mark.parametrize("freeze_batch_norm", [True, False])
def test_frozen_weights_and_batch_norms_stay(
    tmp_path: Path, config: TrainConfig, make_crops: MakeCrops, freeze_batch_norm: bool
) -> None:
    def weights(result_path: Path) -> dict[str, torch.Tensor]:
        return torch.load(result_path, weights_only=True)["model"]  # type: ignore[no-any-return]

    start = train(replace(config, epochs=1), make_crops(), None, tmp_path / "start.onnx")
    tuned = train(
        replace(
            config,
            epochs=1,
            model=replace(config.model, pretrained=start.checkpoint),
            optimizer=OptimizerConfig(frozen=("backbone.stem*",), freeze_batch_norm=freeze_batch_norm),
        ),
        make_crops(),
        None,
        tmp_path / "tuned.onnx",
    )
    before, after = weights(start.checkpoint), weights(tuned.checkpoint)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert any(name.startswith("backbone.blocks") for name in changed)
    assert not [name for name in changed if name.startswith("backbone.stem")], "statistics included"
    assert any("running" in name for name in changed) == (not freeze_batch_norm)


def test_a_name_that_freezes_nothing_is_refused(tmp_path: Path, config: TrainConfig, make_crops: MakeCrops) -> None:
    with pytest.raises(InputError, match=r"optimizer\.frozen must name weights such as backbone"):
        train(replace(config, optimizer=OptimizerConfig(frozen=("stem*",))), make_crops(), None, tmp_path / "m.onnx")
    with pytest.raises(InputError, match="must leave weights to train"):
        train(replace(config, optimizer=OptimizerConfig(frozen=("*",))), make_crops(), None, tmp_path / "m.onnx")


@pytest.mark.parametrize(
    "loss",
    [
        LossConfig(mining="distance_weighted", identity_weight=0),
        LossConfig(mining="batch_all", reduction="nonzero", margin="soft"),
        LossConfig(mining="semi_hard", distance="cosine"),
        LossConfig(triplet_weight=0),
    ],
    ids=str,
)
def test_other_losses(tmp_path: Path, config: TrainConfig, make_crops: MakeCrops, loss: LossConfig) -> None:
    rows: list[TrainProgress] = []
    train(replace(config, loss=loss), make_crops(), None, tmp_path / "m.onnx", progress=rows.append)
    assert (rows[-1].identity_loss is None) == (loss.identity_weight == 0)
    assert (rows[-1].triplet_loss is None) == (loss.triplet_weight == 0)
    assert rows[-1].loss < rows[0].loss * 1.05


def test_a_caller_may_bring_losses_of_its_own(tmp_path: Path, config: TrainConfig, make_crops: MakeCrops) -> None:
    class Anchored(TripletObjective):
        """Triplets, and a pull towards where the vectors were in the beginning."""

        calls = 0

        def forward(self, batch: Batch) -> Cost:
            cost = super().forward(batch)
            type(self).calls += 1
            return dataclasses.replace(cost, total=cost.total + 0.1 * batch.after.square().mean())

    train(
        replace(config, epochs=1),
        make_crops(),
        None,
        tmp_path / "m.onnx",
        make_objective=lambda model, classes: Anchored(config.loss, 16, classes),
    )
    assert Anchored.calls == 3


def test_bfloat16_on_a_cpu_trains_too(tmp_path: Path, config: TrainConfig, make_crops: MakeCrops) -> None:
    rows: list[TrainProgress] = []
    train(replace(config, precision="bfloat16"), make_crops(), None, tmp_path / "m.onnx", progress=rows.append)
    assert rows[-1].loss < rows[0].loss


def test_a_share_that_holds_out_one_identity_is_refused(
    tmp_path: Path, config: TrainConfig, make_crops: MakeCrops
) -> None:
    with pytest.raises(InputError, match="holds out 1: 2 or more are needed"):
        train(config, make_crops(5), None, tmp_path / "m.onnx")
    assert not (tmp_path / "m.train").exists()


def test_held_out_data_that_is_trained_on_is_refused(
    tmp_path: Path, config: TrainConfig, make_crops: MakeCrops
) -> None:
    with pytest.raises(InputError, match=r"must hold no picture that is trained on.* got 60 such of 60"):
        train(config, make_crops(), make_crops(), tmp_path / "m.onnx")
    assert not (tmp_path / "m.train").exists()


def test_a_held_out_picture_that_is_trained_on_is_left_out_and_told_of(
    tmp_path: Path, config: TrainConfig, make_crops: MakeCrops, caplog: pytest.LogCaptureFixture
) -> None:
    held_out = join_crops([make_crops(seed=1), make_crops().subset([0])])
    train(config, make_crops(), held_out, tmp_path / "m.onnx")
    assert "left out held-out pictures that are trained on: 1 such of 61: 0/0.png" in caplog.text


def test_held_out_distractors_are_nobody_in_the_calibration(
    tmp_path: Path, config: TrainConfig, make_crops: MakeCrops
) -> None:
    nobody = np.arange(24) >= 14
    train(config, make_crops(), make_crops(24, seed=1, distractor=nobody), tmp_path / "m.onnx")
    card = Card.from_json((tmp_path / "m.onnx").read_text())
    assert card.calibration is not None
    assert card.calibration.identities == 14


def test_a_device_that_is_not_there_is_refused_before_pictures_are_read(
    tmp_path: Path, config: TrainConfig, make_crops: MakeCrops
) -> None:
    with pytest.raises(DeviceError):
        train(replace(config, device="cuda:99"), make_crops(), make_crops(), tmp_path / "m.onnx")


def test_held_out_data_in_which_nobody_can_be_found_is_refused_at_the_start(
    tmp_path: Path, config: TrainConfig, make_crops: MakeCrops
) -> None:
    with pytest.raises(InputError, match="nothing can be validated on the held-out crops: none of 5 queries has"):
        train(config, make_crops(), make_crops(5, 1, seed=1), tmp_path / "m.onnx")
    assert not (tmp_path / "m.train").exists()


def test_near_copies_are_no_matches_where_a_gap_is_asked_for(
    tmp_path: Path, config: TrainConfig, make_crops: MakeCrops, caplog: pytest.LogCaptureFixture
) -> None:
    film = {"time_s": np.tile(np.arange(6) * 0.1, 20), "group": np.zeros(120, np.int64)}  # ten frames a second
    config = replace(config, epochs=1)
    result = train(config, make_crops(20), make_crops(20, seed=1, **film), tmp_path / "a.onnx")
    assert "the nearest match of a crop is 0.10 s away (median), a near copy" in caplog.text
    assert (
        "every other crop of the query's identity is a match" in Card.from_json(result.model.read_text()).scores[0].data
    )
    caplog.clear()
    config = replace(config, validation=replace(config.validation, min_gap_s=0.3))
    result = train(config, make_crops(20), make_crops(20, seed=1, **film), tmp_path / "b.onnx")
    assert "near copy" not in caplog.text
    assert "within 0.3 s are left out" in Card.from_json(result.model.read_text()).scores[0].data
    config = replace(config, validation=replace(config.validation, min_gap_s=9))
    with pytest.raises(InputError, match=r"or another validation\.min_gap_s"):
        train(config, make_crops(20), make_crops(20, seed=1, **film), tmp_path / "c.onnx")


def test_a_card_beside_the_model_to_be_is_refused_before_anything_is_done(
    tmp_path: Path, config: TrainConfig, make_crops: MakeCrops
) -> None:
    (tmp_path / "m.card.json").write_text("{}")
    with pytest.raises(ModelError, match=r"m\.card\.json states a card for m\.onnx, and would overrule"):
        train(config, make_crops(), None, tmp_path / "m.onnx")
    assert not (tmp_path / "m.train").exists()


def test_pictures_that_are_damaged_are_found_before_the_first_step(tmp_path: Path, config: TrainConfig) -> None:
    rng = np.random.default_rng(0)
    for identity, number in np.ndindex(6, 3):
        (tmp_path / "data" / str(identity)).mkdir(parents=True, exist_ok=True)
        picture = rng.integers(0, 256, (64, 32, 3), np.uint8)
        assert cv2.imwrite(str(tmp_path / "data" / str(identity) / f"{number}.png"), picture)
    for name in ("2/1.png", "5/0.png"):
        (tmp_path / "data" / name).write_bytes(b"no picture")
    config = replace(config, validation=ValidationConfig(share=0.4))
    with pytest.raises(DataError, match="it is damaged or no picture; replace or delete it") as caught:
        train(config, open_crops(tmp_path / "data"), None, tmp_path / "m.onnx")
    assert all(name in str(caught.value) for name in ("2/1.png", "5/0.png"))
    assert not (tmp_path / "m.train").exists()


def test_a_name_that_is_not_utf_8_is_spelled_out_on_the_card(
    tmp_path: Path, config: TrainConfig, make_crops: MakeCrops
) -> None:
    name = os.fsdecode(b"caf\xe9")
    config = replace(config, epochs=1, card=replace(config.card, data=name))
    card = Card.from_json(train(config, make_crops(), None, tmp_path / f"{name}.onnx").model.read_text())
    assert (card.name, card.sources[0].name) == ("caf\\udce9", "caf\\udce9")


def test_the_history_has_its_columns_in_order(tmp_path: Path, config: TrainConfig, make_crops: MakeCrops) -> None:
    result = train(replace(config, epochs=1), make_crops(), None, tmp_path / "m.onnx")
    assert result.history.read_text().splitlines()[0].split(",") == list(COLUMNS)

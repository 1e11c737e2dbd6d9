"""Every loss that can be chosen: it learns, a stopped run goes on exactly, and what does not go together is refused."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import numpy as np
import pytest
import torch

from reid import Card
from reid.data import Crops
from reid.errors import InputError
from reid.learning.loss_choices import LossKind
from reid.learning.losses import (
    CrossBatchMemory,
    class_tree,
    constellation_loss,
    contrastive_loss,
    hierarchical_triplet_loss,
    indexed_triplet_loss,
    mean_triplet_loss,
    upper_bound_triplet_loss,
)
from reid.learning.mining import TripletList
from reid.learning.relations import relations_from_labels
from reid.learning.trainer import LossConfig, TrainConfig, TrainProgress, ValidationConfig, read_history, train
from reid.learning.trainer.batches import Batches
from reid.learning.trainer.cost import Batch
from reid.learning.trainer.distributed import Processes
from reid.learning.trainer.everybody import Everybody
from reid.learning.trainer.metric import MetricLoss
from reid.learning.trainer.offline import ListedBatches

MakeCrops = Callable[..., Crops]
CHOICES = {
    "mean_triplet": LossConfig(kind="mean_triplet"),
    "upper_bound": LossConfig(kind="upper_bound"),
    "hierarchical": LossConfig(kind="hierarchical", refresh_epochs=2),
    "constellation": LossConfig(kind="constellation"),
    "contrastive": LossConfig(kind="contrastive", margin=0.8),
    "memory": LossConfig(mining="distance_weighted", memory_batches=3),
    "memory_contrastive": LossConfig(kind="contrastive", memory_batches=2, reduction="nonzero"),
    "offline": LossConfig(mining="semi_hard", offline=True, refresh_epochs=2),
    "offline_random": LossConfig(mining="random", offline=True, refresh_epochs=3, margin="soft"),
}


def losses(path: Path) -> list[dict[str, object]]:
    """The history without its clocks."""
    clocks = ("data_s", "compute_s")
    return [{k: v for k, v in dataclasses.asdict(row).items() if k not in clocks} for row in read_history(path)]


@pytest.mark.parametrize("name", CHOICES)
def test_each_learns_and_goes_on_exactly_where_it_was_stopped(
    tmp_path: Path, plain: TrainConfig, make_crops: MakeCrops, name: str
) -> None:
    config = replace(plain, loss=CHOICES[name], log_every=1)
    whole = train(config, make_crops(), None, tmp_path / "whole.onnx")
    rows = read_history(whole.history)
    gaps = [(row.negative_distance or 0) - (row.positive_distance or 0) for row in rows]
    assert gaps[-1] > gaps[0] + 0.5
    for stop_after in (4, 6):  # amid an epoch, and where everybody is looked at before the next step
        steps = iter(range(1 if stop_after == 4 else 5, 100))
        part = train(
            config,
            make_crops(),
            None,
            tmp_path / "parts.onnx",
            stop=lambda steps=steps, at=stop_after: next(steps) == at,  # type: ignore[misc]
            existing="resume",
        )
        assert (part.stopped, part.step) == ("interrupted", stop_after)
    last = train(config, make_crops(), None, tmp_path / "parts.onnx", existing="resume")
    assert losses(last.history) == losses(whole.history)
    ours, theirs = (torch.load(r.checkpoint, weights_only=True)["model"] for r in (last, whole))
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_the_card_names_the_loss(tmp_path: Path, config: TrainConfig, make_crops: MakeCrops) -> None:
    for name, words in (
        ("memory_contrastive", "contrastive loss, memory of 2 batches"),
        ("offline", "semi_hard triplets of the whole data set"),
    ):
        some = replace(config, epochs=1, loss=CHOICES[name], validation=ValidationConfig(share=0))
        result = train(some, make_crops(), None, tmp_path / f"{name}.onnx")
        assert result.model is not None
        assert f"; {words}, seed 0." in (Card.from_json(result.model.read_text()).training or "")


def sample(step: int = 9) -> tuple[torch.Tensor, torch.Tensor, Batch]:
    generator = torch.Generator().manual_seed(step)
    vectors = torch.nn.functional.normalize(torch.randn(12, 5, generator=generator), dim=1)
    labels = torch.arange(4).repeat_interleave(3)
    triplets = torch.tensor([[0, 1, 5], [7, 6, 11]])
    return vectors, labels, Batch(vectors, vectors, vectors, relations_from_labels(labels), labels, triplets, step)


@pytest.mark.parametrize("kind", get_args(LossKind))
def test_each_kind_is_the_loss_of_its_name(kind: LossKind) -> None:
    vectors, labels, batch = sample()
    relations = batch.relations
    loss = MetricLoss(LossConfig(kind=kind), 5, 4, batch_size=12, memory_after=0, seed=0)
    tree = class_tree(vectors, labels)
    loss.see_everybody(vectors, labels)
    expected = {
        "triplet": lambda: loss.triplets(vectors, relations=relations),
        "mean_triplet": lambda: mean_triplet_loss(vectors, relations=relations),
        "upper_bound": lambda: upper_bound_triplet_loss(vectors, relations=relations, margin=0.3),
        "hierarchical": lambda: hierarchical_triplet_loss(vectors, relations=relations, margins=tree.margins(labels)),
        "constellation": lambda: constellation_loss(vectors, relations=relations, scale=16.0),
        "contrastive": lambda: contrastive_loss(vectors, relations=relations, margin=0.3),
    }[kind]()
    assert float(loss(vectors, batch)[0]) == pytest.approx(float(expected), rel=1e-6)
    assert float(expected) > 0


@pytest.mark.parametrize("labelled", [True, False])
def test_the_trainer_promises_how_many_positives_there_are_where_the_sampler_does(
    tmp_path: Path, config: TrainConfig, make_crops: MakeCrops, monkeypatch: pytest.MonkeyPatch, labelled: bool
) -> None:
    promised: list[int | None] = []
    made = MetricLoss.__init__

    def init(self: MetricLoss, *given: Any, **options: Any) -> None:
        made(self, *given, **options)
        promised.append(self.triplets.most_positives)

    monkeypatch.setattr(MetricLoss, "__init__", init)
    soft = LossConfig(mining="batch_all", margin="soft")
    crops = make_crops(pictures=2) if labelled else tracklets(make_crops)  # two pictures: one of them comes again
    kinds = (soft, replace(soft, offline=True), replace(soft, memory_batches=2)) if labelled else (soft,)
    for number, loss in enumerate(kinds):
        some = replace(config, epochs=2, loss=loss, validation=ValidationConfig(share=0))
        assert train(some, crops, None, tmp_path / f"{number}.onnx").stopped == "done"
    assert promised == [2, None, None][: len(kinds)]


def test_a_list_gives_the_triplets_and_a_memory_begins_after_the_warm_up() -> None:
    vectors, labels, batch = sample()
    listed = MetricLoss(LossConfig(offline=True, margin=0.9), 5, 4, batch_size=12, memory_after=0, seed=0)
    assert batch.triplets is not None
    assert float(listed(vectors, batch)[0]) == float(indexed_triplet_loss(vectors, batch.triplets, margin=0.9))

    def value(loss: Any, step: int) -> float:
        seen, _, given = sample(step)
        return float(loss(seen, given)[0])

    config = LossConfig(kind="contrastive", memory_batches=2)
    plain = MetricLoss(replace(config, memory_batches=0), 5, 4, batch_size=12, memory_after=0, seed=0)
    ours = MetricLoss(config, 5, 4, batch_size=12, memory_after=2, seed=0)
    theirs = CrossBatchMemory(lambda *a, **k: contrastive_loss(*a, margin=0.3, **k), dimension=5, size=24)
    for step in range(1, 7):
        expected = value(plain, step) if step <= 2 else float(theirs(sample(step)[0], labels))
        assert value(ours, step) == pytest.approx(expected, rel=1e-6)
        assert (value(plain, step) == pytest.approx(expected, rel=1e-6)) == (step <= 3), "the memory is empty at first"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "quadruplet"}, "kind must be one of triplet, .*, got 'quadruplet'"),
        ({"kind": "contrastive", "mining": "semi_hard"}, "mining has no effect on the kind contrastive: leave it at"),
        ({"kind": "constellation", "margin": 0.5}, "margin has no effect on the kind constellation"),
        ({"scale": 4.0}, "scale has no effect on the kind triplet"),
        ({"kind": "hierarchical", "distance": "cosine"}, "distance has no effect on the kind hierarchical"),
        ({"kind": "upper_bound", "margin": "soft"}, "margin must be a number for the kind upper_bound"),
        ({"kind": "contrastive", "margin": "soft"}, "margin must be a number for the kind contrastive"),
        ({"kind": "upper_bound", "memory_batches": 1}, "memory_batches must be 0 for the kind upper_bound"),
        ({"kind": "hierarchical", "memory_batches": 1}, "memory_batches must be 0 for the kind hierarchical"),
        ({"kind": "contrastive", "offline": True}, "offline needs the kind triplet, got contrastive"),
        ({"offline": True, "memory_batches": 1}, "offline and memory_batches cannot be had together"),
        ({"kind": "contrastive", "triplet_weight": 0}, "triplet_weight must be above 0 where kind"),
        ({"offline": True, "triplet_weight": 0}, "triplet_weight must be above 0 where kind"),
        ({"memory_batches": -1}, "memory_batches must be a whole number of at least 0, got -1"),
        ({"refresh_epochs": 0}, "refresh_epochs must be a whole number of at least 1, got 0"),
        ({"kind": "constellation", "scale": 0}, "scale must be a finite number above 0, got 0"),
    ],
    ids=str,
)
def test_what_does_not_go_together_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        LossConfig(**options)


def tracklets(make_crops: MakeCrops) -> Crops:
    pairs = [(a, b) for a in range(10) for b in range(a) if a // 5 == b // 5]
    return make_crops(10, labelled=False, together=pairs, group=np.repeat([0, 1], 30))


@pytest.mark.parametrize("name", ["memory", "hierarchical"])
def test_what_needs_labels_says_so_of_tracklets(
    tmp_path: Path, config: TrainConfig, make_crops: MakeCrops, name: str
) -> None:
    with pytest.raises(InputError, match=r"loss\.memory_batches and the loss\.kind hierarchical need labelled"):
        train(replace(config, loss=CHOICES[name]), tracklets(make_crops), None, tmp_path / "m.onnx")


def test_offline_triplets_of_tracklets_are_of_known_pairs_alone(
    tmp_path: Path, config: TrainConfig, make_crops: MakeCrops, monkeypatch: pytest.MonkeyPatch
) -> None:
    crops, lists = tracklets(make_crops), []
    renew = ListedBatches.renew
    monkeypatch.setattr(ListedBatches, "renew", lambda self, mined: (lists.append(mined), renew(self, mined))[1])
    config = replace(config, loss=replace(CHOICES["offline"], mining="random"), validation=ValidationConfig(share=0))
    rows: list[TrainProgress] = []
    train(config, crops, None, tmp_path / "m.onnx", progress=rows.append)
    assert [mined.epoch for mined in lists] == [0, 2]
    for mined in lists:
        for anchor, positive, negative in mined.rows.tolist():
            known = crops.relations([anchor, positive, negative])[0]
            assert known.tolist() == [1, 1, 0]
            assert anchor != positive
    assert np.isfinite(rows[-1].loss)


def test_a_list_goes_round_and_an_empty_one_leaves_the_last_in_place() -> None:
    mined = TripletList(np.arange(21).reshape(7, 3), 21, "hard", 0)
    batches = ListedBatches(3, seed=1)
    with pytest.raises(InputError, match=r"loss\.mining hard finds no triplet in the whole data set"):
        batches.renew(TripletList(np.empty((0, 3), np.int64), 21, "hard", 0))
    batches.renew(mined)
    drawn = [next(batches) for _ in range(5)]
    assert [batch.triplets.shape for batch in drawn] == [(3, 3)] * 5
    first = np.concatenate([batch.rows for batch in drawn[:2]])
    assert len(set(first.tolist())) == 18, "nothing comes twice in one round"
    state = batches.state()
    batches.renew(TripletList(np.empty((0, 3), np.int64), 21, "hard", 5))
    other = ListedBatches(3, seed=1)
    other.restore(state)
    for _ in range(4):
        ours, theirs = next(batches), next(other)
        assert ours.rows.tolist() == theirs.rows.tolist()
        assert ours.triplets.tolist() == theirs.triplets.tolist()


@pytest.mark.parametrize("found", [0, 12])
def test_a_list_that_is_renewed_loses_no_batch_and_a_resumed_run_draws_the_same(
    config: TrainConfig, make_crops: MakeCrops, found: int
) -> None:
    anchors = np.arange(60)
    old = TripletList(np.stack((anchors, anchors ^ 1, (anchors + 6) % 60), axis=1), 60, "semi_hard", 0)
    new = TripletList(old.rows[:found][::-1], 60, "semi_hard", 2)
    offline = replace(config, loss=CHOICES["offline"])

    def batches(state: Mapping[str, Any] | None = None) -> Batches:
        return Batches(make_crops(), offline, (64, 32), Processes(), state)

    with contextlib.closing(batches()) as whole:
        whole.renew(old)
        drawn = [whole.take() for _ in range(3)]
        whole.renew(new)
        following = [whole.take() for _ in range(3)]
    with contextlib.closing(batches(drawn[-1].sampler)) as resumed:
        resumed.renew(new)
        for batch in following:
            again = resumed.take()
            assert again.rows.tolist() == batch.rows.tolist()
            assert again.sampler["drawn"] == batch.sampler["drawn"]
    assert following[0].sampler["drawn"] == (1 if found else 4)


def test_several_processes_and_losses_of_ones_own_have_no_list(config: TrainConfig, make_crops: MakeCrops) -> None:
    offline = replace(config, loss=CHOICES["offline"])
    network: Any = SimpleNamespace(objective=None)
    batches: Any = None
    with pytest.raises(InputError, match=r"loss\.offline trains in one process: start it without torchrun"):
        Everybody(offline, make_crops(), batches, network, Processes(0, 2))
    with pytest.raises(InputError, match="need losses made by TripletObjective"):
        Everybody(offline, make_crops(), batches, network, Processes())

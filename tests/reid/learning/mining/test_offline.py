"""Mining a whole data set into a list, its file, its refresh, and training from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra [train]")

from reid import InputError  # noqa: E402 after the skip
from reid.errors import DataError  # noqa: E402
from reid.learning.losses import indexed_triplet_loss  # noqa: E402
from reid.learning.mining import (  # noqa: E402
    MINING,
    BatchHard,
    OfflineConfig,
    OfflineTriplets,
    TripletBatch,
    TripletList,
    mine_data_set,
    open_miner,
    pairs_of,
)

pytestmark = pytest.mark.torch


def data(rows: int = 40, seed: int = 0) -> tuple[Any, Any]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, 5, dtype=torch.float64, generator=generator), torch.randint(
        0, 8, (rows,), generator=generator
    )


@pytest.mark.parametrize("mining", [name for name in MINING if name not in ("random", "distance_weighted")])
@pytest.mark.parametrize("tile_rows", [7, 1000])
def test_the_list_is_what_one_large_batch_would_give(mining: Any, tile_rows: int) -> None:
    embeddings, labels = data()
    found = mine_data_set(embeddings, labels, config=OfflineConfig(mining=mining, tile_rows=tile_rows))
    miner: Any = open_miner(mining)
    whole = pairs_of(embeddings, labels)
    expected = miner.listed(whole) if mining in ("batch_all", "hard") else miner(whole).listed()
    assert sorted(found.rows.tolist()) == sorted(expected.tolist())
    assert (found.of, found.mining, found.epoch) == (40, mining, 0)


def test_labels_relations_and_a_function_of_rows_are_one() -> None:
    embeddings, labels = data()
    relations = (labels[:, None] == labels[None, :]).to(torch.int8)
    relations[:10] = -1  # rows that nobody knows are no anchors
    config = OfflineConfig(mining="batch_hard", tile_rows=16)
    by_table = mine_data_set(embeddings, relations=relations, config=config)
    by_function = mine_data_set(embeddings, relations=lambda rows: relations[rows], config=config)
    assert by_table.rows.tolist() == by_function.rows.tolist()
    assert by_table.rows[:, 0].min() == 10
    by_labels = mine_data_set(embeddings, labels, config=config)
    assert by_labels.rows[by_labels.rows[:, 0] >= 10].tolist() == by_table.rows.tolist()


@pytest.mark.parametrize("mining", ["random", "distance_weighted"])
def test_draws_repeat_by_seed_and_epoch(mining: Any) -> None:
    embeddings, labels = data()
    config = OfflineConfig(mining=mining, seed=3)
    same = [mine_data_set(embeddings, labels, config=config, epoch=4).rows.tolist() for _ in range(2)]
    assert same[0] == same[1] != mine_data_set(embeddings, labels, config=config, epoch=5).rows.tolist()


def test_what_was_found_is_not_copied_again_at_every_row(monkeypatch: pytest.MonkeyPatch) -> None:
    embeddings, labels = data(rows=40)
    copied: list[int] = []
    join = np.concatenate
    monkeypatch.setattr(np, "concatenate", lambda parts: (copied.append(sum(map(len, parts))), join(parts))[1])
    found = mine_data_set(embeddings, labels, config=OfflineConfig(mining="batch_all"))
    assert 1000 < len(found) <= sum(copied) < 2 * len(found)


def test_a_long_list_is_cut_evenly() -> None:
    embeddings, labels = data(rows=24)
    every = {
        tuple(row) for row in mine_data_set(embeddings, labels, config=OfflineConfig(mining="batch_all")).rows.tolist()
    }
    counts = dict.fromkeys(every, 0)
    for seed in range(80):
        config = OfflineConfig(mining="batch_all", most_triplets=len(every) // 3, seed=seed)
        found = [tuple(row) for row in mine_data_set(embeddings, labels, config=config).rows.tolist()]
        assert len(found) == len(set(found)) == len(every) // 3
        for row in found:
            counts[row] += 1
    share = np.array(list(counts.values())) / 80
    assert share.mean() == pytest.approx(1 / 3, abs=0.01)
    assert share.std() == pytest.approx(np.sqrt(2 / 9 / 80), rel=0.15)  # as of independent draws


def test_a_miner_object_can_mine() -> None:
    embeddings, labels = data()
    found = mine_data_set(embeddings, labels, miner=BatchHard())
    assert found.mining == "BatchHard"
    assert len(found) == len(mine_data_set(embeddings, labels, config=OfflineConfig(mining="batch_hard")))


def test_a_file_comes_back_and_leaves_nothing_else(tmp_path: Path) -> None:
    wanted = TripletList(np.array([[0, 1, 2], [4, 3, 0]]), 5, "semi_hard", 7, "5 rows")
    assert wanted.write(tmp_path / "triplets.npz") == tmp_path / "triplets.npz"
    found = TripletList.read(tmp_path / "triplets.npz")
    assert found.rows.tolist() == wanted.rows.tolist()
    assert (found.of, found.mining, found.epoch, found.data) == (5, "semi_hard", 7, "5 rows")
    assert [path.name for path in tmp_path.iterdir()] == ["triplets.npz"]
    assert len(TripletList(np.empty((0, 3), np.int64), 5)) == 0


def test_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no triplet list at"):
        TripletList.read(tmp_path / "absent.npz")
    (tmp_path / "text.npz").write_text("0,1,2")
    np.savez(tmp_path / "other.npz", rows=np.zeros(3))
    np.savez(tmp_path / "newer.npz", version=3)
    np.savez(tmp_path / "beyond.npz", version=2, triplets=np.array([[0, 1, 9]]), of=5, mining="x", epoch=0, data="")
    (tmp_path / "objects.npz").write_bytes(b"")
    whole = TripletList(np.array([[0, 1, 2]]), 5).write(tmp_path / "whole.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "flipped.npz").write_bytes(whole[:75] + bytes(byte ^ 255 for byte in whole[75:125]) + whole[125:])
    for name in ("text", "other", "newer", "beyond", "objects", "cut", "flipped"):
        with pytest.raises(DataError, match=f"{name}.npz must be a triplet list"):
            TripletList.read(tmp_path / f"{name}.npz")


def test_the_list_is_mined_anew_every_few_epochs() -> None:
    embeddings, labels = data()
    calls = []

    def embed() -> Any:
        calls.append(1)
        return embeddings + len(calls)

    triplets = OfflineTriplets(embed, labels, config=OfflineConfig(refresh_epochs=3))
    mined_at = [triplets.for_epoch(epoch).epoch for epoch in range(8)]
    assert mined_at == [0, 0, 0, 3, 3, 3, 6, 6]
    assert len(calls) == 3


def test_a_resumed_run_goes_on_with_its_list(tmp_path: Path) -> None:
    embeddings, labels = data()
    config = OfflineConfig(refresh_epochs=4, mining="random")
    first = OfflineTriplets(lambda: embeddings, labels, config=config, path=tmp_path / "list.npz").for_epoch(4)

    def must_not_embed() -> Any:
        raise AssertionError("the list is there")

    resumed = OfflineTriplets(must_not_embed, labels, config=config, path=tmp_path / "list.npz")
    assert resumed.for_epoch(6).rows.tolist() == first.rows.tolist()
    with pytest.raises(AssertionError, match="the list is there"):
        resumed.for_epoch(8)


def test_a_list_of_other_data_is_refused(tmp_path: Path) -> None:
    embeddings, labels = data()
    relations = (labels[:, None] == labels[None, :]).to(torch.int8)
    path = tmp_path / "list.npz"

    def triplets(**given: Any) -> OfflineTriplets:
        return OfflineTriplets(lambda: embeddings, path=path, **given)

    wanted = triplets(labels=labels).for_epoch(0)
    assert triplets(labels=labels.clone()).for_epoch(1).rows.tolist() == wanted.rows.tolist()
    other = labels.clone()
    other[7] += 1
    for given in ({"labels": other}, {"labels": labels[:-1]}, {"labels": labels, "data": "v2"}):
        with pytest.raises(DataError, match=r"list\.npz holds triplets of other data \(40 rows .*delete it"):
            triplets(**given).for_epoch(1)
    path.unlink()
    triplets(relations=relations).for_epoch(0)
    triplets(relations=lambda rows: relations[rows]).for_epoch(1)  # the same, asked for otherwise
    unknown = relations.clone()
    unknown[39, 20] = -1
    for changed in (unknown, lambda rows: unknown[rows]):
        with pytest.raises(DataError, match="holds triplets of other data"):
            triplets(relations=changed).for_epoch(1)


def test_batches_hold_every_triplet_once_and_every_picture_once() -> None:
    embeddings, labels = data()
    mined = mine_data_set(embeddings, labels, config=OfflineConfig(mining="batch_hard"))
    batches = list(mined.batches(8, seed=1))
    assert [len(batch.triplets) for batch in batches[:-1]] == [8] * (len(batches) - 1)
    for batch in batches:
        assert len(np.unique(batch.rows)) == len(batch.rows)
    seen = [row for batch in batches for row in batch.rows[batch.triplets].tolist()]
    assert sorted(seen) == sorted(mined.rows.tolist())
    orders = [[batch.rows.tolist() for batch in mined.batches(8, seed=1, epoch=epoch)] for epoch in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]


def test_training_from_a_list_lowers_its_loss() -> None:
    embeddings, labels = data(rows=60)
    layer = torch.nn.Linear(5, 8, dtype=torch.float64)
    torch.nn.init.eye_(layer.weight)
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.05)
    triplets = OfflineTriplets(
        lambda: layer(embeddings), labels, config=OfflineConfig(mining="all_positives_hard_negative", refresh_epochs=2)
    )
    whole = TripletBatch.of(triplets.for_epoch(0).rows)
    before = indexed_triplet_loss(layer(embeddings[whole.rows]), torch.from_numpy(whole.triplets)).item()
    for epoch in range(4):
        for batch in triplets.for_epoch(epoch).batches(32, seed=0, epoch=epoch):
            optimiser.zero_grad()
            indexed_triplet_loss(layer(embeddings[batch.rows]), torch.from_numpy(batch.triplets)).backward()
            optimiser.step()
    assert indexed_triplet_loss(layer(embeddings[whole.rows]), torch.from_numpy(whole.triplets)).item() < 0.9 * before


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: OfflineConfig(refresh_epochs=0), "refresh_epochs must be a whole number of at least 1, got 0"),
        (lambda: OfflineConfig(margin=0), "margin must be a finite number above 0, got 0"),
        (lambda: OfflineConfig(mining="semihard"), "got 'semihard'"),  # type: ignore[arg-type]
        (lambda: OfflineConfig(distance="l1"), "got 'l1'"),  # type: ignore[arg-type]
        (lambda: mine_data_set(torch.zeros(3, 2)), "exactly one of labels and relations"),
        (lambda: mine_data_set(torch.zeros(0, 2), torch.zeros(0)), r"\(N, D\) with N at least 1"),
        (lambda: mine_data_set(torch.zeros(3, 2), torch.zeros(2)), r"labels \(B,\), got \(3, 2\) and \(2,\)"),
        (lambda: mine_data_set(torch.zeros(3, 2), relations=torch.zeros(2, 2)), r"relations must be \(3, 3\)"),
        (lambda: mine_data_set(torch.zeros(3, 2), relations=lambda rows: torch.zeros(1, 1)), r"must be \(3, 3\)"),
        (lambda: OfflineTriplets(lambda: torch.zeros(2, 2)), "exactly one of labels and relations"),
        (lambda: TripletList(np.zeros((2, 2), np.int64), 3), r"rows must be \(T, 3\) of integers, got \(2, 2\)"),
        (lambda: TripletList(np.array([[0, 1, 3]]), 3), "rows must be from 0 to 2, got 0 to 3"),
        (lambda: next(TripletList(np.array([[0, 1, 2]]), 3).batches(0, seed=0)), "size must be at least 1, got 0"),
    ],
)
def test_bad_arguments_are_refused(make: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()

"""From data sets to columns, and from pixels to vectors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from reid import Embedder
from reid.data.crops import Crops
from reid.data.pictures import MemoryPictures
from reid.errors import DataError, InputError
from reid.evaluation import EvaluationConfig
from reid.evaluation.bootstrap import Resampling
from reid.evaluation.collection import Collection, embed
from reid.evaluation.examples import ranked_examples
from reid.evaluation.opening import MeasuredData, evaluate_collection, open_collection

PLAIN = EvaluationConfig(replicates=0)


def crops_of(names: list[str], identity: list[int], **columns: object) -> Crops:
    pictures = MemoryPictures(1 << 20)
    for row in range(len(identity)):
        pictures.add(np.full((8, 4, 3), row, np.uint8), str(row))
    return Crops(pictures, identity, names, **columns)  # type: ignore[arg-type]


def test_embedding_goes_through_every_row_once_in_order(crops, embedder) -> None:
    collection = Collection.of(crops)
    steps: list[tuple[int, int]] = []
    vectors = embed(embedder, collection, range(30), progress=lambda *step: steps.append(step))
    assert vectors.shape == (30, 24)
    assert embedder.calls == 30
    assert steps == [(30, 30)]
    np.testing.assert_array_equal(vectors[[7, 3]], embed(embedder, collection, [7, 3]))
    report = evaluate_collection(collection, vectors)
    assert report.mean_average_precision.value > 0.9
    assert [part.later_s for part in report.reassociation] == [1.0, 2.0], "nobody is there 5 s later"


@pytest.mark.parametrize("resize", ["linear", "area"])
def test_crops_are_resized_as_the_card_says(make_model: Callable[..., Path], resize: str) -> None:
    rng = np.random.default_rng(3)
    pictures = [rng.integers(0, 256, (60, 40, 3), np.uint8) for _ in range(4)]
    source = MemoryPictures(1 << 20)
    for number, picture in enumerate(pictures):
        picture[::8] //= 4  # linear interpolation passes over most rows
        source.add(picture, str(number))
    collection = Collection.of(Crops(source, [0, 0, 1, 1], ["a", "b"]))
    card = {"colour": "BGR", "scale": 1.0, "mean": (0, 0, 0), "std": (1, 1, 1), "resize": resize}
    embedder = Embedder(make_model(), card=card)
    np.testing.assert_allclose(embed(embedder, collection, range(4)), embedder.crops(pictures), atol=1e-6)


def test_queries_are_matched_to_the_gallery_by_name() -> None:
    gallery = crops_of(["anna", "ben", "0000", "0000"], [0, 0, 1, 2, 3], camera=[1, 2, 1, 1, 1])
    queries = crops_of(["ben", "cleo", "anna", "0000"], [0, 1, 2, 3], camera=[2, 2, 3, 2])
    both = Collection.of(gallery, queries)
    assert both.identity.tolist() == [0, 0, 1, 2, 3, 1, 4, 0, 5]
    assert both.names == ("anna", "ben", "0000", "0000", "cleo", "0000")
    assert both.camera.tolist() == [1, 2, 1, 1, 1, 2, 2, 3, 2]
    assert both.query is not None
    assert np.flatnonzero(both.query).tolist() == [5, 6, 7, 8]
    assert both.pixels([6, 0, 4], 8, 4)[:, 0, 0, 0].tolist() == [1, 0, 4]


def test_videos_of_queries_are_none_of_the_gallerys() -> None:
    gallery = crops_of(["a", "b"], [0, 1, 1], group=[0, 1, -1], time_s=[0.0, 0.0, 0.0])
    queries = crops_of(["a", "b"], [0, 1, 0], group=[0, 1, -1], time_s=[1.0, 1.0, 1.0])
    assert Collection.of(gallery, queries).group.tolist() == [0, 1, -1, 2, 3, -1]


def test_queries_of_other_people_are_refused() -> None:
    with pytest.raises(InputError, match="identities of the same names, got 'cleo'"):
        Collection.of(crops_of(["anna"], [0]), crops_of(["cleo"], [0]))
    with pytest.raises(InputError, match="need labelled data"):
        Collection.of(crops_of(["1"], [0], labelled=False), crops_of(["1"], [0]))


def test_tracklets_are_strangers_only_where_they_were_seen_together() -> None:
    crops = crops_of(["1", "2", "3"], [0, 0, 1, 1, 2, 2], labelled=False, together=[[0, 2]])
    unknown = Collection.of(crops).unknown()
    assert unknown is not None
    table = unknown(np.arange(6), np.arange(6))
    np.testing.assert_array_equal(table, crops.relations(np.arange(6)) == -1)
    vectors = np.eye(3)[[0, 0, 1, 1, 2, 2]].astype(np.float32)
    report = evaluate_collection(Collection.of(crops), vectors, config=PLAIN)
    assert (report.pairs_same, report.pairs_different) == (3, 4)


def test_tracklets_that_were_never_seen_together_have_no_strangers() -> None:
    crops = crops_of(["1", "2"], [0, 0, 1, 1], labelled=False)
    report = evaluate_collection(Collection.of(crops), np.eye(2, dtype=np.float32)[[0, 0, 1, 1]], config=PLAIN)
    assert report.auc is None
    assert report.pairs_different == 0


def test_a_whole_market_data_set_brings_its_split_along(tmp_path: Path) -> None:
    for part, names in {
        "bounding_box_train": ["0009_c1s1_000001_00", "0009_c2s1_000001_00"],
        "query": ["0001_c1s1_000001_00", "0002_c2s1_000001_00"],
        "bounding_box_test": [
            "0001_c2s1_000002_00", "0001_c1s1_000003_00", "0002_c1s1_000004_00", "0000_c1s1_000005_00",
            "0000_c3s1_000006_00", "-1_c1s1_000007_00",
        ],
    }.items():  # fmt: skip
        (tmp_path / part).mkdir()
        for name in names:
            cv2.imwrite(str(tmp_path / part / f"{name}.jpg"), np.full((16, 8, 3), 99, np.uint8))
    data = open_collection(tmp_path)
    assert len(data) == 7
    assert data.query is not None
    assert int(data.query.sum()) == 2
    assert [data.names[i] for i in data.identity[data.query]] == ["0001", "0002"]
    vectors = np.eye(4, dtype=np.float32)[[2, 3, 0, 0, 1, 0, 1]]  # in order of the files: 0000, 0000, 0001 ...
    report = evaluate_collection(data, vectors, config=PLAIN)
    assert (report.queries, report.gallery, report.pairs_same, report.pairs_different) == (2, 5, 2, 7)
    assert (report.identities, report.mean_average_precision.value) == (2, 1)
    assert len(open_collection(tmp_path, config=MeasuredData(distractors=False))) == 5
    one_folder = open_collection(tmp_path / "bounding_box_test", query=tmp_path / "query")
    assert one_folder.identity.tolist() == data.identity.tolist()


def test_intervals_are_over_identities_and_not_over_distractors(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    people = [f"{who:04}_c{camera}s1_{number:06}_00" for who in range(1, 9) for camera in (1, 2) for number in (1, 2)]
    for name in [*people, *(f"0000_c3s1_{number:06}_00" for number in range(60))]:
        cv2.imwrite(str(tmp_path / f"{name}.png"), rng.integers(0, 256, (16, 8, 3), np.uint8))
    whole = open_collection(tmp_path)
    alone = open_collection(tmp_path, config=MeasuredData(distractors=False))
    vectors = np.eye(16, dtype=np.float32)[rng.integers(0, 16, len(whole))]
    known = whole.identity >= 0
    assert known.sum() == len(alone) == 32
    for queries in ("one_per_camera", "every_crop"):
        config = EvaluationConfig(queries=queries, replicates=30)  # type: ignore[arg-type]
        report = evaluate_collection(whole, vectors, config=config)
        assert (report.identities, report.queries) == (8, 16 if queries == "one_per_camera" else 32)
        assert report.queries_without_match == 0
        assert known[report.query_rows].all()
        # the same draws of the same eight: a replicate of the rank is that of the ranks of these queries
        who, first = whole.identity[report.query_rows], report.query_scores.first_hit == 1
        drawn = Resampling(8, 30, config.seed).mean(first.astype(np.float64), np.unique(who, return_inverse=True)[1])
        np.testing.assert_allclose(report.rank_1.replicates, drawn.replicates)
    pictured = ranked_examples(whole, vectors, report, rows=8)
    assert any("distractor" in found.caption for ranking in pictured for found in ranking.found)


def test_a_folder_an_identity_needs_no_split(people_folder: Path, embedder) -> None:
    data = open_collection(people_folder)
    report = evaluate_collection(data, embed(embedder, data, range(len(data))), config=PLAIN)
    assert (report.crops, report.identities, report.rank_1.value) == (24, 6, 1)
    with pytest.raises(DataError):
        open_collection(people_folder / "nothing")

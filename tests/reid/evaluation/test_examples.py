"""The picture of rankings: what is in it, and how it is framed."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from reid.errors import DataError, InputError
from reid.evaluation import EvaluationConfig
from reid.evaluation.collection import Collection, embed
from reid.evaluation.examples import ranked_examples
from reid.evaluation.opening import evaluate_collection
from reid.evaluation.picture import Found, Ranking, draw_rankings, write_picture

CROP = np.full((20, 10, 3), 200, np.uint8)
GREEN, RED = (96, 190, 60), (60, 70, 235)


def share(sheet: np.ndarray, colour: tuple[int, int, int]) -> float:
    return float((sheet == colour).all(axis=2).mean())


def test_hits_are_framed_green_and_misses_red() -> None:
    hits = draw_rankings([Ranking(CROP, "q", "", tuple(Found(CROP, "x", True) for _ in range(3)))], "all right")
    misses = draw_rankings([Ranking(CROP, "q", "", tuple(Found(CROP, "x", False) for _ in range(3)))], "all wrong")
    neither = draw_rankings([Ranking(CROP, "q", "", (Found(CROP, "x"),))], "nobody knows")
    assert share(hits, GREEN) > 0.01
    assert share(hits, RED) == share(misses, GREEN) == share(neither, GREEN) == share(neither, RED) == 0
    assert share(misses, RED) == pytest.approx(share(hits, GREEN), rel=0.1)


def test_pictures_of_any_shape_and_names_of_any_length_fit() -> None:
    shapes = [(1, 1), (500, 10), (10, 500), (144, 96)]
    found = tuple(Found(np.zeros((*shape, 3), np.uint8), "0.9\n" + "žlutý" * 40, True) for shape in shapes)
    sheet = draw_rankings([Ranking(CROP, "n" * 300, "", found), Ranking(CROP, "", "", ())], "t" * 500)
    assert sheet.ndim == 3
    assert sheet.dtype == np.uint8


def test_it_is_written_as_a_png(tmp_path: Path) -> None:
    sheet = draw_rankings([Ranking(CROP, "q", "", ())], "one query")
    write_picture(sheet, tmp_path / "sheet.png")
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "sheet.png")), sheet)
    with pytest.raises(DataError, match="cannot be written"):
        write_picture(sheet, tmp_path / "nothing" / "sheet.png")
    with pytest.raises(InputError, match="at least one ranking"):
        draw_rankings([], "none")


@pytest.mark.parametrize("rerank", [False, True])
def test_examples_are_of_different_identities_from_the_worst_to_the_best(crops, embedder, rerank: bool) -> None:
    collection, config = Collection.of(crops), EvaluationConfig(replicates=0, rerank=rerank)
    vectors = embed(embedder, collection, range(30))
    vectors[::7] = vectors[1]  # some confusion
    report = evaluate_collection(collection, vectors, config=config)
    rankings = ranked_examples(collection, vectors, report, config=config, rows=4, top=6)
    assert len(rankings) == 4
    assert len({ranking.title for ranking in rankings}) == 4
    assert all(ranking.title.startswith("query ") and "street" not in ranking.title for ranking in rankings)
    precision = [float(ranking.note.split()[1]) for ranking in rankings]
    assert precision == sorted(precision)
    assert all(len(ranking.found) == 6 for ranking in rankings)
    assert {found.hit for ranking in rankings for found in ranking.found} == {True, False}
    best = report.query_scores.average_precision.max()
    assert precision[-1] == pytest.approx(best, abs=0.005)
    with pytest.raises(InputError, match="rows and top must be 1 or more"):
        ranked_examples(collection, vectors, report, rows=0)


def test_first_entries_say_what_rank_1_says(crops, embedder) -> None:
    collection, config = Collection.of(crops), EvaluationConfig(replicates=0)
    vectors = embed(embedder, collection, range(30))
    vectors[::3] = np.roll(vectors[::3], 1, axis=0)
    report = evaluate_collection(collection, vectors, config=config)
    assert report.rank_1.value < 1
    for ranking in ranked_examples(collection, vectors, report, config=config, rows=6):
        place = next(
            q for q in range(30) if np.array_equal(collection.pixels([report.query_rows[q]], 144, 72)[0], ranking.query)
        )
        assert ranking.found[0].hit == (report.query_scores.first_hit[place] == 1)

"""Examples of what a model finds: queries from the worst to the best, one an identity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reid.errors import InputError
from reid.evaluation.collection import Collection
from reid.evaluation.config import EvaluationConfig
from reid.evaluation.picture import Found, Ranking
from reid.evaluation.protocol import make_plan
from reid.evaluation.report import Report
from reid.evaluation.reranking import Reranked
from reid.evaluation.sightings import Sightings
from reid.evaluation.similarity import Cosine, Similarity, unit_vectors

_HEIGHT_PX, _WIDTH_PX = 144, 72  # of a picture; collections give one shape to all of them


def ranked_examples(
    collection: Collection,
    vectors: NDArray[np.float32],
    report: Report,
    *,
    config: EvaluationConfig | None = None,
    rows: int = 8,
    top: int = 10,
) -> tuple[Ranking, ...]:
    """Rankings to look at, for `picture.draw_rankings`.

    `vectors` (N, D), `report` and `config` are those of one evaluation. The queries are spread evenly over average
    precision, the worst first, and are of different identities. Something that is as near as a match
    stands before it, as it is scored.

    Raises:
        InputError: `rows` or `top` is below 1.
    """
    if rows < 1 or top < 1:
        raise InputError(f"rows and top must be 1 or more, got {rows} and {top}")
    settings = config or EvaluationConfig()
    sightings = Sightings.of(collection.identity, collection.camera, collection.time_s, collection.group)
    unit = unit_vectors(vectors, len(sightings))
    plan = make_plan(sightings, settings, query=collection.query, unknown=collection.unknown())
    similar: Similarity = Reranked(unit, plan.gallery) if settings.rerank else Cosine(unit, plan.gallery)
    names = _names(collection.names)
    rankings = []
    for place in _spread(report, collection.identity, rows):
        row = report.query_rows[place : place + 1]  # (1,)
        match, ignored = plan.masks(row)
        similarity = similar(row)[0]  # (G,)
        order = np.lexsort((match[0], -similarity))
        nearest = order[~ignored[0][order]][:top]
        found = plan.gallery[nearest]
        pictures = collection.pixels([int(row[0]), *found.tolist()], _HEIGHT_PX, _WIDTH_PX)
        entries = (
            Found(picture, f"{similarity[at]:.3f}\n{_name(collection, names, int(crop))}", bool(match[0][at]))
            for picture, at, crop in zip(pictures[1:], nearest, found, strict=True)
        )
        precision = report.query_scores.average_precision[place]
        rankings.append(
            Ranking(
                pictures[0], f"query {_name(collection, names, int(row[0]))}", f"AP {precision:.2f}", tuple(entries)
            )
        )
    return tuple(rankings)


def _spread(report: Report, identity: NDArray[np.int64], rows: int) -> list[int]:
    """Places among the queries, evenly spread from the worst to the best, each of another identity."""
    precision = report.query_scores.average_precision  # (Q,)
    places = np.flatnonzero(report.query_scores.matches > 0)
    places = places[np.lexsort((places, precision[places]))]  # by rising precision
    who = identity[report.query_rows[places]]
    count = min(rows, len(np.unique(who)))
    free = np.ones(len(places), np.bool_)
    chosen: list[int] = []
    for target in np.linspace(0, len(places) - 1, count):
        open_places = np.flatnonzero(free)
        nearest = int(open_places[np.abs(open_places - target).argmin()])
        free &= who != who[nearest]
        chosen.append(nearest)
    return [int(place) for place in places[np.sort(chosen)]]


def _names(names: Sequence[str]) -> list[str]:
    """The names without the sequence that they begin with, where it is one for all."""
    parts = [name.rpartition("/") for name in names]
    return [part[2] for part in parts] if len({part[0] for part in parts}) == 1 else list(names)


def _name(collection: Collection, names: Sequence[str], row: int) -> str:
    number = int(collection.identity[row])
    name = names[number] if number >= 0 else "distractor"
    camera = int(collection.camera[row])
    return name if camera < 0 else f"{name} c{camera}"

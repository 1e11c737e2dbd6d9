"""Examples of what a model finds: queries from the worst to the best, one an identity."""

from __future__ import annotations

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
    precision, the worst first; of an identity only its worst query is considered. Something that is as near as a match
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
            Found(picture, f"{similarity[at]:.3f}\n{_name(collection, int(crop))}", bool(match[0][at]))
            for picture, at, crop in zip(pictures[1:], nearest, found, strict=True)
        )
        precision = report.query_scores.average_precision[place]
        rankings.append(
            Ranking(pictures[0], f"query {_name(collection, int(row[0]))}", f"AP {precision:.2f}", tuple(entries))
        )
    return tuple(rankings)


def _spread(report: Report, identity: NDArray[np.int64], rows: int) -> NDArray[np.int64]:
    """Places among the queries: the worst of each identity, then evenly many from worst to best."""
    precision = report.query_scores.average_precision  # (Q,)
    places = np.flatnonzero(report.query_scores.matches > 0)
    places = places[np.lexsort((places, precision[places]))]
    first = np.unique(identity[report.query_rows[places]], return_index=True)[1]
    worst = places[np.sort(first)]  # (identities,) by rising precision
    return worst[np.unique(np.linspace(0, len(worst) - 1, min(rows, len(worst))).round().astype(np.int64))]


def _name(collection: Collection, row: int) -> str:
    number = int(collection.identity[row])
    name = collection.names[number] if 0 <= number < len(collection.names) else str(number)
    camera = int(collection.camera[row])
    return name if camera < 0 else f"{name} c{camera}"

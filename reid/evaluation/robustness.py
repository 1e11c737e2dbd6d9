"""How far retrieval falls where the query was seen badly: corrupted queries against the gallery as it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reid.errors import InputError
from reid.evaluation.bootstrap import Estimate, Resampling
from reid.evaluation.collection import Collection, CropEmbedder, embed
from reid.evaluation.config import EvaluationConfig
from reid.evaluation.corruptions import KINDS, corrupt
from reid.evaluation.protocol import Plan, make_plan
from reid.evaluation.ranking import QueryScores
from reid.evaluation.report import estimate_dict
from reid.evaluation.scoring import numbered, score
from reid.evaluation.sightings import Sightings
from reid.evaluation.similarity import Cosine, unit_vectors

StageProgress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and of how much."""


@dataclass(frozen=True, slots=True)
class Fall:
    """One corruption: scores of corrupted queries, and how much lower they are than those of the same queries clean."""

    kind: str
    """One of `corruptions.KINDS`."""
    mean_average_precision: Estimate
    """With corrupted queries."""
    rank_1: Estimate
    """With corrupted queries."""
    fall_of_map: Estimate
    """Clean minus corrupted, paired over identities; below 0 where it rose."""
    fall_of_rank_1: Estimate
    """The same for rank-1."""

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        names = ("mean_average_precision", "rank_1", "fall_of_map", "fall_of_rank_1")
        return {"kind": self.kind} | {name: estimate_dict(getattr(self, name)) for name in names}


def robustness(
    embedder: CropEmbedder,
    collection: Collection,
    vectors: NDArray[np.float32],
    *,
    config: EvaluationConfig | None = None,
    kinds: Sequence[str] = tuple(KINDS),
    most_queries: int = 1000,
    progress: StageProgress | None = None,
) -> tuple[Fall, ...]:
    """A row a corruption. `vectors` (N, D) are those of the collection's crops as they are.

    Queries and gallery are those of `evaluate` with the same settings, never re-ranked; of more than `most_queries`,
    that many are drawn by the seed. Every crop is corrupted at the size that the model takes.

    Raises:
        InputError: no query has a match, a kind is unknown, or `most_queries` is below 1.
    """
    if most_queries < 1:
        raise InputError(f"most_queries must be 1 or more, got {most_queries}")
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise InputError(f"kinds must be among {', '.join(KINDS)}, got {unknown[0]!r}")
    settings = config or EvaluationConfig()
    sightings = Sightings.of(collection.identity, collection.camera, collection.time_s, collection.group)
    unit = unit_vectors(vectors, len(sightings))
    people, person = numbered(sightings)
    plan = make_plan(sightings, settings, query=collection.query, unknown=collection.unknown())
    if len(plan.queries) > most_queries:
        rng = np.random.default_rng((settings.seed, 4))
        plan = plan.of(np.sort(rng.choice(plan.queries, most_queries, replace=False)))
    resampling = Resampling(people, settings.replicates, settings.seed)
    who = person[plan.queries]
    clean = _two_scores(_score(plan, unit, None, person), who, resampling)
    falls = []
    for kind in kinds:
        changed = np.zeros_like(unit)  # (N, D), of which only the rows of queries are read
        changed[plan.queries] = embed(
            embedder,
            collection,
            plan.queries,
            change=_corruption(kind, settings.seed),
            progress=None if progress is None else _stage(progress, kind),
        )
        now = _two_scores(_score(plan, unit, changed, person), who, resampling)
        falls.append(Fall(kind, *now, clean[0].minus(now[0]), clean[1].minus(now[1])))
    return tuple(falls)


def _score(
    plan: Plan, vectors: NDArray[np.float32], query_vectors: NDArray[np.float32] | None, person: NDArray[np.int64]
) -> QueryScores:
    return score(plan, Cosine(vectors, plan.gallery, query_vectors), person).scores


def _two_scores(scores: QueryScores, who: NDArray[np.int64], resampling: Resampling) -> tuple[Estimate, Estimate]:
    first = np.where(scores.matches > 0, scores.first_hit == 1, np.nan)  # (Q,)
    return resampling.mean(scores.average_precision, who), resampling.mean(first, who)


def _corruption(kind: str, seed: int) -> Callable[[NDArray[np.uint8], NDArray[np.int64]], NDArray[np.uint8]]:
    return lambda pixels, rows: corrupt(pixels, kind, rows.tolist(), seed=seed)


def _stage(progress: StageProgress, kind: str) -> Callable[[int, int], None]:
    return lambda done, total: progress(kind, done, total)

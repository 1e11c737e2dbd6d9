"""All measures of one set of vectors, in tiles: memory does not grow with the square of the crops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid.errors import InputError
from reid.evaluation.bootstrap import Resampling
from reid.evaluation.config import EvaluationConfig
from reid.evaluation.pairs import TAIL, PairTally
from reid.evaluation.protocol import Plan, Unknown, make_plan
from reid.evaluation.ranking import QueryScores, score_queries
from reid.evaluation.reassociation import reassociation
from reid.evaluation.report import Report
from reid.evaluation.reranking import Reranked
from reid.evaluation.sightings import Sightings
from reid.evaluation.similarity import Cosine, Similarity, tiles, unit_vectors

_PROBED_QUERIES = 32
Progress = Callable[[int, int], None]
"""Called with how much is done, and of how much."""


def evaluate(
    vectors: ArrayLike,
    identity: ArrayLike,
    camera: ArrayLike | None = None,
    time_s: ArrayLike | None = None,
    *,
    group: ArrayLike | None = None,
    query: ArrayLike | None = None,
    unknown: Unknown | None = None,
    drawn_as: ArrayLike | None = None,
    config: EvaluationConfig | None = None,
    progress: Progress | None = None,
) -> Report:
    """Score an embedder by its vectors of N crops.

    Args:
        vectors: (N, D) floats of unit length.
        identity: (N,) whole numbers; below 0 for distractors, who are in the gallery and nobody's match.
        camera: (N,) whole numbers, -1 where unknown.
        time_s: (N,) seconds on the clock of the crop's group, NaN where unknown.
        group: (N,) crops that share a clock, such as those of one video, -1 for none; without it, all share one.
        query: (N,) bool, the queries of a given split; the others are the gallery.
        unknown: names pairs that are left out, since nobody knows whether they are of one identity.
        drawn_as: (N,) whole numbers: crops that the bootstrap draws together, such as tracklets that may be of one
            object; without it those of one identity.
        config: the settings.
        progress: called after each tile.

    Raises:
        InputError: an array is not as above, there are fewer than two identities, or no query has a match.
    """
    settings = config or EvaluationConfig()
    sightings = Sightings.of(identity, camera, time_s, group)
    unit = unit_vectors(vectors, len(sightings))
    people, person = numbered(sightings)
    if people < 2:
        raise InputError(f"an evaluation needs crops of at least two identities, got {people}")
    units, unit_of = (people, person) if drawn_as is None else _units(drawn_as, person)
    plan = make_plan(sightings, settings, query=query, unknown=unknown)
    ranked: Similarity | None = Reranked(unit, plan.gallery) if settings.rerank else None
    outcome = score(
        plan, Cosine(unit, plan.gallery), person, unit_of, ranked=ranked, seed=settings.seed, progress=progress
    )
    resampling = Resampling(units, settings.replicates, settings.seed)
    later = [
        reassociation(unit, sightings, delay_s, settings.window_s, unit_of, resampling, unknown)
        for delay_s in settings.later_s
    ]
    scores, who = outcome.scores, unit_of[plan.queries]
    auc, tpr = outcome.pairs.estimates(resampling)
    found = scores.matches > 0
    first = np.where(found, scores.first_hit, np.nan)
    within = [np.where(found, first <= rank, np.nan) for rank in (1, 5, 10)]  # each (Q,)
    return Report(
        mean_average_precision=resampling.mean(scores.average_precision, who),
        rank_1=resampling.mean(within[0], who),
        rank_5=resampling.mean(within[1], who),
        rank_10=resampling.mean(within[2], who),
        mean_inverse_penalty=resampling.mean(scores.inverse_penalty, who),
        auc=auc,
        tpr_at_fpr_1e3=tpr,
        reassociation=tuple(part for part in later if part is not None),
        rule=plan.rule,
        crops=len(sightings),
        identities=people,
        queries=int(found.sum()),
        queries_without_match=int((~found).sum()),
        gallery=len(plan.gallery),
        pairs_same=outcome.pairs.same,
        pairs_different=outcome.pairs.different,
        nearest_match_s=outcome.nearest_match_s,
        query_rows=plan.queries,
        query_scores=scores,
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one pass over the tiles gives."""

    scores: QueryScores
    """Of each query."""
    pairs: PairTally
    """Of all pairs."""
    nearest_match_s: float | None
    """Median time between a query and its match nearest in time, on one clock; None where no times are known."""


def score(
    plan: Plan,
    cosine: Similarity,
    person: NDArray[np.int64],
    unit_of: NDArray[np.int64] | None = None,
    *,
    ranked: Similarity | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Outcome:
    """One pass over the queries of a plan; ranks by `ranked` where it is given, and pairs by `cosine` always.

    `person` (N,) numbers the identities from 0, with -1 for distractors; `unit_of` (N,) what the bootstrap draws, None
    for them.

    Raises:
        InputError: no query has a match.
    """
    units = person if unit_of is None else unit_of
    tally = PairTally(_expected_pairs(plan, person), _lookalike_cosine(plan, cosine, seed), seed)
    parts: list[QueryScores] = []
    gaps: list[NDArray[np.float64]] = []
    done = 0
    for rows in tiles(plan.queries, len(plan.gallery)):
        match, ignored = plan.masks(rows)
        cosines = cosine(rows)
        tally.add(cosines, match, plan.pairs(rows, ignored), units[rows], units[plan.gallery])
        parts.append(score_queries(cosines if ranked is None else ranked(rows), match, ignored))
        gaps.append(_time_to_match(plan, rows, match))
        done += len(rows)
        if progress is not None:
            progress(done, len(plan.queries))
    scores = QueryScores.joined(parts)
    if not scores.matches.any():
        raise InputError(
            f"none of {len(plan.queries)} queries has a match in the gallery ({plan.rule}): identities need at least "
            "two crops that the protocol allows; look at min_gap_s and the cameras"
        )
    known = np.concatenate(gaps)
    known = known[np.isfinite(known)]
    return Outcome(scores, tally, float(np.median(known)) if len(known) else None)


def numbered(sightings: Sightings) -> tuple[int, NDArray[np.int64]]:
    """How many identities there are, and (N,) their numbers from 0, -1 for distractors."""
    names, person = np.unique(sightings.identity, return_inverse=True)
    strangers = int(len(names) > 0 and names[0] < 0)
    return len(names) - strangers, person.astype(np.int64) - strangers


def _units(drawn_as: ArrayLike, person: NDArray[np.int64]) -> tuple[int, NDArray[np.int64]]:
    """How many units there are, and the number of each crop's (N,), -1 for distractors."""
    given = np.asarray(drawn_as, np.int64)
    if given.shape != person.shape:
        raise InputError(f"drawn_as must have shape {person.shape}, got {given.shape}")
    names, number = np.unique(given[person >= 0], return_inverse=True)
    out = np.full(len(person), -1, np.int64)
    out[person >= 0] = number
    return len(names), out


def _expected_pairs(plan: Plan, person: NDArray[np.int64]) -> tuple[int, int]:
    """About how many pairs of one identity and of two there are, before the protocol leaves some out."""
    size = int(person.max()) + 1
    known = person[plan.gallery]
    of_query = np.bincount(person[plan.queries], minlength=size)  # (people,)
    of_gallery = np.bincount(known[known >= 0], minlength=size)
    same = int((of_query * of_gallery).sum())
    fold = 2 if np.isin(plan.queries, plan.gallery).all() else 1  # the same pair from both of its ends
    return same // fold, (len(plan.queries) * len(plan.gallery) - same) // fold


def _lookalike_cosine(plan: Plan, cosine: Similarity, seed: int) -> float:
    """A cosine that few strangers exceed, by a look at a few queries."""
    rng = np.random.default_rng((seed, 5))
    rows = rng.choice(plan.queries, min(len(plan.queries), _PROBED_QUERIES), replace=False)
    match, ignored = plan.masks(rows)
    strangers = cosine(rows)[~(match | ignored)]
    return float(np.quantile(strangers, 1 - TAIL)) if len(strangers) else 1.0


def _time_to_match(plan: Plan, rows: NDArray[np.int64], match: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(T,) seconds to the nearest match on the same clock; inf or NaN where none is known."""
    time_s, group = plan.sightings.time_s, plan.sightings.group
    row, column = np.nonzero(match)
    query, crop = rows[row], plan.gallery[column]
    gap = np.where(group[query] == group[crop], np.abs(time_s[query] - time_s[crop]), np.inf)  # (matches,)
    nearest = np.full(len(rows), np.inf)
    np.fmin.at(nearest, row, gap)
    return nearest

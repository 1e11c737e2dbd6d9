"""What an evaluation found, for people and for scripts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid.errors import InputError
from reid.evaluation.bootstrap import CONFIDENCE, Estimate
from reid.evaluation.ranking import QueryScores
from reid.evaluation.reassociation import Reassociation

_NEAR_COPIES_S = 0.5  # of matches that any embedder finds
MEASURES = {
    "mean_average_precision": "mAP",
    "rank_1": "rank-1",
    "rank_5": "rank-5",
    "rank_10": "rank-10",
    "mean_inverse_penalty": "mINP",
    "auc": "AUC",
    "tpr_at_fpr_1e3": "TPR at FPR 1e-3",
}
"""Fields of `Report` that are figures, and what they are called; all are shares, 0..1."""


@dataclass(frozen=True, slots=True)
class Report:
    """Figures of one model on one set of crops; docs/evaluation.md defines them."""

    mean_average_precision: Estimate
    """Non-interpolated: the mean over queries of the mean precision at each match."""
    rank_1: Estimate
    """Share of the queries whose nearest is a match."""
    rank_5: Estimate
    """Share with a match among the nearest five."""
    rank_10: Estimate
    """Share with a match among the nearest ten."""
    mean_inverse_penalty: Estimate
    """Matches divided by the rank of the last of them, averaged over queries (mINP)."""
    auc: Estimate | None
    """Chance that a pair of one identity is more alike than a pair of two; None without pairs of both kinds."""
    tpr_at_fpr_1e3: Estimate | None
    """Share of the pairs of one identity that pass where 1 in 1000 others does; None with too few pairs to say."""
    reassociation: tuple[Reassociation, ...]
    """Found again later among all others present, one a delay; empty where no times are known."""
    rule: str
    """The protocol in words."""
    crops: int
    """Crops altogether."""
    identities: int
    """Identities among them, distractors not counted."""
    queries: int
    """Queries that have a match."""
    queries_without_match: int
    """Queries that were left out, since the protocol leaves them no match."""
    gallery: int
    """Crops that were searched."""
    pairs_same: int
    """Pairs of a query and a gallery crop of one identity."""
    pairs_different: int
    """Pairs of two identities."""
    nearest_match_s: float | None
    """Median time between a query and its match nearest in time; None where times are unknown."""
    query_rows: NDArray[np.int64] = field(repr=False, compare=False)
    """(Q,) the row of each query, those without a match too."""
    query_scores: QueryScores = field(repr=False, compare=False)
    """What each query scored."""

    @property
    def finds_near_copies(self) -> bool:
        """Whether matches are so near in time that to find them says little of recognising somebody again."""
        return self.nearest_match_s is not None and self.nearest_match_s < _NEAR_COPIES_S

    def minus(self, other: Report) -> dict[str, Estimate]:
        """Paired differences of all figures that both have, for two models on the same crops, settings and seed.

        Raises:
            InputError: the reports are not of the same queries and pairs.
        """
        mine, theirs = ((r.crops, r.queries, r.gallery, r.pairs_same, r.pairs_different) for r in (self, other))
        if mine != theirs or not np.array_equal(self.query_rows, other.query_rows):
            raise InputError(f"reports must be of the same crops and settings, got {mine} and {theirs}")
        pairs = {name: (getattr(self, name), getattr(other, name)) for name in MEASURES}
        later = {part.later_s: part.rank_1 for part in other.reassociation}
        pairs |= {
            f"reassociation_{part.later_s:g}s": (part.rank_1, later.get(part.later_s)) for part in self.reassociation
        }
        return {name: a.minus(b) for name, (a, b) in pairs.items() if a is not None and b is not None}

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and texts for JSON; figures as `{"value", "low", "high"}`, missing ones as None."""
        counts = (
            "rule", "crops", "identities", "queries", "queries_without_match", "gallery", "pairs_same",
            "pairs_different", "nearest_match_s",
        )  # fmt: skip
        return {
            "measures": {name: estimate_dict(getattr(self, name)) for name in MEASURES},
            "reassociation": [
                {
                    "later_s": part.later_s,
                    "rank_1": estimate_dict(part.rank_1),
                    "chance": part.chance,
                    "queries": part.queries,
                    "candidates": part.candidates,
                }
                for part in self.reassociation
            ],
            "data": {name: getattr(self, name) for name in counts},
            "confidence": CONFIDENCE,
        }


def estimate_dict(estimate: Estimate | None) -> dict[str, float | None] | None:
    """`{"value", "low", "high"}`, or None."""
    return None if estimate is None else {"value": estimate.value, "low": estimate.low, "high": estimate.high}

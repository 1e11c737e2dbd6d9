"""Why a tracker decided as it did: `Tracker(explain=True)` keeps the reasons of each update."""

from tracker.explanation.decisions import (
    BirthDecision,
    Decision,
    IdentityCandidate,
    IdentityDecision,
    MatchCandidate,
    MatchDecision,
)
from tracker.explanation.explanation import Explanation

__all__ = [
    "BirthDecision",
    "Decision",
    "Explanation",
    "IdentityCandidate",
    "IdentityDecision",
    "MatchCandidate",
    "MatchDecision",
]

"""The record of an update's identities, as decisions: who a track is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tracker.explanation.decisions import IdentityCandidate, IdentityDecision, IdentityRefusal
from tracker.explanation.record import Asked, Compared, UpdateRecord
from tracker.types import DoubleArray

_MOST = 5
"""Candidates that a decision lists: thousands may be remembered."""


def identity_decisions(record: UpdateRecord) -> Iterator[IdentityDecision]:
    """One for each track that asked who it is."""
    if record.asked is None:
        return
    kinds = {event.track_id: event.kind for event in record.events if event.kind != "ended"}
    asked = record.asked
    rows = zip(asked.detections.tolist(), asked.before.tolist(), asked.vectors.tolist(), strict=True)
    for row, (detection, before, crops) in enumerate(rows):
        number = record.number_of[detection]
        yield IdentityDecision(
            record.seen.now,
            number,
            before if before not in (0, number) else None,
            kinds.get(number, "kept"),
            detection,
            round(crops),
            record.parted.get(before),
            0 if record.compared is None else len(record.compared.numbers),
            () if record.compared is None else tuple(_candidates(record, asked, record.compared, row)),
        )


def _candidates(record: UpdateRecord, asked: Asked, compared: Compared, row: int) -> Iterator[IdentityCandidate]:
    """The most alike of the missing, the chosen one first."""
    evidence, needed, chosen = _weighed(record, compared, row)
    cosine, least = compared.cosine[row].astype(np.float64), np.broadcast_to(compared.least[row], len(evidence))  # (K,)
    order = np.lexsort((-cosine, -evidence, np.arange(len(cosine)) != chosen))[:_MOST]
    for column in order.tolist():
        weighed, unlike = bool(np.isfinite(evidence[column])), bool(cosine[column] < least[column])
        lost, tell = column < compared.lost, bool(asked.tell[row])
        yield IdentityCandidate(
            int(compared.numbers[column]),
            "lost" if lost else "remembered",
            float(record.seen.now - compared.seen_s[column]),
            float(cosine[column]) if asked.vectors[row] else None,
            float(least[column]) if asked.vectors[row] else None,
            float(evidence[column]) if weighed else None,
            float(needed[column]) if weighed else None,
            None if column == chosen else _refusal(record, tell, unlike, lost, column, evidence, needed),
        )


def _weighed(record: UpdateRecord, compared: Compared, row: int) -> tuple[DoubleArray, DoubleArray, int]:
    """Evidence (K,) for one that asked, what it must exceed (K,), and the column that it is, -1 for none."""
    evidence, needed = np.full(len(compared.numbers), -np.inf), np.zeros(len(compared.numbers))
    weighed = record.weighed
    if weighed is None:
        return evidence, needed, -1
    mine = weighed.rows == row  # (P,)
    evidence[weighed.columns[mine]], needed[weighed.columns[mine]] = weighed.evidence[mine], weighed.needed[mine]
    chosen = weighed.columns[weighed.chosen[mine[weighed.chosen]]]
    return evidence, needed, int(chosen[0]) if len(chosen) else -1


def _refusal(
    record: UpdateRecord, tell: bool, unlike: bool, lost: bool, column: int, evidence: DoubleArray, needed: DoubleArray
) -> IdentityRefusal:
    """Which gate of `Identities._choose` a missing one did not pass."""
    if not tell:
        return "crops"
    if unlike:
        return "likeness"
    if np.isneginf(evidence[column]):
        return "reach" if lost else "beside"
    if evidence[column] <= needed[column]:
        return "evidence"
    rival = np.delete(evidence, column).max(initial=-np.inf)
    return "margin" if evidence[column] <= rival + record.config.recall_margin else "taken"

"""The record of an update's identities, as decisions: who a track is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tracker.explanation.decisions import IdentityCandidate, IdentityDecision, IdentityRefusal
from tracker.explanation.record import Compared, UpdateRecord
from tracker.types import DoubleArray

_MOST = 5
"""Candidates that a decision lists: thousands may be remembered."""


def identity_decisions(record: UpdateRecord) -> Iterator[IdentityDecision]:
    """One for each track that asked who it is."""
    if record.asked is None:
        return
    kinds = {event.track_id: event.kind for event in record.events if event.kind != "ended"}
    asked = zip(record.asked.tolist(), record.asked_before.tolist(), record.asked_vectors.tolist(), strict=True)
    for row, (detection, before, crops) in enumerate(asked):
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
            () if record.compared is None else tuple(_candidates(record, record.compared, row)),
        )


def _candidates(record: UpdateRecord, compared: Compared, row: int) -> Iterator[IdentityCandidate]:
    """The most alike of the missing, the chosen one first."""
    evidence, needed, chosen = _weighed(record, compared, row)
    cosine = compared.cosine[row]  # (K,)
    order = np.lexsort((-cosine, -evidence, np.arange(len(cosine)) != chosen))[:_MOST]
    for column in order.tolist():
        asked = bool(np.isfinite(evidence[column]))
        yield IdentityCandidate(
            int(compared.numbers[column]),
            "lost" if column < compared.lost else "remembered",
            float(record.seen.now - compared.seen_s[column]),
            float(cosine[column]) if record.asked_vectors[row] else None,
            float(compared.least[row, column]) if record.asked_vectors[row] else None,
            float(evidence[column]) if asked else None,
            float(needed[column]) if asked else None,
            None if column == chosen else _refusal(record, compared, row, column, evidence, needed),
        )


def _weighed(record: UpdateRecord, compared: Compared, row: int) -> tuple[DoubleArray, DoubleArray, int]:
    """Evidence (K,) for one that asked, what it must exceed (K,), and the column that it is, -1 for none."""
    nothing = np.full(len(compared.numbers), -np.inf), np.zeros(len(compared.numbers)), -1
    if record.weighed is None:
        return nothing
    weighed = record.weighed
    place = (weighed.rows == row).nonzero()[0]
    if not len(place):
        return nothing
    rows, columns = weighed.chosen
    chosen = columns[rows == place[0]]
    return weighed.evidence[place[0]], weighed.needed, int(chosen[0]) if len(chosen) else -1


def _refusal(
    record: UpdateRecord, compared: Compared, row: int, column: int, evidence: DoubleArray, needed: DoubleArray
) -> IdentityRefusal:
    """Which gate of `Identities._choose` a missing one did not pass."""
    if not record.asked_tell[row]:
        return "crops"
    if compared.cosine[row, column] < compared.least[row, column]:
        return "likeness"
    if not compared.possible[row, column]:
        return "reach"
    if evidence[column] <= needed[column]:
        return "evidence"
    rival = np.delete(evidence, column).max(initial=-np.inf)
    return "margin" if evidence[column] <= rival + record.config.recall_margin else "taken"

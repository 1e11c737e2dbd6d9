"""Who is who: gives tracks their numbers, old ones to those who come back, and remembers who left.

    tentative --proven by time--> asking for a number --number--> unsettled --time--> settled
                                                        ^   |
                                                        corrections

A track that has proved itself is compared with all who are missing: lost tracks within reach and identities in the
memory. It takes the number of the one it must be, or a new number. For a while the number is a claim: each better
crop asks again, and the claim may pass to another identity, be given up for a new number, or be made late. Only when it
settles are the appearances of then and now joined.
"""

from __future__ import annotations

import numpy as np

from tracker.association.appearance import AppearanceModel
from tracker.association.assignment import assign
from tracker.config import TrackerConfig
from tracker.memory import IdentityMemory
from tracker.table import TIME_SLACK_S, TrackTable, unit
from tracker.types import BoolArray, DoubleArray, IntArray, TrackEvent, TrackEventKind

_HELD_BONUS = 1.0  # nats in favour of the identity that is claimed already, so that claims do not flicker


class Identities:
    """The numbers of one tracker. Works on the rows of the table it is handed; keeps only the memory and a counter."""

    def __init__(self, config: TrackerConfig, appearance: AppearanceModel) -> None:
        self._config, self._appearance = config, appearance
        self._memory = IdentityMemory(config.memory_size, config.memory_s)
        self._next_id = 1
        self.events: list[TrackEvent] = []
        """What happened since the list was last emptied."""

    def retire(self, tracks: TrackTable, gone: BoolArray, now: float) -> None:
        """Remember the identities of rows that end, (T,) bool; those without a number leave nothing behind."""
        numbered = np.flatnonzero(gone & (tracks.ids > 0))
        if len(numbered):
            self._join(tracks, numbered[~tracks.settled[numbered]])
            known = numbered[tracks.vectors[numbered] > 0]
            self._memory.put(tracks.ids[known], tracks.mean[known], tracks.vectors[known], tracks.seen_s[known])
            self._note("ended", tracks.ids[numbered], now)
        self._memory.forget_old(now)

    def part(self, tracks: TrackTable, rows: IntArray) -> None:
        """These rows went over to other objects: remember who they were; `update` finds out who they are."""
        self._join(tracks, rows[(tracks.ids[rows] > 0) & ~tracks.settled[rows]])
        known = rows[tracks.ids[rows] > 0]
        self._memory.put(tracks.ids[known], tracks.mean[known], tracks.vectors[known], tracks.doubted_s[known])
        tracks.begin_anew(rows)

    def update(self, tracks: TrackTable, now: float) -> TrackTable:
        """Number the tracks that have proved themselves, and correct numbers that are not settled yet."""
        c = self._config
        age = now - tracks.born_s
        seen = tracks.detection >= 0
        tracks.proven |= seen & (age >= c.confirm_s - TIME_SLACK_S)
        lost = tracks.proven & ~seen & (tracks.ids > 0) & (tracks.vectors > 0)
        asking = seen & tracks.proven & ~tracks.settled & ((tracks.mean_s == now) | (tracks.ids == 0))
        if self._appearance.dimension is not None and (lost.any() or len(self._memory)):
            # who may be a known one is not given a new number before there is a crop or two to tell by
            asking &= (tracks.ids > 0) | (tracks.vectors >= c.identify_vectors) | (age >= c.identify_s)
        if asking.any():
            tracks = self._identify(tracks, np.flatnonzero(asking), np.flatnonzero(lost), now)
        late = np.flatnonzero((tracks.ids > 0) & ~tracks.settled & (now - tracks.born_s > c.settle_s))
        self._join(tracks, late)
        return tracks

    # ---- claims --------------------------------------------------------------------------------------------------

    def _identify(self, tracks: TrackTable, asking: IntArray, lost: IntArray, now: float) -> TrackTable:
        held = np.where(tracks.ids[asking] != tracks.own_ids[asking], tracks.ids[asking], 0)  # (n,) claims of old ones
        candidates = np.r_[tracks.ids[lost], self._free_memory(tracks, asking)]  # (K,) numbers
        choice = self._choose(tracks, asking, lost, candidates, held, now)  # (n,) numbers, 0 for none
        back = tracks.ids[lost[np.isin(tracks.ids[lost], choice)]]  # lost tracks that were found
        before = tracks.ids[asking].copy()
        changed = choice != held
        self._claim(tracks, asking[changed & (choice > 0)], choice[changed & (choice > 0)], back, now)
        self._go_on(tracks, asking[(choice == 0) & ((held > 0) | (before == 0))], now)
        if not len(back):
            return tracks
        found = np.zeros(len(tracks), bool)
        found[lost] = np.isin(tracks.ids[lost], back)
        self._join(tracks, np.flatnonzero(found & ~tracks.settled))
        self._memory.put(tracks.ids[found], tracks.mean[found], tracks.vectors[found], tracks.seen_s[found])
        return tracks.select(~found)

    def _free_memory(self, tracks: TrackTable, asking: IntArray) -> IntArray:
        """Numbers in the memory that no other track claims."""
        others = np.ones(len(tracks), bool)
        others[asking] = False
        return self._memory.ids[~np.isin(self._memory.ids, tracks.ids[others])]

    def _choose(
        self, tracks: TrackTable, asking: IntArray, lost: IntArray, candidates: IntArray, held: IntArray, now: float
    ) -> IntArray:
        """The number of the missing one that each asking track must be, 0 for nobody: (n,)."""
        c = self._config
        choice = np.zeros(len(asking), np.int64)
        if not len(candidates):
            return choice
        remembered, means, _ = self._memory.look_up(candidates)
        if not remembered.any():
            means = np.zeros((len(candidates), tracks.mean.shape[1]))
        means[: len(lost)] = tracks.mean[lost]
        similarity = tracks.mean[asking] @ means.T  # (n, K)
        evidence = self._appearance.evidence(similarity, np.inf)
        holds = held[:, None] == candidates  # (n, K)
        evidence[holds] += _HELD_BONUS
        watched_s = now - tracks.first_vector_s[asking]
        possible = self._appearance.as_alike_as_one(similarity, tracks.vectors[asking], watched_s, holds)
        possible[:, : len(lost)] &= _reachable(tracks, asking, lost, c, now)
        possible &= tracks.vectors[asking, None] >= c.identify_vectors
        evidence = np.where(possible, evidence, -np.inf)
        threshold = np.r_[
            np.full(len(lost), c.recover_evidence), np.full(len(candidates) - len(lost), c.recall_evidence)
        ] + np.log(len(candidates))  # somebody fits by chance the likelier, the more there are
        rival = np.maximum(_runner_up(evidence) + c.recall_margin, threshold)
        row, column = np.nonzero(evidence > rival)
        chosen = assign(row, column, (evidence - threshold)[row, column])
        choice[row[chosen]] = candidates[column[chosen]]
        return choice

    def _claim(self, tracks: TrackTable, rows: IntArray, numbers: IntArray, back: IntArray, now: float) -> None:
        """Report these rows under old numbers from now on."""
        recovered = np.isin(numbers, back)
        before = tracks.ids[rows].copy()
        tracks.ids[rows] = numbers
        self._note("recovered", numbers[recovered], now, before[recovered])
        self._note("recalled", numbers[~recovered], now, before[~recovered])

    def _go_on(self, tracks: TrackTable, rows: IntArray, now: float) -> None:
        """Report these rows under numbers of their own: new ones, or the ones they had before a claim."""
        before = tracks.ids[rows].copy()
        new = rows[tracks.own_ids[rows] == 0]
        tracks.own_ids[new] = np.arange(self._next_id, self._next_id + len(new))
        self._next_id += len(new)
        tracks.ids[rows] = tracks.own_ids[rows]
        first = before == 0
        self._note("born", tracks.ids[rows[first]], now)
        self._note("corrected", tracks.ids[rows[~first]], now, before[~first])

    def _join(self, tracks: TrackTable, rows: IntArray) -> None:
        """Settle these rows; those that came back take the appearance they had along."""
        tracks.settled[rows] = True
        known, means, vectors = self._memory.look_up(tracks.ids[rows])
        back = rows[known]
        if len(back):
            weight = np.stack((tracks.vectors[back], np.minimum(vectors[known], 3 * tracks.vectors[back])))  # (2, n)
            joined = weight[0, :, None] * tracks.mean[back] + weight[1, :, None] * means[known]
            tracks.mean[back] = unit(joined, tracks.mean[back])
            tracks.vectors[back] += vectors[known]
            self._memory.take(tracks.ids[back])

    def _note(self, kind: TrackEventKind, ids: IntArray, now: float, before: IntArray | None = None) -> None:
        replaced = [None] * len(ids) if before is None else [number or None for number in before.tolist()]
        self.events.extend(TrackEvent(kind, i, now, r) for i, r in zip(ids.tolist(), replaced, strict=True))


def _reachable(tracks: TrackTable, asking: IntArray, lost: IntArray, config: TrackerConfig, now: float) -> BoolArray:
    """(n, L) whether a newcomer was not there yet when a track was lost, and is where and as tall as it can be now."""
    absent = tracks.born_s[asking, None] > tracks.seen_s[lost]  # (n, L)
    gap = now - tracks.seen_s[lost]  # (L,)
    height = tracks.seen_box[lost, 3]  # (L,)
    way = np.linalg.norm(tracks.seen_box[asking, None, :2] - tracks.seen_box[lost, :2], axis=2)  # (n, L) px
    near = way <= height * (0.5 + config.recover_speed * gap)
    ratio = np.abs(np.log(tracks.seen_box[asking, None, 3] / height))  # (n, L)
    return np.asarray(absent & near & (ratio <= np.log(1.3) + 0.3 * gap))


def _runner_up(evidence: DoubleArray) -> DoubleArray:
    """(n, K) -> (n, K) for each pair the best evidence among the other candidates of its newcomer."""
    if evidence.shape[1] < 2:
        return np.full_like(evidence, -np.inf)
    top = np.partition(evidence, -2, axis=1)[:, -2:]  # (n, 2): second, first
    return np.where(evidence == top[:, 1:], top[:, :1], top[:, 1:])

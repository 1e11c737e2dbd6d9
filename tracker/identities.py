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

from tracker.arrays import among, every, some
from tracker.association.appearance import AppearanceModel
from tracker.association.assignment import assign
from tracker.config import TrackerConfig
from tracker.explanation.record import Asked, Compared, UpdateRecord, Weighed
from tracker.memory import IdentityMemory
from tracker.table import TIME_SLACK_S, TrackTable, unit
from tracker.types import BoolArray, DoubleArray, IntArray, TrackEvent, TrackEventKind

_HELD_BONUS = 1.0  # nats in favour of the identity that is claimed already, so that claims do not flicker
_ASK_AGAIN_S = 0.1
"""How often it is asked again who somebody is whose number may still change.

Crops of successive frames are much alike. Asking in every frame made no difference to IDF1 (rendered clips at 30 Hz, 4
clips of 2 seeds: -.02 +- .04; simulated MOT17, 4 sequences, 2 embedders: -.00) and took a fifth of the time of 200."""
_BESIDE_S = 0.2
"""For how long somebody may be seen in two places: a track goes on for a moment with who is in front, or with a shadow,
while they are found elsewhere. Whoever was seen for longer beside another is not the same.

Without that moment recall missed returns (10 rendered clips: IDF1 -.08); with it the check cost none."""


class Identities:
    """The numbers of one tracker. Works on the rows of the table it is handed; keeps only the memory and a counter."""

    def __init__(self, config: TrackerConfig, appearance: AppearanceModel) -> None:
        self._config, self._appearance = config, appearance
        self._memory = IdentityMemory(config.memory_size, config.memory_s)
        self._next_id = 1
        self.events: list[TrackEvent] = []
        """What happened since the list was last emptied."""
        self._asked_again_s = -np.inf
        """When those who have a number were last asked."""
        self.record: UpdateRecord | None = None
        """Where the reasons of this update are taken down; None where nobody asks."""

    @property
    def highest(self) -> int:
        """The last new number, 0 before the first."""
        return self._next_id - 1

    @property
    def memory(self) -> IdentityMemory:
        """Identities that left."""
        return self._memory

    def change_embedder(self, appearance: AppearanceModel, memory: IdentityMemory) -> None:
        """Go on with what another embedder says of the same identities."""
        self._appearance, self._memory, self.record = appearance, memory, None

    def forget(self, ids: IntArray) -> None:
        """Remember nothing of those of these numbers (n,) that left."""
        self._memory.take(ids)
        self.record = None  # it has cosines of theirs

    def retire(self, tracks: TrackTable, gone: IntArray, now: float) -> None:
        """Remember the identities of rows that end (n,); those without a number leave nothing behind."""
        numbered = gone[tracks.ids[gone] > 0]
        if len(numbered):
            self._join(tracks, numbered[~tracks.settled[numbered]])
            known = numbered[tracks.vectors[numbered] > 0]
            self._remember(tracks, known)
            self._note("ended", tracks.ids[numbered], now)

    def part(self, tracks: TrackTable, rows: IntArray) -> None:
        """These rows went over to other objects: remember who they were; `update` finds out who they are."""
        self._join(tracks, rows[(tracks.ids[rows] > 0) & ~tracks.settled[rows]])
        known = rows[tracks.ids[rows] > 0]
        self._remember(tracks, known)
        if self.record is not None:
            self.record.parted = dict(zip(tracks.ids[known].tolist(), (-tracks.doubt[known]).tolist(), strict=True))
        tracks.begin_anew(rows)
        self._asked_again_s = -np.inf  # at once

    def update(self, tracks: TrackTable, now: float) -> TrackTable:
        """Number the tracks that have proved themselves, and correct numbers that are not settled yet."""
        self._memory.forget_old(now)
        if every(tracks.settled):
            return tracks
        rows = (~tracks.settled).nonzero()[0]  # (n,) the others are done with
        age, numbered = now - tracks.born_s[rows], tracks.ids[rows] > 0
        again = now - self._asked_again_s >= _ASK_AGAIN_S - TIME_SLACK_S
        if again or not every(numbered):
            tracks = self._ask(tracks, rows, age, numbered, again, now)
        if some(age > self._config.settle_s):
            late = (~tracks.settled & (tracks.ids > 0) & (now - tracks.born_s > self._config.settle_s)).nonzero()[0]
            self._join(tracks, late)
        return tracks

    # ---- claims --------------------------------------------------------------------------------------------------

    def _ask(
        self, tracks: TrackTable, rows: IntArray, age: DoubleArray, numbered: BoolArray, again: bool, now: float
    ) -> TrackTable:
        """Find out who these rows are, n of such an age: those without a number, and `again` those that have one."""
        c = self._config
        seen = tracks.detection[rows] >= 0
        proven = tracks.proven[rows] | (seen & (age >= c.confirm_s - TIME_SLACK_S))
        tracks.proven[rows] = proven
        asking = seen & proven & ~numbered
        if again:
            asking |= seen & numbered & (tracks.mean_s[rows] > self._asked_again_s)
            self._asked_again_s = now
        if not some(asking):
            return tracks
        lost, least = _missing(tracks), min(c.recover_evidence, c.recall_evidence)
        missing = len(lost) or len(self._memory)
        if missing and not every(numbered) and self._appearance.greatest_evidence > least:
            # who may be a known one is not given a new number before there is a crop or two to tell by
            asking &= numbered | _tell(tracks, rows, c, now) | (age >= c.identify_s - TIME_SLACK_S)
        return self._identify(tracks, rows[asking], lost, now) if some(asking) else tracks

    def _identify(self, tracks: TrackTable, asking: IntArray, lost: IntArray, now: float) -> TrackTable:
        before = tracks.ids[asking]
        if self.record is not None:
            tell = _tell(tracks, asking, self._config, now)
            self.record.asked = Asked(tracks.detection[asking], before, tracks.vectors[asking], tell)
        held = np.where(before != tracks.own_ids[asking], before, 0)  # (n,) claims of old ones
        choice = self._choose(tracks, asking, lost, held, now)  # (n,) numbers, 0 for none
        # where the memory was too small or too short to keep who is claimed, there is nothing to ask again by
        if some(held):
            forgotten = (held > 0) & ~self._memory.knows(held)
            choice[forgotten] = held[forgotten]
        goes_on = (choice == 0) & ((held > 0) | (before == 0))
        claims, found = (choice != held) & (choice > 0), lost[:0]
        if some(claims):
            found = lost[among(tracks.ids[lost], choice)]
            self._claim(tracks, asking[claims], choice[claims], tracks.ids[found], now)
        self._go_on(tracks, asking[goes_on], now)
        if not len(found):
            return tracks
        self._join(tracks, found[~tracks.settled[found]])
        self._remember(tracks, found)
        kept = np.ones(len(tracks), bool)
        kept[found] = False
        return tracks.select(kept)

    def _choose(self, tracks: TrackTable, asking: IntArray, lost: IntArray, held: IntArray, now: float) -> IntArray:
        """The number of the missing one that each asking track must be, 0 for nobody: (n,)."""
        c = self._config
        choice = np.zeros(len(asking), np.int64)
        remembered = self._free_memory(tracks, asking)
        numbers = np.concatenate((tracks.ids[lost], self._memory.ids[remembered]))  # (K,)
        if not len(numbers):
            return choice
        means = tracks.mean.take(lost, axis=0)
        if len(remembered):
            means = np.concatenate((means, self._memory.means[remembered]))
        similarity = tracks.mean.take(asking, axis=0) @ means.T  # (n, K)
        holds = held[:, None] == numbers if some(held) else None  # (n, K)
        vectors, watched_s = tracks.vectors[asking], now - tracks.first_vector_s[asking]
        least = self._appearance.least_likeness(vectors, watched_s, holds)  # (n, K), (n, 1) where nobody holds any
        if self.record is not None:
            seen_s = np.concatenate((tracks.seen_s[lost], self._memory.seen_s[remembered]))
            self.record.compared = Compared(numbers, len(lost), seen_s, held, similarity, least)
        row, column = (similarity >= least).nonzero()  # (P,)
        if len(row):
            possible = _tell(tracks, asking[row], c, now)
            near = (possible & (column < len(lost))).nonzero()[0]
            possible[near] = _reachable(tracks, asking[row[near]], lost[column[near]], c, now)
            left = (possible & (column >= len(lost))).nonzero()[0]
            left_s = self._memory.seen_s[remembered[column[left] - len(lost)]]
            possible[left] = tracks.born_s[asking[row[left]]] >= left_s - _BESIDE_S - TIME_SLACK_S
            row, column = row[possible], column[possible]
        if not len(row):
            return choice
        evidence = self._appearance.evidence(similarity[row, column].astype(np.float64), np.inf)
        if holds is not None:
            evidence += _HELD_BONUS * holds[row, column]
        # somebody fits by chance the likelier, the more there are
        needed = np.where(column < len(lost), c.recover_evidence, c.recall_evidence) + np.log(len(numbers))
        fits = (evidence > np.maximum(_runner_up(row, column, evidence) + c.recall_margin, needed)).nonzero()[0]
        chosen = fits[assign(row[fits], column[fits], (evidence - needed)[fits])]
        if self.record is not None:
            self.record.weighed = Weighed(row, column, evidence, needed, chosen)
        choice[row[chosen]] = numbers[column[chosen]]
        return choice

    def _remember(self, tracks: TrackTable, rows: IntArray) -> None:
        """Remember who these rows (n,) were, and until when they were surely themselves."""
        last_s = np.where(tracks.doubt[rows] < 0, tracks.doubted_s[rows], tracks.seen_s[rows])
        self._memory.put(tracks.ids[rows], tracks.mean[rows], tracks.vectors[rows], last_s)

    def _free_memory(self, tracks: TrackTable, asking: IntArray) -> IntArray:
        """Rows of the memory whose numbers no other track claims."""
        if not len(self._memory):
            return asking[:0]
        claimed = ~tracks.settled & (tracks.ids != tracks.own_ids)  # only such numbers are in the memory too
        claimed[asking] = False
        return (~among(self._memory.ids, tracks.ids[claimed])).nonzero()[0]

    def _claim(self, tracks: TrackTable, rows: IntArray, numbers: IntArray, back: IntArray, now: float) -> None:
        """Report these rows under old numbers from now on; `back` are those of lost tracks."""
        if not len(rows):
            return
        recovered = among(numbers, back)
        before, since = tracks.ids[rows], tracks.born_s[rows]
        tracks.ids[rows] = numbers
        self._note("recovered", numbers[recovered], now, before[recovered], since[recovered])
        self._note("recalled", numbers[~recovered], now, before[~recovered], since[~recovered])

    def _go_on(self, tracks: TrackTable, rows: IntArray, now: float) -> None:
        """Report these rows under numbers of their own: new ones, or the ones they had before a claim."""
        if not len(rows):
            return
        before = tracks.ids[rows]
        new = rows[tracks.own_ids[rows] == 0]
        tracks.own_ids[new] = np.arange(self._next_id, self._next_id + len(new))
        self._next_id += len(new)
        tracks.ids[rows] = tracks.own_ids[rows]
        first = before == 0
        self._note("born", tracks.ids[rows[first]], now)
        self._note("corrected", tracks.ids[rows[~first]], now, before[~first], tracks.born_s[rows[~first]])

    def _join(self, tracks: TrackTable, rows: IntArray) -> None:
        """Settle these rows; those that came back take the appearance they had along."""
        tracks.settled[rows] = True
        if not len(self._memory):
            return
        known, means, vectors = self._memory.look_up(tracks.ids[rows])
        back = rows[known]
        if len(back):
            weight = np.stack((tracks.vectors[back], np.minimum(vectors[known], 3 * tracks.vectors[back])))  # (2, n)
            joined = weight[0, :, None] * tracks.mean[back] + weight[1, :, None] * means[known]
            tracks.mean[back] = unit(joined.astype(np.float32), tracks.mean[back])
            tracks.vectors[back] += vectors[known]
            self._memory.take(tracks.ids[back])

    def _note(
        self,
        kind: TrackEventKind,
        ids: IntArray,
        now: float,
        before: IntArray | None = None,
        since_s: DoubleArray | None = None,
    ) -> None:
        """What happened to these numbers (n,).

        Of corrections also the numbers before (n,), 0 for none, and since when each track is this object (n,).
        """
        if before is None or since_s is None:
            self.events.extend(TrackEvent(kind, i, now) for i in ids.tolist())
            return
        for number, replaced, since in zip(ids.tolist(), before.tolist(), since_s.tolist(), strict=True):
            correction = (replaced, since) if replaced else (None, None)
            self.events.append(TrackEvent(kind, number, now, *correction))


def _tell(tracks: TrackTable, rows: IntArray, config: TrackerConfig, now: float) -> BoolArray:
    """(n,) whether there are crops enough to tell who it is, or two of different moments."""
    vectors, watched_s = tracks.vectors[rows], now - tracks.first_vector_s[rows]
    return np.asarray(
        (vectors >= config.identify_vectors) | (vectors >= 2) & (watched_s >= config.identify_span_s - TIME_SLACK_S)
    )


def _missing(tracks: TrackTable) -> IntArray:
    """Rows of the lost tracks that have a number and a known appearance (n,)."""
    rows = (tracks.detection < 0).nonzero()[0]
    return rows[tracks.proven[rows] & (tracks.ids[rows] > 0) & (tracks.vectors[rows] > 0)]


def _reachable(tracks: TrackTable, asking: IntArray, lost: IntArray, config: TrackerConfig, now: float) -> BoolArray:
    """(P,) whether newcomers came after tracks were lost, and are where and as tall as these can be by now.

    Who was lost in doubt may have stood elsewhere already while the track was on somebody else: it was last seen to be
    itself when its mean appearance was last added to.
    """
    last_s = np.where(tracks.doubt[lost] < 0, tracks.mean_s[lost], tracks.seen_s[lost])
    absent = tracks.born_s[asking] > last_s
    if not some(absent):
        return absent
    gap = now - last_s
    here, there = tracks.seen_box[:, asking], tracks.seen_box[:, lost]  # (4, P)
    way = np.hypot(here[0] - there[0], here[1] - there[1])  # px
    near = way <= there[3] * (0.5 + config.recover_speed * gap)
    ratio = np.abs(np.log(here[3] / there[3]))
    return np.asarray(absent & near & (ratio <= np.log(1.3) + 0.3 * gap))


def _runner_up(row: IntArray, column: IntArray, evidence: DoubleArray) -> DoubleArray:
    """For pairs (P,), in the order of rows, the best evidence among the others of their row, -inf without: (P,)."""
    if every(row[1:] != row[:-1]):
        return np.full(len(row), -np.inf)
    table = np.full((int(row[-1]) + 1, int(column.max()) + 1), -np.inf)
    table[row, column] = evidence
    second, first = np.partition(table, -2, axis=1)[:, -2:].T
    return np.asarray(np.where(evidence == first[row], second[row], first[row]))

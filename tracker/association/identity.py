"""Who a newcomer is: a lost track within reach, an identity that left long ago, or somebody new."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracker.association.appearance import AppearanceModel
from tracker.association.assignment import assign
from tracker.config import TrackerConfig
from tracker.memory import IdentityMemory
from tracker.table import TrackTable
from tracker.types import BoolArray, DoubleArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class IdentityChoice:
    """For n newcomers."""

    ids: IntArray
    """(n,) the old number, 0 for somebody new."""
    recovered: BoolArray
    """(n,) whether it is the number of a lost track."""
    recalled: BoolArray
    """(n,) whether it is the number of a remembered identity."""


def choose_identities(
    tracks: TrackTable,
    newcomers: IntArray,
    lost: IntArray,
    memory: IdentityMemory,
    appearance: AppearanceModel,
    config: TrackerConfig,
    now: float,
) -> IdentityChoice:
    """Compare newcomers with all who are missing, by appearance.

    `newcomers` (n,) are the rows of `tracks` that get their numbers now, `lost` (L,) those that are looked for.

    A newcomer is taken for a missing one where the evidence exceeds the threshold by the logarithm of the number of
    candidates (each is the likelier to fit by chance, the more there are) and beats the runner-up by a margin. Lost
    tracks are candidates only where the newcomer can have walked to.
    """
    known = len(memory) if memory.vectors.shape[1] == tracks.mean.shape[1] else 0
    evidence = np.full((len(newcomers), len(lost) + known), -np.inf)  # (n, L + G)
    mean = tracks.mean[newcomers]
    gap = now - tracks.seen_s[lost]
    against_lost = appearance.evidence(mean @ tracks.mean[lost].T, gap)  # (n, L)
    evidence[:, : len(lost)] = np.where(_reachable(tracks, newcomers, lost, config), against_lost, -np.inf)
    if known:
        evidence[:, len(lost) :] = appearance.evidence(mean @ memory.vectors.T, now - memory.time_left_s)
    evidence[~tracks.has_mean[newcomers]] = -np.inf

    possible = np.isfinite(evidence)
    crowd = np.log(np.maximum(possible.sum(axis=1, keepdims=True), 1))  # (n, 1)
    threshold = np.r_[np.full(len(lost), config.recover_evidence), np.full(known, config.recall_evidence)]
    clear = evidence >= _runner_up(evidence) + config.recall_margin
    gain = np.where(possible & clear, evidence - threshold - crowd, -1.0)
    row, column = np.nonzero(gain > 0)
    chosen = assign(row, column, gain[row, column])

    candidate = np.full(len(newcomers), -1)
    candidate[row[chosen]] = column[chosen]
    numbers = np.r_[tracks.ids[lost], memory.ids[:known], 0]  # the last one: nobody, column -1
    recovered = (candidate >= 0) & (candidate < len(lost))
    return IdentityChoice(numbers[candidate], recovered, candidate >= len(lost))


def _reachable(tracks: TrackTable, newcomers: IntArray, lost: IntArray, config: TrackerConfig) -> BoolArray:
    """(n, L) whether a newcomer was born where and as tall as a lost track can have become."""
    gap = tracks.born_s[newcomers, None] - tracks.seen_s[lost]  # (n, L)
    height = tracks.seen_box[lost, 3]  # (L,)
    way = np.linalg.norm(tracks.seen_box[newcomers, None, :2] - tracks.seen_box[lost, :2], axis=2)  # (n, L) px
    near = way <= height * (0.5 + config.recover_speed * np.maximum(gap, 0))
    ratio = np.abs(np.log(tracks.seen_box[newcomers, None, 3] / height))  # (n, L)
    return np.asarray((gap > 0) & near & (ratio <= np.log(1.3) + 0.3 * np.maximum(gap, 0)))


def _runner_up(evidence: DoubleArray) -> DoubleArray:
    """(n, K) -> (n, K) for each pair the best evidence among the other candidates of its newcomer."""
    if evidence.shape[1] < 2:
        return np.full_like(evidence, -np.inf)
    top = np.partition(evidence, -2, axis=1)[:, -2:]  # (n, 2): second, first
    return np.where(evidence == top[:, 1:], top[:, :1], top[:, 1:])

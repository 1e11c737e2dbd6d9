"""Who queries, who is searched, and which crops of a query's own identity count, are left out, or are not known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid.errors import InputError
from reid.evaluation.config import EvaluationConfig
from reid.evaluation.sightings import Sightings

Rows: TypeAlias = NDArray[np.int64]
Mask: TypeAlias = NDArray[np.bool_]
Unknown: TypeAlias = Callable[[Rows, Rows], Mask]
"""(T,) and (G,) rows -> (T, G), the pairs of which nobody knows whether they are one identity: they are left out."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Queries and gallery of one evaluation."""

    sightings: Sightings
    """Of all N crops."""
    queries: Rows
    """(Q,) rows of the crops that query."""
    gallery: Rows
    """(G,) rows of the crops that are searched."""
    cross_camera: bool
    """Only crops of the identity from another camera are matches; those of the query's camera are left out."""
    min_gap_s: float
    """Without cameras: crops of the identity nearer in time than this are left out."""
    unknown: Unknown | None = None
    """Pairs that are left out since nobody knows what they are; None for labelled data."""

    @property
    def rule(self) -> str:
        """The protocol in a few words."""
        tracklets = "" if self.unknown is None else "; pairs that may be of one identity or of two are left out"
        return self._own_crops() + tracklets

    def _own_crops(self) -> str:
        if self.cross_camera:
            return "cross-camera: crops of the query's own camera and identity are left out"
        if self.min_gap_s > 0:
            return f"crops of the query's identity within {self.min_gap_s:g} s are left out"
        return "every other crop of the query's identity is a match"

    def of(self, queries: Rows) -> Plan:
        """The same gallery for other queries."""
        return replace(self, queries=queries)

    def masks(self, rows: Rows) -> tuple[Mask, Mask]:
        """Of queries `rows` (T,): what in the gallery is a match, and what is not ranked; each (T, G)."""
        who, where = self.sightings.identity, self.sightings.camera
        same = who[rows][:, None] == who[self.gallery]  # (T, G)
        ignored = rows[:, None] == self.gallery  # the query itself
        if self.cross_camera:
            here, there = where[rows][:, None], where[self.gallery]
            ignored |= same & ((here == there) | (here < 0) | (there < 0))  # unknown: perhaps the same camera
        elif self.min_gap_s > 0:
            ignored |= same & self.sightings.near(rows, self.gallery, self.min_gap_s)
        if self.unknown is not None:
            ignored |= self.unknown(rows, self.gallery)
        return same & ~ignored, ignored

    def pairs(self, rows: Rows, ignored: Mask) -> Mask:
        """(T, G) of what is not ignored, each pair once: where both crops query, only from the earlier of them."""
        counted: Mask = rows[:, None] < self.gallery
        counted |= ~np.isin(self.gallery, self.queries)
        counted &= ~ignored
        return counted


def make_plan(
    sightings: Sightings,
    config: EvaluationConfig,
    *,
    query: ArrayLike | None = None,
    unknown: Unknown | None = None,
) -> Plan:
    """Choose queries and gallery by the settings.

    `query` (N,) bool names the queries of a given split; the rest is the gallery then, and `config.queries` has no say.

    Raises:
        InputError: there is nobody to query, or `cross_camera` is asked for and no identity is seen by two cameras.
    """
    two_cameras = sightings.seen_by_two_cameras()
    if config.protocol == "cross_camera" and not len(two_cameras):
        raise InputError(
            "protocol cross_camera needs identities that are seen by two known cameras, and there is none: "
            "give camera numbers, or take protocol single"
        )
    cross = config.protocol != "single" and len(two_cameras) > 0
    labelled = sightings.identity >= 0
    if query is not None:
        chosen = _given(query, len(sightings))
        queries, gallery = np.flatnonzero(chosen & labelled), np.flatnonzero(~chosen)
    elif config.queries == "one_per_camera" or (config.queries == "auto" and cross):
        able = np.isin(sightings.identity, two_cameras) if cross else labelled
        queries = _one_per_camera(sightings, np.flatnonzero(able), config.seed)
        gallery = np.setdiff1d(np.arange(len(sightings)), queries)
    else:
        queries, gallery = np.flatnonzero(labelled), np.arange(len(sightings))
    if not len(queries) or not len(gallery):
        raise InputError(f"there must be queries and a gallery, got {len(queries)} queries and {len(gallery)} others")
    return Plan(sightings, queries, gallery, cross, 0.0 if cross else config.min_gap_s, unknown)


def _given(query: ArrayLike, count: int) -> Mask:
    chosen = np.asarray(query)
    if chosen.dtype != np.bool_ or chosen.shape != (count,):
        raise InputError(f"query must be bool of shape ({count},), got {chosen.dtype} of shape {chosen.shape}")
    return chosen


def _one_per_camera(sightings: Sightings, rows: Rows, seed: int) -> Rows:
    """One row of each identity in each camera, drawn evenly; an unknown camera counts as one camera.

    Of an identity with no picture beside these, the one in its last camera is left to be found (as in VIPeR).
    """
    order = np.random.default_rng((seed, 1)).permutation(rows)
    keys = np.stack((sightings.identity[order], sightings.camera[order]), axis=1)  # (rows, 2)
    who, first = np.unique(keys, axis=0, return_index=True)  # the first of each in random order
    cameras = np.unique(who[:, 0], return_counts=True)[1]  # (i,) of each identity
    pictures = np.unique(sightings.identity[rows], return_counts=True)[1]  # (i,)
    more = np.repeat(pictures > cameras, cameras)
    last = np.append(who[1:, 0] != who[:-1, 0], True)
    return np.sort(order[first[more | ~last]])

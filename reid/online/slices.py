"""What is trained on, and what the gate sees: identities that nothing was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reid.checks import check_number, check_whole
from reid.data import Crops
from reid.online.purity import Pieces


@dataclass(frozen=True, slots=True)
class SliceConfig:
    """How crops are shared out."""

    held_out_share: float = 0.35
    """Share of the crops that is never trained on: all of whoever they show, as far as the tracker knows."""
    least_trained: int = 8
    """Pieces that were seen beside others which a training needs; with fewer it waits for more."""
    least_held_out: int = 8
    """The same, for the gate."""

    def __post_init__(self) -> None:
        check_number("held_out_share", self.held_out_share, above=0, below=1)
        for name in ("least_trained", "least_held_out"):
            check_whole(name, getattr(self, name), 2)


def of_pieces(crops: Crops, pieces: Pieces) -> Crops:
    """Crops of tracklets as crops of their pure pieces: the same in one piece, different where seen at once."""
    numbers = np.unique(crops.identity)
    assert np.array_equal(numbers[np.searchsorted(numbers, pieces.tracklet)], pieces.tracklet)
    return crops.regrouped(
        pieces.piece,
        [f"{crops.names[tracklet]} {number}" for number, tracklet in enumerate(pieces.tracklet.tolist())],
        labelled=False,
        together=pieces.together,
        kin=crops.kin[pieces.tracklet],
        kin_names=crops.kin_names,
    )


def hold_out(
    crops: Crops,
    config: SliceConfig,
    before: Mapping[str, bool] | None = None,
    *,
    seen_until: Sequence[float] | None = None,
) -> NDArray[np.bool_]:
    """(N,) which crops are for the gate alone: those of other identities than what is trained on.

    Whoever the tracker took for one is on one side, so that nobody is on both unless the tracker missed it. Newcomers
    who were there last are held out, so that people of one time stay with those whom they were seen beside.

    Args:
        crops: of pieces.
        config: see `SliceConfig`.
        before: whether somebody was held out earlier, by name (`Crops.kin_names`): that stays as it was.
        seen_until: where the same videos were learned from before, and were followed anew, what `seen_by_training` said
            of the first time: names say nothing then, and those newcomers are held out who were not seen up to then,
            whatever share that is; of a run that is beyond, nobody was seen. None: as the share says.
    """
    before = before or {}
    kin = crops.kin[crops.identity]  # (N,)
    people, who, count = np.unique(kin, return_inverse=True, return_counts=True)
    # (P,) sides of all names of each: who was trained on under one of them is never held out
    known = [{before[name] for name in crops.kin_names[person] if name in before} for person in people.tolist()]
    newcomers = np.array([not known_sides for known_sides in known], np.bool_)
    held_out = np.array([known_sides == {True} for known_sides in known], np.bool_)
    if seen_until is not None:
        of_runs = np.concatenate((seen_until, np.full(max(0, crops.groups - len(seen_until)), -np.inf)))
        early = crops.time_s <= of_runs[crops.group]  # (N,)
        return np.asarray((held_out | (newcomers & (np.bincount(who, early) == 0)))[who])
    mean = np.bincount(who, _place_in_time(crops)) / count  # (P,)
    latest = np.argsort(-mean, kind="stable")
    latest = latest[newcomers[latest]]
    missing = config.held_out_share * len(crops) - count[held_out].sum()
    if missing > 0:
        held_out[latest[: int(np.searchsorted(np.cumsum(count[latest]), missing)) + 1]] = True
    return held_out[who]


def seen_by_training(crops: Crops, held_out: NDArray[np.bool_]) -> tuple[float, ...]:
    """Up to when, in seconds of each run, somebody counts as trained on; all who are trained on have a crop by then.

    That is the middle of the stay of whoever was there first of those who are held out.

    Args:
        crops: of pieces.
        held_out: (N,) as `hold_out` shares them out by share alone; some crop must be held out.
    """
    place = _place_in_time(crops)
    who, count = np.unique(crops.kin[crops.identity[held_out]], return_inverse=True, return_counts=True)[1:]
    early = place <= np.ceil((np.bincount(who, place[held_out]) / count).min())
    until = np.full(crops.groups, -np.inf)
    np.maximum.at(until, crops.group[early], crops.time_s[early])
    until[np.setdiff1d(crops.group, crops.group[~early])] = np.inf  # runs that ended before count as a whole
    return tuple(until.tolist())


def sides(crops: Crops, held_out: NDArray[np.bool_]) -> dict[str, bool]:
    """Whether somebody is held out, by name."""
    kin = crops.kin[crops.identity]
    known = dict(zip(kin.tolist(), held_out.tolist(), strict=True))
    return {name: side for person, side in known.items() for name in crops.kin_names[person]}


def still_told_of(before: Mapping[str, bool], crops: Crops) -> dict[str, bool]:
    """What is known of those of whom more may come: of every session of a tracker of which crops are left."""
    sessions = {name.rpartition(": ")[0] for names in crops.kin_names for name in names}
    return {name: side for name, side in before.items() if name.rpartition(": ")[0] in sessions}


def _place_in_time(crops: Crops) -> NDArray[np.float64]:
    """(N,) from 0 for the first crop on; where nobody said when a run began, runs follow each other."""
    when = np.where(np.isnan(crops.time_s), 0.0, crops.time_s)
    order = np.lexsort((when, crops.group)) if np.isnan(crops.unix_s).any() else np.argsort(crops.unix_s, kind="stable")
    place = np.empty(len(crops))
    place[order] = np.arange(len(crops))
    return place


def accompanied(crops: Crops) -> NDArray[np.int64]:
    """Numbers (n,) of the pieces of these crops that were seen beside another of them."""
    here = crops.identities
    pairs = crops.together
    return np.unique(pairs[np.isin(pairs, here).all(axis=1)])

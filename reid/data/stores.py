"""Crops of tracklet stores, as `reidtrack track --save tracklets` writes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from reid.data.cache import PixelCache
from reid.data.config import DataConfig
from reid.data.crops import Crops
from reid.data.files import describe, entries
from reid.data.pictures import FilePictures
from reid.data.selection import spread_evenly
from reid.errors import DataError
from reid.tracklets.reading import Tracklets, is_tracklet_store, read_tracklets


def find_stores(folder: Path, levels: int = 2) -> list[Path]:
    """The store that a folder is, or those below it: `runs` holds `runs/street/tracklets`."""
    if is_tracklet_store(folder):
        return [folder]
    return [store for child in entries(folder)[0] for store in find_stores(child, levels - 1)] if levels else []


def read_store_crops(folder: Path, config: DataConfig) -> Crops:
    """Crops of one store or of all in a folder; each tracklet is an identity, each run of a tracker a group.

    Two crops are of the same object in one tracklet, of different ones in tracklets that were seen together, and
    otherwise unknown, also where the tracker gave two tracklets one number.

    Raises:
        DataError: there is no store, one cannot be read, or no crop remains.
    """
    stores = [read_tracklets(path) for path in find_stores(folder)]
    if not stores:
        raise DataError(f"{folder} must be or hold a tracklet store (store.jsonl), found {describe(folder)}")
    rows = [_wanted(store, config) for store in stores]
    if not sum(map(len, rows)):
        raise DataError(
            f"{folder} must give crops of at least {config.least_width_px}x{config.least_height_px} px and visibility "
            f"{config.least_visibility:g}, found none among {sum(map(len, stores))} stored crops"
        )
    pictures = FilePictures(
        [store.picture(row) for store, kept in zip(stores, rows, strict=True) for row in kept.tolist()]
    )
    # one table for all stores: which store, run, tracker's number, tracklet
    table = np.concatenate(
        [
            np.stack((np.full(len(kept), k), s.run[kept], s.identity[kept], s.tracklet[kept]), axis=1)
            for k, (s, kept) in enumerate(zip(stores, rows, strict=True))
        ]
    )  # (N, 4)
    tracklets, first, identity = np.unique(table[:, [0, 3]], axis=0, return_index=True, return_inverse=True)
    sources = {(k, run.number): run.source for k, store in enumerate(stores) for run in store.runs}
    names = [f"{sources[k, run]}/{number} ({tracklet})" for k, run, number, tracklet in table[first].tolist()]
    kin, kin_names = _kin(stores, table, identity.reshape(-1), first)
    return Crops(
        pictures,
        identity.reshape(-1),
        names,
        labelled=False,
        time_s=np.concatenate([store.time_s[kept] for store, kept in zip(stores, rows, strict=True)]),
        group=_runs(stores, table),
        groups=sum(len(store.runs) for store in stores),
        unix_s=np.concatenate([_unix_s(store)[kept] for store, kept in zip(stores, rows, strict=True)]),
        together=_together(stores, tracklets),
        kin=kin,
        kin_names=kin_names,
        licence=config.licence,
        cache=PixelCache(pictures, config.cache_mb << 20),
    )


def _runs(stores: list[Tracklets], table: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N,) which of all runs each crop is of; one without a crop is counted, so that what is tracked again fits."""
    place = {key: k for k, key in enumerate((k, run.number) for k, store in enumerate(stores) for run in store.runs)}
    keys, run_of = np.unique(table[:, :2], axis=0, return_inverse=True)
    return np.array([place[k, number] for k, number in keys.tolist()])[run_of.reshape(-1)]


def _kin(
    stores: list[Tracklets], table: NDArray[np.int64], tracklet: NDArray[np.int64], first: NDArray[np.int64]
) -> tuple[NDArray[np.int64], list[tuple[str, ...]]]:
    """Who the tracker says the tracklets are (i,), and all that each of these is called.

    Identities are numbered by a run, or by a session that has several runs and stores. Two numbers of one tracklet are
    one: who came back has the old number from some crop on.

    Args:
        stores: where the crops are.
        table: (N, 4) store, run, identity and tracklet's number of each crop.
        tracklet: (N,) which tracklet it is of.
        first: (i,) the first crop of each tracklet.
    """
    runs = {(k, run.number): run for k, store in enumerate(stores) for run in store.runs}
    keys, run_of = np.unique(table[:, :2], axis=0, return_inverse=True)
    by = [
        f"{stores[k].folder}, run {number}" if runs[k, number].session is None
        else f"{runs[k, number].source}, {runs[k, number].session}"
        for k, number in keys.tolist()
    ]  # fmt: skip
    number_of = {name: number for number, name in enumerate(dict.fromkeys(by))}
    numbered_by = np.array([number_of[name] for name in by])[run_of.reshape(-1)]
    numbers, place = np.unique(np.stack((numbered_by, table[:, 2]), axis=1), axis=0, return_inverse=True)
    place = place.reshape(-1)
    links = coo_matrix((np.ones(len(place)), (place[first][tracklet], place)), shape=(len(numbers), len(numbers)))
    count, kin = connected_components(links, directed=False)
    names: list[tuple[str, ...]] = [()] * count
    called = list(number_of)
    for who, (numbering, identity) in zip(kin.tolist(), numbers.tolist(), strict=True):
        names[who] += (f"{called[numbering]}: {identity}",)
    return kin[place[first]].astype(np.int64), names


def _unix_s(store: Tracklets) -> NDArray[np.float64]:
    """(N,) when each crop was seen, seconds since 1970; NaN where the writer did not say."""
    began = {run.number: np.nan if run.began_unix_s is None else run.began_unix_s for run in store.runs}
    return store.time_s + np.array([began[number] for number in store.run.tolist()], np.float64)


def _wanted(store: Tracklets, config: DataConfig) -> NDArray[np.int64]:
    """Rows that are large and visible enough, at most so many a tracklet."""
    size = store.boxes[:, 2:] - store.boxes[:, :2]  # (N, 2)
    keep = (size[:, 0] >= config.least_width_px) & (size[:, 1] >= config.least_height_px)
    keep &= 1 - store.covered >= config.least_visibility
    rows = np.flatnonzero(keep)
    if config.most_crops is not None:
        rows = rows[spread_evenly(store.tracklet[rows], store.time_s[rows], config.most_crops)]
    return rows


def _together(stores: list[Tracklets], tracklets: NDArray[np.int64]) -> NDArray[np.int64]:
    """(M, 2) pairs of rows of `tracklets` (i, 2: store and number, sorted) that were seen together."""
    pairs = []
    for k, store in enumerate(stores):
        start, end = np.searchsorted(tracklets[:, 0], [k, k + 1])
        numbers = tracklets[start:end, 1]  # of the tracklets that have a crop left
        known = np.isin(store.together, numbers).all(axis=1)
        pairs.append(np.searchsorted(numbers, store.together[known]) + start)
    return np.concatenate(pairs)

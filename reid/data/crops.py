"""Crops to learn from and to measure on: who, where, when; and their pixels when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid.card import Resize
from reid.data.cache import PixelCache
from reid.data.pictures import JoinedPictures, PictureSource
from reid.data.relations import DIFFERENT, SAME, UNKNOWN
from reid.errors import InputError

DEFAULT_CACHE_MB = 512


class Crops:
    """N crops of I identities. An identity is a labelled one, or a tracklet, of which less is known.

    Rows can be selected with `subset`, which shares pictures and, unless told otherwise, the cache with the
    original.

    Args:
        pictures: where pixels come from.
        identity: (N,) which of `names`.
        names: what each identity is called, (I,).
        labelled: (I,) bool; two labelled identities are known to be different. True or False for all.
        picture: (N,) which picture; None for 0..N-1.
        camera: (N,) numbers of cameras, -1 unknown.
        time_s: (N,) seconds on the clock of its group, NaN unknown.
        group: (N,) what was filmed together, such as one video; -1 unknown.
        groups: how many of these there are, with those of which no crop is here; None: up to the highest number.
        together: (M, 2) pairs of identities that were seen at the same moment, so that they are different.
        unix_s: (N,) seconds since 1970, NaN unknown.
        kin: (I,) identities with the same number may be one object (tracklets that the tracker joined by appearance).
        kin_names: all that each number of `kin` is called, wherever else it is read.
        distractor: (I,) bool; nobody in particular, as each 0000 of Market-1501 is. True or False for all.
        licence: under which the data may be used, where that is known.
        cache: of resized pictures; None for a new one.

    Raises:
        InputError: lengths or numbers do not fit each other.
    """

    def __init__(
        self,
        pictures: PictureSource,
        identity: ArrayLike,
        names: Sequence[str],
        *,
        labelled: ArrayLike = True,
        picture: ArrayLike | None = None,
        camera: ArrayLike | None = None,
        time_s: ArrayLike | None = None,
        group: ArrayLike | None = None,
        groups: int | None = None,
        unix_s: ArrayLike | None = None,
        together: ArrayLike | None = None,
        kin: ArrayLike | None = None,
        kin_names: Sequence[tuple[str, ...]] | None = None,
        distractor: ArrayLike = False,
        licence: str | None = None,
        cache: PixelCache | None = None,
    ) -> None:
        self.identity: NDArray[np.int64] = np.asarray(identity, np.int64)
        """(N,) number of the identity in `names`."""
        n, count = len(self.identity), len(names)
        self.names: tuple[str, ...] = tuple(names)
        """(I,) what each identity is called; a subset keeps all of them, so that numbers keep their meaning."""
        self.labelled: NDArray[np.bool_] = np.broadcast_to(np.asarray(labelled, np.bool_), (count,)).copy()
        """(I,) two labelled identities are different; of others only those that were seen together."""
        self.camera: NDArray[np.int64] = _column("camera", camera, n, np.full(n, -1, np.int64))
        """(N,) int64 number of the camera, -1 unknown."""
        self.time_s: NDArray[np.float64] = _column("time_s", time_s, n, np.full(n, np.nan))
        """(N,) float64 seconds, comparable inside one group; NaN unknown."""
        self.group: NDArray[np.int64] = _column("group", group, n, np.full(n, -1, np.int64))
        """(N,) int64 what was filmed together, such as one video; -1 unknown."""
        self.groups: int = int(self.group.max(initial=-1)) + 1 if groups is None else groups
        """How many numbers groups have, whether or not a crop of each is here."""
        self.unix_s: NDArray[np.float64] = _column("unix_s", unix_s, n, np.full(n, np.nan))
        """(N,) float64 seconds since 1970; NaN unknown."""
        self.kin: NDArray[np.int64] = _column("kin", kin, count, np.arange(count))
        """(I,) int64; identities with the same number may be one object."""
        self.kin_names: tuple[tuple[str, ...], ...] = tuple(
            [(str(number),) for number in range(int(self.kin.max(initial=-1)) + 1)] if kin_names is None else kin_names
        )
        """All that each number of `kin` is called: the same in every reading of the data, where names were given."""
        self.distractor: NDArray[np.bool_] = np.broadcast_to(np.asarray(distractor, np.bool_), (count,)).copy()
        """(I,) nobody in particular: different from everybody, searched by measures and never searched for."""
        self.licence = licence
        """Under which the data may be used; None where nobody said."""
        self._picture: NDArray[np.int64] = _column("picture", picture, n, np.arange(n))
        self._cache = cache or PixelCache(pictures, DEFAULT_CACHE_MB << 20)
        pairs = np.zeros((0, 2), np.int64) if together is None else np.asarray(together, np.int64).reshape(-1, 2)
        self._check(pairs)
        # a sorted row of codes answers "seen together?" for many pairs at once
        self._together: NDArray[np.int64] = np.unique(pairs.min(axis=1) * max(count, 1) + pairs.max(axis=1))

    def __len__(self) -> int:
        return len(self.identity)

    def __repr__(self) -> str:
        kind = "identities" if self.labelled.all() else "tracklets"
        return f"Crops({len(self)} of {len(self.identities)} {kind})"

    @property
    def identities(self) -> NDArray[np.int64]:
        """(i,) numbers of the identities that have a crop here, ascending."""
        return np.unique(self.identity)

    @property
    def measured_identity(self) -> NDArray[np.int64]:
        """(N,) int64 identities as `reid.evaluation.evaluate` takes them: -1 for crops of distractors."""
        return np.where(self.distractor[self.identity], -1, self.identity)

    @property
    def together(self) -> NDArray[np.int64]:
        """(M, 2) int64 pairs of identities that were seen at the same moment, the lower number first, sorted."""
        return np.stack(np.divmod(self._together, max(len(self.names), 1)), axis=1)

    def subset(self, rows: ArrayLike, *, cache_mb: int | None = None) -> Crops:
        """The crops of these rows (indices or mask), in that order; nothing is copied but the columns.

        `cache_mb` gives them a cache of their own, of so many MiB, 0 for none: for whoever wants another size, since
        a shared cache keeps one size only.
        """
        chosen = np.arange(len(self))[np.asarray(rows)]
        pictures = self._cache.pictures
        return Crops(
            pictures,
            self.identity[chosen],
            self.names,
            labelled=self.labelled,
            picture=self._picture[chosen],
            camera=self.camera[chosen],
            time_s=self.time_s[chosen],
            group=self.group[chosen],
            groups=self.groups,
            unix_s=self.unix_s[chosen],
            together=self.together,
            kin=self.kin,
            kin_names=self.kin_names,
            distractor=self.distractor,
            licence=self.licence,
            cache=self._cache if cache_mb is None else PixelCache(pictures, cache_mb << 20),
        )

    def regrouped(
        self,
        identity: ArrayLike,
        names: Sequence[str],
        *,
        labelled: ArrayLike = True,
        together: ArrayLike | None = None,
        kin: ArrayLike | None = None,
        kin_names: Sequence[tuple[str, ...]] | None = None,
    ) -> Crops:
        """The same crops under other identities (N,), -1 for those that are left out; pictures and cache are shared."""
        numbers = np.asarray(identity, np.int64)
        kept = numbers >= 0
        return Crops(
            self._cache.pictures,
            numbers[kept],
            names,
            labelled=labelled,
            picture=self._picture[kept],
            camera=self.camera[kept],
            time_s=self.time_s[kept],
            group=self.group[kept],
            groups=self.groups,
            unix_s=self.unix_s[kept],
            together=together,
            kin=kin,
            kin_names=kin_names,
            licence=self.licence,
            cache=self._cache,
        )

    def pixels(self, rows: ArrayLike, height_px: int, width_px: int, resize: Resize = "linear") -> NDArray[np.uint8]:
        """Crops of these rows (n,), stretched to one size: (n, height_px, width_px, 3) uint8 BGR, the caller's to keep.

        Read by several threads and remembered up to the budget of the cache. Resized as `reid.Embedder` does by
        a card that says `resize`; JPEGs more than four times as large are reduced by averaging first.

        Raises:
            DataError: a picture cannot be read; the message names it.
            InputError: a size is below 1.
        """
        if height_px < 1 or width_px < 1:
            raise InputError(f"height_px and width_px must be 1 or more, got {height_px} and {width_px}")
        return self._cache.pixels(self._picture[np.asarray(rows, np.int64)], height_px, width_px, resize)

    def picture(self, row: int) -> tuple[PictureSource, int]:
        """Where the picture of one row comes from, and its number there."""
        return self._cache.pictures, int(self._picture[row])

    def picture_name(self, row: int) -> str:
        """The file of one row, or what it was cut from: for messages and for showing examples."""
        source, index = self.picture(row)
        return source.name(index)

    def relations(self, rows: ArrayLike, others: ArrayLike | None = None) -> NDArray[np.int8]:
        """What is known of each pair of these rows (n,): (n, n) of SAME, DIFFERENT, UNKNOWN; SAME on the diagonal.

        With `others` (m,), of each of these rows with each of those: (n, m).
        """
        mine, row = np.unique(self.identity[np.asarray(rows, np.int64)], return_inverse=True)
        theirs, column = mine, row
        if others is not None:
            theirs, column = np.unique(self.identity[np.asarray(others, np.int64)], return_inverse=True)
        a, b = mine[:, None], theirs[None, :]  # (i, j) when compared
        known = self.labelled[a] & self.labelled[b]
        if len(self._together):
            codes = np.minimum(a, b) * len(self.names) + np.maximum(a, b)
            found = np.minimum(np.searchsorted(self._together, codes), len(self._together) - 1)
            known = known | (self._together[found] == codes)
        table = np.where(a == b, SAME, np.where(known, DIFFERENT, UNKNOWN)).astype(np.int8)
        return np.asarray(table[row[:, None], column[None, :]])

    def _check(self, pairs: NDArray[np.int64]) -> None:
        _check_range("identity", self.identity, len(self.names))
        _check_range("picture", self._picture, len(self._cache.pictures))
        _check_range("together", pairs, len(self.names))
        _check_range("kin", self.kin, len(self.kin_names))
        if self.group.max(initial=-1) >= self.groups:
            raise InputError(f"groups must be above each of them, got {self.groups} and {self.group.max()}")
        if (pairs[:, 0] == pairs[:, 1]).any():
            raise InputError("together must be pairs of two different identities")


def join_crops(parts: Sequence[Crops], *, cache_mb: int = DEFAULT_CACHE_MB) -> Crops:
    """Several data sets as one. Labelled identities of different sets count as different from each other.

    Identities and groups are numbered on; cameras too, since camera 1 of one set is not camera 1 of another.

    Raises:
        InputError: there is no data set.
    """
    if not parts:
        raise InputError("join_crops needs at least one data set, got none")
    pictures = JoinedPictures([part._cache.pictures for part in parts])
    start = np.cumsum([0, *(len(part._cache.pictures) for part in parts)])
    before = np.cumsum([0, *(len(part.names) for part in parts)])
    licences = [part.licence for part in parts]
    return Crops(
        pictures,
        np.concatenate([part.identity + k for part, k in zip(parts, before, strict=False)]),
        [name for part in parts for name in part.names],
        labelled=np.concatenate([part.labelled for part in parts]),
        picture=np.concatenate([part._picture + k for part, k in zip(parts, start, strict=False)]),
        camera=_number_on([part.camera for part in parts]),
        time_s=np.concatenate([part.time_s for part in parts]),
        group=_number_on([part.group for part in parts], [part.groups for part in parts]),
        groups=sum(part.groups for part in parts),
        unix_s=np.concatenate([part.unix_s for part in parts]),
        together=np.concatenate([part.together + k for part, k in zip(parts, before, strict=False)]),
        kin=_number_on([part.kin for part in parts], [len(part.kin_names) for part in parts]),
        kin_names=[name for part in parts for name in part.kin_names],
        distractor=np.concatenate([part.distractor for part in parts]),
        licence=None if None in licences else "; ".join(sorted({str(licence) for licence in licences})),
        cache=PixelCache(pictures, cache_mb << 20),
    )


def _number_on(columns: Sequence[NDArray[np.int64]], counts: Sequence[int] | None = None) -> NDArray[np.int64]:
    """Concatenate numbers so that no two columns share one; -1 stays. `counts`: how many each column may have."""
    counts = counts or [int(column.max(initial=-1)) + 1 for column in columns]
    before = np.cumsum([0, *counts])
    return np.concatenate([np.where(c >= 0, c + start, -1) for c, start in zip(columns, before, strict=False)])


def _check_range(name: str, numbers: NDArray[np.int64], count: int) -> None:
    if numbers.size and not (numbers.min() >= 0 and numbers.max() < count):
        raise InputError(f"{name} must be within 0..{count - 1}, got {numbers.min()}..{numbers.max()}")


def _column(name: str, values: ArrayLike | None, length: int, default: NDArray[Any]) -> NDArray[Any]:
    if values is None:
        return default
    column = np.asarray(values, default.dtype)
    if column.shape != (length,):
        raise InputError(f"{name} must have shape ({length},), got {column.shape}")
    return column

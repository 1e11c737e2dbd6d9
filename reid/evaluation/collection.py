"""Crops to measure on, with their queries where the data set names them, and their vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid.card import Resize
from reid.errors import InputError
from reid.evaluation.protocol import Mask, Rows, Unknown
from reid.evaluation.scoring import Progress

if TYPE_CHECKING:
    from reid.data import Crops

_AT_ONCE = 64  # crops that are read and embedded together


class CropEmbedder(Protocol):
    """What an evaluation needs of `reid.Embedder`."""

    @property
    def card(self) -> Any: ...
    def crops(self, pixels: Any) -> NDArray[np.float32]: ...


@dataclass(frozen=True, slots=True)
class Collection:
    """One set of crops, or a gallery followed by the queries of a given split. Columns are (N,) over all of them."""

    parts: tuple[Crops, ...]
    """The gallery, and the queries where they are given."""
    identity: NDArray[np.int64]
    """Who it is, a number in `names`; -1 for a distractor, who is nobody to search for."""
    camera: NDArray[np.int64]
    """Which camera saw it, -1 unknown."""
    time_s: NDArray[np.float64]
    """When, on the clock of its group; NaN unknown."""
    group: NDArray[np.int64]
    """What was filmed together; -1 unknown."""
    names: tuple[str, ...]
    """(I,) of the identities."""
    query: NDArray[np.bool_] | None = None
    """Which crops query; None where the protocol chooses."""

    @classmethod
    def of(cls, crops: Crops, queries: Crops | None = None) -> Collection:
        """Of one data set, or of a gallery and its queries, whose identities are matched by name.

        Where both name groups, no clock of the one is a clock of the other: videos are numbered, not named.

        Raises:
            InputError: the data set and the queries have no identity in common, or hold tracklets.
        """
        identity, camera, time_s, group = crops.measured_identity, crops.camera, crops.time_s, crops.group
        if queries is None:
            return cls((crops,), identity, camera, time_s, _shared_clock(group), crops.names)
        if not all(part.labelled[part.identities].all() for part in (crops, queries)):
            raise InputError("queries of their own need labelled data: tracklets are numbered anew in every store")
        numbers, names = _matched_names(crops, queries)
        return cls(
            (crops, queries),
            np.concatenate((identity, np.where(queries.measured_identity < 0, -1, numbers[queries.identity]))),
            np.concatenate((camera, queries.camera)),
            np.concatenate((time_s, queries.time_s)),
            _shared_clock(np.concatenate((group, np.where(queries.group < 0, -1, queries.group + group.max() + 1)))),
            names,
            np.repeat((False, True), (len(crops), len(queries))),
        )

    def __len__(self) -> int:
        return len(self.identity)

    def pixels(self, rows: ArrayLike, height_px: int, width_px: int, resize: Resize = "linear") -> NDArray[np.uint8]:
        """(n,) rows -> (n, height_px, width_px, 3) uint8 BGR."""
        chosen = np.asarray(rows, np.int64)
        out = np.empty((len(chosen), height_px, width_px, 3), np.uint8)
        start = 0
        for part in self.parts:
            here = np.flatnonzero((chosen >= start) & (chosen < start + len(part)))
            if len(here):
                out[here] = part.pixels(chosen[here] - start, height_px, width_px, resize)
            start += len(part)
        return out

    def unknown(self) -> Unknown | None:
        """Names the pairs of tracklets that may be one object or two; None for labelled data."""
        crops = self.parts[0]
        return None if crops.labelled[crops.identities].all() else _unknown_pairs(crops)


def embed(
    embedder: CropEmbedder,
    collection: Collection,
    rows: Sequence[int] | NDArray[np.int64],
    *,
    change: Callable[[NDArray[np.uint8], NDArray[np.int64]], NDArray[np.uint8]] | None = None,
    progress: Progress | None = None,
) -> NDArray[np.float32]:
    """(n,) rows -> (n, D) unit vectors, read in small parts; `change(pixels, rows)` may alter the pixels first."""
    chosen = np.asarray(rows, np.int64)
    card = embedder.card
    vectors = np.empty((len(chosen), card.dimension), np.float32)
    for start in range(0, len(chosen), _AT_ONCE):
        part = chosen[start : start + _AT_ONCE]
        pixels = collection.pixels(part, card.height_px, card.width_px, card.resize)
        vectors[start : start + len(part)] = embedder.crops(pixels if change is None else change(pixels, part))
        if progress is not None:
            progress(start + len(part), len(chosen))
    return vectors


def _shared_clock(group: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N,) groups; where no crop has one, all share one clock."""
    return np.zeros_like(group) if (group < 0).all() else group


def _matched_names(crops: Crops, queries: Crops) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """The number, among the gallery's identities, of each identity of the queries, and all names.

    A name that several identities bear is nobody's.
    """
    number: dict[str, int] = {}
    twice: set[str] = set()
    for place, name in enumerate(crops.names):
        twice.update((name,) if name in number else ())
        number[name] = place
    names = list(crops.names)
    found = np.empty(len(queries.names), np.int64)
    for place, name in enumerate(queries.names):
        found[place] = number[name] if name in number and name not in twice else len(names)
        if found[place] == len(names):
            names.append(name)
    if not np.isin(found[queries.identities], crops.identities).any():
        raise InputError(
            f"queries and gallery must have identities of the same names, got {queries.names[0]!r} and so on "
            f"against {crops.names[0]!r} and so on"
        )
    return found, tuple(names)


def _unknown_pairs(crops: Crops) -> Unknown:
    count = max(len(crops.names), 1)
    together = crops.together  # (M, 2), the lower number first
    codes = np.sort(together[:, 0] * count + together[:, 1])

    def unknown(rows: Rows, gallery: Rows) -> Mask:
        """(T,), (G,) -> (T, G) of two tracklets that were never seen at one moment, labelled both neither."""
        mine, my_place = np.unique(crops.identity[rows], return_inverse=True)
        theirs, their_place = np.unique(crops.identity[gallery], return_inverse=True)
        a, b = mine[:, None], theirs[None, :]  # (t, g) when compared
        known = (a == b) | (crops.labelled[a] & crops.labelled[b])
        if len(codes):
            pairs = np.minimum(a, b) * count + np.maximum(a, b)
            known |= codes[np.minimum(np.searchsorted(codes, pairs), len(codes) - 1)] == pairs
        return np.asarray(~known[my_place][:, their_place])

    return unknown

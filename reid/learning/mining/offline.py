"""Mining of a whole data set between epochs, into a list that is then trained from."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reid.checks import check_number, check_whole
from reid.errors import DataError, InputError
from reid.learning.distances import check_distance, pairwise
from reid.learning.loss_choices import DistanceName, MiningName
from reid.learning.mining.exhaustive import BatchAll, Exhaustive, Hard
from reid.learning.mining.names import open_miner
from reid.learning.mining.pairs import Miner, Pairs
from reid.learning.mining.triplet_list import TripletList
from reid.learning.relations import check_labels, masks, relations_between

Relate = Callable[[Tensor], Tensor]
"""(r,) int64 rows of a data set of N -> (r, N) relations of those rows to all: for sets too large for (N, N)."""

_KNOWN_BY = 64  # rows whose relations tell a data set from others
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class OfflineConfig:
    """How a data set is mined between epochs."""

    mining: MiningName = "semi_hard"
    """Which triplets go into the list."""
    distance: DistanceName = "euclidean"
    """By which distance they are mined."""
    margin: float = 0.3
    """Margin within which semi_hard looks."""
    refresh_epochs: int = 5
    """Mine anew every so many epochs: a list grows stale as the network learns."""
    most_triplets: int = 1_000_000
    """Longest list; of more triplets so many are drawn, each as likely as the others."""
    tile_rows: int = 256
    """Anchors that are compared with the whole set at once: memory is about 40 bytes * tile_rows * N."""
    seed: int = 0
    """Of what is drawn."""

    def __post_init__(self) -> None:
        for name in ("refresh_epochs", "most_triplets", "tile_rows"):
            check_whole(name, getattr(self, name), 1)
        check_number("margin", self.margin, above=0)
        check_distance(self.distance)
        open_miner(self.mining)


@torch.no_grad()
def mine_data_set(
    embeddings: Tensor,
    labels: Tensor | None = None,
    *,
    relations: Tensor | Relate | None = None,
    config: OfflineConfig | None = None,
    miner: Miner | Exhaustive | None = None,
    epoch: int = 0,
) -> TripletList:
    """Mine a whole data set: (N, D) embeddings with labels (N,), or relations (N, N), or a function of rows for them.

    `miner` is used instead of the one that the configuration names. Draws depend on the seed and the epoch. Needs
    O(tile_rows * N) memory, and not more than twice `most_triplets` at once.

    Raises:
        InputError: shapes do not fit, or not exactly one of labels and relations was given.
    """
    config = config or OfflineConfig()
    seed = int(np.random.default_rng((config.seed, epoch)).integers(1 << 62))
    chosen = open_miner(config.mining, margin=config.margin, seed=seed) if miner is None else miner
    relate = _relate(embeddings, labels, relations)
    sample = _Sample(config.most_triplets, seed)
    for start in range(0, len(embeddings), config.tile_rows):
        rows = torch.arange(start, min(start + config.tile_rows, len(embeddings)), device=embeddings.device)
        pairs = _tile(embeddings, rows, relate(rows), config.distance)
        _add(sample, chosen, pairs, start)
    name = config.mining if miner is None else type(miner).__name__
    found = TripletList(sample.rows(), len(embeddings), name, epoch)
    _logger.info("mined %d of %d triplets (%s) before epoch %d", len(found), sample.seen, name, epoch)
    return found


class OfflineTriplets:
    """The list to train an epoch from, mined anew every `refresh_epochs` epochs and kept in a file in between.

    Args:
        embed: Gives the embeddings (N, D) of the whole data set by the network as it is now; called when mining.
        labels: (N,), or None with relations.
        relations: (N, N), or a function of rows.
        config: How to mine.
        path: Where the list is kept: a run that is resumed goes on with the list that it had. A list of other data is
            refused: it must have been mined from rows with these labels, or with these relations of some 64 rows that
            are spread over the set, which a function is then asked for with rows on the CPU.
        data: What else to know the data set by, such as a hash of its pictures.

    Raises:
        InputError: not exactly one of labels and relations was given.
    """

    def __init__(
        self,
        embed: Callable[[], Tensor],
        labels: Tensor | None = None,
        *,
        relations: Tensor | Relate | None = None,
        config: OfflineConfig | None = None,
        path: str | Path | None = None,
        data: str = "",
    ) -> None:
        if (labels is None) == (relations is None):
            raise InputError("give exactly one of labels and relations")
        self._embed = embed
        self._labels = labels
        self._relations = relations
        self._config = config or OfflineConfig()
        self._path = None if path is None else Path(path)
        self._data = data
        self._current: TripletList | None = None

    def for_epoch(self, epoch: int) -> TripletList:
        """The list of an epoch, counted from 0: mined now, or in the last epoch that is a multiple of the refresh.

        Raises:
            DataError: the file at the path is no triplet list, or is one of other data.
        """
        mined_at = epoch - epoch % self._config.refresh_epochs
        if self._current is None and self._path is not None and self._path.exists():
            self._current = self._read(self._path)
        current = self._current
        if current is None or current.epoch != mined_at or current.mining != self._config.mining:
            current = self._mine(mined_at)
        return current

    def _read(self, path: Path) -> TripletList:
        found, expected = TripletList.read(path), self._fingerprint()
        if found.data != expected:
            raise DataError(
                f"{path} holds triplets of other data ({found.data or 'unknown'}) than is mined here ({expected}): "
                "give another path, or delete it to mine anew"
            )
        return found

    def _mine(self, epoch: int) -> TripletList:
        mined = mine_data_set(self._embed(), self._labels, relations=self._relations, config=self._config, epoch=epoch)
        self._current = mined
        if self._path is not None:
            self._current = replace(mined, data=self._fingerprint())
            self._current.write(self._path)
        return self._current

    def _fingerprint(self) -> str:
        """How many rows there are, and a hash of what is known of them."""
        known = _described(self._labels, self._relations)
        digest = hashlib.sha256(known.cpu().contiguous().numpy().tobytes() + self._data.encode())
        return f"{known.shape[-1]} rows {digest.hexdigest()[:12]}"


class _Sample:
    """So many of a stream of triplets, all equally likely: those with the smallest random keys."""

    def __init__(self, most: int, seed: int) -> None:
        self._most = most
        self._rng = np.random.default_rng(seed)
        self._rows: list[NDArray[np.int64]] = [np.empty((0, 3), np.int64)]  # in parts, and their keys
        self._keys: list[NDArray[np.float64]] = [np.empty(0)]
        self._held = 0
        self._limit = np.inf  # no key above it is among the smallest any more
        self.seen = 0

    def add(self, rows: NDArray[np.int64]) -> None:
        self.seen += len(rows)
        keys = self._rng.random(len(rows))
        small = np.flatnonzero(keys <= self._limit)
        self._rows.append(rows[small])
        self._keys.append(keys[small])
        self._held += len(small)
        if self._held > 2 * self._most:
            self._cut()

    def rows(self) -> NDArray[np.int64]:
        if self._held > self._most:
            self._cut()
        return np.concatenate(self._rows)

    def _cut(self) -> None:
        rows, keys = np.concatenate(self._rows), np.concatenate(self._keys)
        kept = np.sort(np.argpartition(keys, self._most - 1)[: self._most])
        self._rows, self._keys, self._held = [rows[kept]], [keys[kept]], self._most
        self._limit = float(self._keys[0].max())


def _add(sample: _Sample, miner: Miner | Exhaustive, pairs: Pairs, start: int) -> None:
    """Put the triplets of a tile, whose first anchor is row `start` of the set, into the sample."""
    if not isinstance(miner, BatchAll | Hard):
        sample.add(_numbered(miner(pairs).listed(), start))
        return
    for row in range(len(pairs.same)):  # all triplets of a tile may be too many at once
        one = slice(row, row + 1)
        part = Pairs(pairs.distances[one], pairs.same[one], pairs.different[one], pairs.distance, pairs.dimension)
        sample.add(_numbered(miner.listed(part), start + row))


def _numbered(triplets: Tensor, start: int) -> NDArray[np.int64]:
    """(T, 3) with anchors counted from 0 -> with anchors counted from `start`."""
    rows: NDArray[np.int64] = triplets.cpu().numpy()
    rows[:, 0] += start
    return rows


def _tile(embeddings: Tensor, rows: Tensor, relations: Tensor, distance: DistanceName) -> Pairs:
    """The pairs of some rows with the whole data set."""
    expected = (len(rows), len(embeddings))
    if relations.shape != expected:
        raise InputError(f"relations of {len(rows)} rows must be {expected}, got {tuple(relations.shape)}")
    same, different = masks(relations, own_rows=False)
    own = torch.arange(len(rows), device=rows.device)
    same[own, rows] = False  # a row is no pair with itself, whatever the relation says
    different[own, rows] = False
    return Pairs(
        pairwise(embeddings[rows], embeddings, distance=distance), same, different, distance, embeddings.shape[1]
    )


def _relate(embeddings: Tensor, labels: Tensor | None, relations: Tensor | Relate | None) -> Relate:
    """One way to ask for the relations of some rows to all."""
    if embeddings.ndim != 2 or len(embeddings) == 0:
        raise InputError(f"embeddings must be (N, D) with N at least 1, got {tuple(embeddings.shape)}")
    if (labels is None) == (relations is None):
        raise InputError("give exactly one of labels and relations")
    if labels is not None:
        check_labels(embeddings, labels)
        known = labels
        return lambda rows: relations_between(known[rows], known)
    if isinstance(relations, Tensor):
        table = relations
        if table.shape != (len(embeddings), len(embeddings)):
            raise InputError(f"relations must be {(len(embeddings),) * 2}, got {tuple(table.shape)}")
        return lambda rows: table[rows]
    assert relations is not None, "one of the two was given"
    return relations


def _described(labels: Tensor | None, relations: Tensor | Relate | None) -> Tensor:
    """(N,) the labels, or (r, N) the relations of some rows to all."""
    if labels is not None:
        return labels.to(torch.int64)
    assert relations is not None, "one of the two was given"
    ask = relations.__getitem__ if isinstance(relations, Tensor) else relations
    count = ask(torch.zeros(1, dtype=torch.int64)).shape[-1]
    rows = torch.linspace(0, count - 1, min(count, _KNOWN_BY), dtype=torch.float64).round().to(torch.int64)
    return ask(rows).to(torch.int8)

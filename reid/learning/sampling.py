"""Batches of P identities with K pictures each, which triplet mining needs. Needs numpy alone."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid.checks import check_whole
from reid.data.crops import Crops
from reid.errors import InputError
from reid.learning.company import Company

_logger = logging.getLogger(__name__)
_BATCH, _EPOCH = 0, 1  # second words of the seeds of the two kinds of draws


@dataclass(frozen=True, slots=True)
class SamplerConfig:
    """What a batch is made of."""

    identities: int = 16
    """P, identities in a batch; all of them where there are fewer."""
    pictures: int = 4
    """K, pictures of each; an identity that has fewer gives some of them more than once."""
    least_pictures: int = 2
    """Identities with fewer pictures are left out: a single picture has no positive. 1 takes them all."""
    spread_time: bool = True
    """Where times are known, take an identity's pictures from K equal parts of its time: neighbours in time look the
    same and teach nothing."""
    spread_cameras: bool = True
    """Where cameras are known, take an identity's pictures from as many cameras as possible."""
    together: Literal["auto", "always", "never"] = "auto"
    """Whether a batch is made of groups of identities that were seen together, so that each anchor has a certain (and,
    from one scene, a hard) negative: `auto` where there are tracklets, of which nothing else is certain."""
    most_together: int = 8
    """Most identities in one such group; 2 or more."""

    def __post_init__(self) -> None:
        for name, least in (("identities", 2), ("pictures", 2), ("least_pictures", 1), ("most_together", 2)):
            check_whole(name, getattr(self, name), least)
        if self.together not in ("auto", "always", "never"):
            raise InputError(f"together must be one of auto, always, never, got {self.together!r}")


class PkSampler:
    """Endless batches of rows; in each epoch every identity comes at least once.

    Everything that is drawn depends on the seed and on the number of the batch or epoch alone, so that a sampler that
    is restored goes on exactly as the one whose state it was. Rows of one identity stand together.

    Source: Hermans, Beyer, Leibe 2017, "In Defense of the Triplet Loss", section 2 ("PK batches").

    Args:
        crops: what to draw from.
        config: see `SamplerConfig`.
        seed: the same gives the same batches.

    Raises:
        InputError: fewer than two identities can be drawn.
    """

    def __init__(self, crops: Crops, config: SamplerConfig | None = None, seed: int = 0) -> None:
        self.config = config or SamplerConfig()
        self._seed, self._batch, self._epoch = seed, 0, -1
        together = self.config.together
        self._grouped = together == "always" or (together == "auto" and not crops.labelled[crops.identities].all())
        numbers, count = np.unique(crops.identity, return_counts=True)
        numbers = numbers[count >= self.config.least_pictures]
        partners = Company(crops, numbers) if self._grouped else None
        if partners is not None:
            alone = np.array([not len(partners.of(k)) for k in range(len(numbers))], np.bool_)
            if alone.any():
                _logger.info("%d identities were seen together with nobody and are left out", int(alone.sum()))
                numbers = numbers[~alone]
                partners = Company(crops, numbers)
        self._partners = partners
        self.identities: NDArray[np.int64] = numbers
        """(E,) numbers of the identities that are drawn from."""
        if len(numbers) < 2:
            raise InputError(
                f"sampling needs two identities or more with at least {self.config.least_pictures} pictures each"
                + " that were seen together" * self._grouped
                + f", got {len(numbers)} of {len(crops.identities)}"
            )
        self.identities_per_batch: int = min(self.config.identities, len(numbers))
        """P, or less where there are fewer identities."""
        self._rows = _rows_by_time(crops, numbers)
        self._crops = crops
        self._waiting: NDArray[np.int64] = np.zeros(0, np.int64)  # (w,) who has not come in this epoch, in order

    @property
    def batch_size(self) -> int:
        """Rows in each batch."""
        return self.identities_per_batch * self.config.pictures

    def __iter__(self) -> Iterator[NDArray[np.int64]]:
        return self

    def __next__(self) -> NDArray[np.int64]:
        """The next batch: (P * K,) rows."""
        rng = np.random.default_rng([self._seed, _BATCH, self._batch])
        chosen = self._choose_together(rng) if self._partners is not None else self._choose()
        rows = np.concatenate([self._draw(self._rows[k], rng) for k in chosen])
        self._batch += 1
        return rows

    def state(self) -> dict[str, Any]:
        """All that `restore` needs, in plain whole numbers and lists."""
        return {
            "seed": self._seed,
            "identities": len(self.identities),
            "batch": self._batch,
            "epoch": self._epoch,
            "waiting": self._waiting.tolist(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on as the sampler with this state would have, given the same crops and configuration.

        Raises:
            InputError: it is the state of a sampler over other data.
        """
        if state["identities"] != len(self.identities):
            raise InputError(
                f"the state is of a sampler over {state['identities']} identities, and this one has "
                f"{len(self.identities)}: the data or the configuration changed"
            )
        self._seed, self._batch, self._epoch = int(state["seed"]), int(state["batch"]), int(state["epoch"])
        self._waiting = np.array(state["waiting"], np.int64)

    def _choose(self) -> list[int]:
        """P different identities (as places in `identities`), each once before any comes twice."""
        count = self.identities_per_batch
        # those who wait are different from each other, so that the first of them can come at once
        chosen: list[int] = self._waiting[:count].tolist()
        self._waiting = self._waiting[count:]
        while len(chosen) < count:
            chosen.append(self._next(chosen))
        return chosen

    def _next(self, chosen: list[int]) -> int:
        """Whoever waits longest and is not chosen yet; a new epoch begins where nobody is left."""
        free = np.flatnonzero(~np.isin(self._waiting, chosen))
        if not len(free):
            self._epoch += 1
            rng = np.random.default_rng([self._seed, _EPOCH, self._epoch])
            self._waiting = rng.permutation(len(self.identities))
            free = np.flatnonzero(~np.isin(self._waiting, chosen))
        who = int(self._waiting[free[0]])
        self._waiting = np.delete(self._waiting, free[0])
        return who

    def _choose_together(self, rng: np.random.Generator) -> list[int]:
        """P identities in groups in which everybody was seen together with everybody."""
        assert self._partners is not None
        groups: list[list[int]] = []
        left_out: list[int] = []
        while True:
            chosen = [who for group in groups for who in group]
            room = self.identities_per_batch - len(chosen)
            if not room:
                return chosen
            if room == 1 and groups:  # nobody can come along: somebody who knows one of those who are here
                near = np.concatenate([self._partners.of(k) for k in chosen])
                near = np.setdiff1d(near, chosen + left_out)
                if len(near):
                    groups.append([self._pick(near, rng)])
                    continue
                large = [group for group in groups if len(group) > 2]
                if large and not left_out:  # or one of those leaves, and two can come
                    left_out.append(large[-1].pop())
                    self._waiting = np.append(self._waiting[self._waiting != left_out[0]], left_out)
                    continue
            taken = chosen + left_out if room > 1 else chosen
            groups.append(self._group(min(room, self.config.most_together), taken, rng))

    def _group(self, most: int, taken: list[int], rng: np.random.Generator) -> list[int]:
        """Whoever waits longest, and at most so many in all who were seen together with everybody in the group."""
        assert self._partners is not None
        group = [self._next(taken)]
        common = np.setdiff1d(self._partners.of(group[0]), taken)
        while len(common) and len(group) < most:
            group.append(self._pick(common, rng))
            common = np.intersect1d(common, self._partners.of(group[-1]))
        return group

    def _pick(self, candidates: NDArray[np.int64], rng: np.random.Generator) -> int:
        """One of the candidates (sorted), of those who still wait in this epoch if there is any."""
        waiting = candidates[np.isin(candidates, self._waiting)]
        who = int(rng.choice(waiting if len(waiting) else candidates))
        self._waiting = self._waiting[self._waiting != who]
        return who

    def _draw(self, rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """K of an identity's rows (n,), which are in order of time."""
        count = self.config.pictures
        if len(rows) <= count:
            again = rng.permutation(rows)[: count % len(rows)]  # nobody comes twice more often than another
            return np.concatenate((np.tile(rows, count // len(rows)), again))
        cameras = self._crops.camera[rows]
        if self.config.spread_cameras and (cameras != cameras[0]).any():
            return rows[_deal(cameras, count, rng)]
        if self.config.spread_time and np.isfinite(self._crops.time_s[rows]).all():
            edges = np.linspace(0, len(rows), count + 1)
            low, high = np.ceil(edges[:-1]).astype(np.int64), np.ceil(edges[1:]).astype(np.int64)  # (K,) each
            return np.asarray(rows[rng.integers(low, high)])
        return np.asarray(rng.choice(rows, count, replace=False))


def _rows_by_time(crops: Crops, numbers: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Rows of each identity, in order of group and time."""
    order = np.lexsort((crops.time_s, crops.group, crops.identity))
    start = np.searchsorted(crops.identity[order], numbers)
    end = np.searchsorted(crops.identity[order], numbers, side="right")
    return [order[a:b] for a, b in zip(start.tolist(), end.tolist(), strict=True)]


def _deal(cameras: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Places (count,) of pictures (n,), n > count, from the cameras in turn; cameras and pictures in random order."""
    order = rng.permutation(len(cameras))
    _, which, size = np.unique(cameras[order], return_inverse=True, return_counts=True)
    by_camera = np.argsort(which, kind="stable")
    turn = np.empty(len(cameras), np.int64)  # the how-manieth of its camera each picture is
    turn[by_camera] = np.arange(len(cameras)) - np.repeat(np.cumsum(size) - size, size)
    return np.asarray(order[np.lexsort((rng.permutation(len(size))[which], turn))[:count]])


def pk_batches(
    labels: ArrayLike, *, identities: int, pictures: int, batches: int, seed: int
) -> Iterator[NDArray[np.int64]]:
    """Rows of each batch, (P * K,): `pictures` of each of `identities`, every identity once before any comes twice.

    `labels` (N,) names the identity of each row; a negative number says that nobody knows it, and leaves the row out.
    An identity with fewer than K pictures gives some of them more than once. The same seed gives the same batches.

    Source: Hermans et al. 2017, section 2 ("PK batches").

    Raises:
        InputError: there are fewer identities than P, or P or K is too small for triplets.
    """
    values = np.asarray(labels)
    known = np.flatnonzero(values >= 0 if values.dtype.kind in "if" else np.ones(values.shape, np.bool_))  # (n,)
    names, inverse = np.unique(values[known], return_inverse=True)
    if identities < 2 or pictures < 2:
        raise InputError(f"identities and pictures must be at least 2 to give triplets, got {identities}, {pictures}")
    if len(names) < identities:
        raise InputError(f"labels must name at least {identities} identities, got {len(names)}")
    rng = np.random.default_rng(seed)
    order = known[np.argsort(inverse, kind="stable")]
    rows_of = np.split(order, np.cumsum(np.bincount(inverse))[:-1])  # rows of each identity
    queue: list[int] = []
    for _ in range(batches):
        chosen: list[int] = []
        while len(chosen) < identities:
            if not queue:
                queue = rng.permutation(len(names)).tolist()
            chosen.append(queue.pop(_first_not_in(queue, chosen)))
        yield np.concatenate([_draw(rows_of[name], pictures, rng) for name in chosen]).astype(np.int64)


def _first_not_in(queue: list[int], chosen: list[int]) -> int:
    """Position in the queue of an identity that this batch does not have yet (0 after a refill with only such ones)."""
    return next((place for place, name in enumerate(queue) if name not in chosen), 0)


def _draw(rows: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    if len(rows) >= count:
        return np.asarray(rng.choice(rows, count, replace=False))
    return np.concatenate((rows, rng.choice(rows, count - len(rows), replace=True)))

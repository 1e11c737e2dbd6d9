"""Batches of P identities with K pictures each, which batch-hard mining needs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid.errors import InputError


def pk_batches(
    labels: ArrayLike, *, identities: int, pictures: int, batches: int, seed: int
) -> Iterator[NDArray[np.int64]]:
    """Rows of each batch, (P * K,): `pictures` of each of `identities`, every identity once before any comes twice.

    `labels` (N,) names the identity of each row. An identity with fewer than K pictures gives some of them more than
    once. The same seed gives the same batches.

    Source: Hermans et al. 2017, section 2 ("PK batches").

    Raises:
        InputError: there are fewer identities than P, or P or K is too small for triplets.
    """
    names, inverse = np.unique(np.asarray(labels), return_inverse=True)
    if identities < 2 or pictures < 2:
        raise InputError(f"identities and pictures must be at least 2 to give triplets, got {identities}, {pictures}")
    if len(names) < identities:
        raise InputError(f"labels must name at least {identities} identities, got {len(names)}")
    rng = np.random.default_rng(seed)
    order = np.argsort(inverse, kind="stable")
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
        return rng.choice(rows, count, replace=False)
    return np.concatenate((rows, rng.choice(rows, count - len(rows), replace=True)))

"""PK batches."""

from __future__ import annotations

import numpy as np
import pytest

from reid import InputError
from reid.learning.sampling import pk_batches

LABELS = np.repeat([10, 11, 12, 13, 14, 15], [5, 4, 1, 7, 4, 4])


def test_every_batch_has_p_identities_with_k_pictures_each() -> None:
    for rows in pk_batches(LABELS, identities=4, pictures=3, batches=40, seed=0):
        names, counts = np.unique(LABELS[rows], return_counts=True)
        assert len(names) == 4
        assert (counts == 3).all()
        for name in names[names != 12]:  # 12 has one picture only, which is repeated
            assert len(set(rows[LABELS[rows] == name].tolist())) == 3


def test_every_identity_comes_before_any_comes_twice() -> None:
    batches = list(pk_batches(LABELS, identities=3, pictures=2, batches=20, seed=1))
    for first, second in zip(batches[::2], batches[1::2], strict=True):
        assert len(set(LABELS[np.concatenate((first, second))].tolist())) == 6


def test_no_identity_is_twice_in_a_batch_where_rounds_meet() -> None:
    for rows in pk_batches(LABELS, identities=5, pictures=2, batches=50, seed=2):
        assert len(np.unique(LABELS[rows])) == 5


def test_rows_with_a_negative_label_are_in_no_batch() -> None:
    labels = np.concatenate(([-1, -1, -2], LABELS, [-1]))
    for rows, without in zip(
        pk_batches(labels, identities=6, pictures=2, batches=10, seed=0),
        pk_batches(LABELS, identities=6, pictures=2, batches=10, seed=0),
        strict=True,
    ):
        np.testing.assert_array_equal(rows, without + 3)
    with pytest.raises(InputError, match="at least 7 identities, got 6"):
        next(pk_batches(labels, identities=7, pictures=2, batches=1, seed=0))


def test_names_may_be_labels() -> None:
    rows = next(pk_batches(LABELS.astype(str), identities=6, pictures=2, batches=1, seed=0))
    assert len(np.unique(LABELS[rows])) == 6


def test_the_seed_decides() -> None:
    first, again, other = (
        np.stack(list(pk_batches(LABELS, identities=3, pictures=2, batches=8, seed=seed))) for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize(("identities", "pictures"), [(1, 2), (2, 1), (7, 2)])
def test_impossible_batches_are_refused(identities: int, pictures: int) -> None:
    with pytest.raises(InputError, match="must"):
        next(pk_batches(LABELS, identities=identities, pictures=pictures, batches=1, seed=0))

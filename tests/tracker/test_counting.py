"""How many identities a run has met."""

from __future__ import annotations

import numpy as np

from tracker import Tracks
from tracker.counting import IdentityCount


def test_every_number_counts_once_whenever_it_comes() -> None:
    count = IdentityCount()
    totals = []
    for ids in ([], [1, 2], [2], [], [2, 4, 3], [1], [4, 5]):
        n = len(ids)
        boxes = np.zeros((n, 4), np.float32)
        rows = np.arange(n)
        count.update(Tracks(np.array(ids, np.int64), boxes, np.ones(n, np.float32), rows, rows))
        totals.append(count.total)
    assert totals == [0, 2, 2, 2, 4, 4, 5]


def test_a_tracker_that_has_counted_before_is_not_counted_again() -> None:
    count = IdentityCount()
    one = np.zeros(1, np.int64)
    count.update(Tracks(one + 17, np.zeros((1, 4), np.float32), np.ones(1, np.float32), one, one))
    assert count.total == 1

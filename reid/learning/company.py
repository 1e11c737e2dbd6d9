"""Who was seen together with whom, for drawing batches. Needs numpy alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reid.data.crops import Crops


class Company:
    """Who is known to be different from whom: seen at the same moment, or labelled and in one video.

    Args:
        crops: where that is known from.
        numbers: (E,) the identities that count, ascending.
    """

    def __init__(self, crops: Crops, numbers: NDArray[np.int64]) -> None:
        pairs = crops.together
        pairs = np.searchsorted(numbers, pairs[np.isin(pairs, numbers).all(axis=1)])  # (m, 2) places in `numbers`
        both = np.concatenate((pairs, pairs[:, ::-1]))
        both = both[np.lexsort((both[:, 1], both[:, 0]))]
        self._start = np.searchsorted(both[:, 0], np.arange(len(numbers) + 1))
        self._other = both[:, 1]
        # labelled identities of one video are different, whether they met or not
        rows = crops.labelled[crops.identity] & (crops.group >= 0) & np.isin(crops.identity, numbers)
        member = np.stack((crops.group[rows], np.searchsorted(numbers, crops.identity[rows])), axis=1)
        member = np.unique(member, axis=0)  # (p, 2) group and place
        self._members = {int(group): member[member[:, 0] == group, 1] for group in np.unique(member[:, 0]).tolist()}
        self._groups: dict[int, list[int]] = {}
        for group, place in member.tolist():
            self._groups.setdefault(place, []).append(group)

    def of(self, place: int) -> NDArray[np.int64]:
        """Sorted places of those who were seen together with this one."""
        met = self._other[self._start[place] : self._start[place + 1]]
        parts = [met, *(self._members[group] for group in self._groups.get(place, ()))]
        everybody = np.unique(np.concatenate(parts))
        return np.asarray(everybody[everybody != place])

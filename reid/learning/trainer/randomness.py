"""One seed from several numbers: what is drawn at a step depends on the seed and the step alone, and can be resumed."""

from __future__ import annotations

import numpy as np


def seed_of(*words: int) -> int:
    """A seed for torch, 0 .. 2^63 - 1, that differs wherever a word does."""
    # the length first: numpy pads with zeros, so that (1,) and (1, 0) would be one
    state = np.random.SeedSequence((len(words), *words)).generate_state(1, np.uint64)
    return int(state[0] >> np.uint64(1))

"""The size of each step: a function of the step alone, so that a resumed run cannot differ."""

from __future__ import annotations

import math

from reid.learning.trainer.config import OptimizerConfig

_FIRST_SHARE = 0.01  # of the highest step size, at the first step: Adam's moments are estimates of nothing at first


def learning_rate(step: int, steps: int, config: OptimizerConfig) -> float:
    """The step size at `step` (1..steps): a line up to the highest, then half a cosine down.

    Source: Goyal et al. 2017, "Accurate, Large Minibatch SGD", section 2.2 (warm-up); Loshchilov and Hutter 2017,
    "SGDR", eq. 5 with one cycle.
    """
    warmup = warmup_steps(steps, config)
    if step <= warmup:
        return config.learning_rate * (_FIRST_SHARE + (1 - _FIRST_SHARE) * step / warmup)
    done = (step - warmup) / max(steps - warmup, 1)  # 0 after the warm-up .. 1 at the end
    share = config.final_share + (1 - config.final_share) * 0.5 * (1 + math.cos(math.pi * done))
    return config.learning_rate * share


def warmup_steps(steps: int, config: OptimizerConfig) -> int:
    """How many steps the step size rises."""
    return round(steps * config.warmup_share)

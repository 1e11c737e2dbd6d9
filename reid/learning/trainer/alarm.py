"""Notices a training that learns nothing, and says what to change."""

from __future__ import annotations

import math

from reid.errors import ReidError
from reid.learning.trainer.config import AlarmConfig
from reid.learning.trainer.progress import TrainProgress

_ADVICE = (
    "Take a lower optimizer.learning_rate (a third of it), a longer optimizer.warmup_share, loss.mining semi_hard or "
    "loss.margin soft for the beginning, or identities beside the triplets (loss.identity_weight 1); and look whether "
    "the labels are right"
)
_LEAST_LOSS_SCALE = 2.0**-4
"""In float16 the loss is multiplied by 2^16 at first, and by half as much after every step that is left out because its
gradient is not finite. A few such steps find a scale that fits; 20 in a row from the start bring it down to this, at
which gradients above a million would still be finite."""


class CollapseError(ReidError):
    """A training was stopped because it learns nothing; the message says why, and what to change."""


class CollapseAlarm:
    """Judges every row of the history.

    Three signs. A loss or gradient that is not finite: at once; in float16, where steps without a finite gradient are
    left out, when no scale of the loss helps. All vectors near one point (mean cosine), or the
    triplet loss parked at the margin, which it is where everybody is as far from everybody (Hermans et al. 2017,
    section 3.4): when it lasts. A loss near the margin alone is no sign, since hard mining begins there and still
    learns; parked is where strangers are no farther than one's own kind as well.

    Args:
        config: the thresholds.
        since: the step at which each sign that is still there began; it is changed, and belongs to a checkpoint.
    """

    def __init__(self, config: AlarmConfig, since: dict[str, int]) -> None:
        self._config = config
        self._since = since

    def check(self, row: TrainProgress, parked_at: float | None, loss_scale: float = 1.0) -> None:
        """Judge a row; `parked_at` is that of its last step, see `reid.learning.trainer.cost.Cost`.

        `loss_scale`: what the loss is multiplied by in float16 after that step; 1 elsewhere.

        Raises:
            CollapseError: see above.
        """
        if not (math.isfinite(row.loss) and math.isfinite(row.gradient_norm)):
            raise CollapseError(
                f"step {row.step}: the loss is {row.loss:g} and its gradient {row.gradient_norm:g} long: not finite. "
                "Take a lower optimizer.learning_rate, a smaller optimizer.clip_norm, or precision float32"
            )
        if loss_scale <= _LEAST_LOSS_SCALE:
            raise CollapseError(
                f"step {row.step}: in float16 the gradient is not finite however small the loss is made (times "
                f"{loss_scale:g}), so that steps are left out and nothing is learned. Take precision bfloat16 or "
                "float32, or a lower optimizer.learning_rate"
            )
        if not self._config.enabled or row.step <= self._config.after_steps:
            return
        self._follow("cosine", row, self._one_point(row))
        self._follow("margin", row, self._parked(row, parked_at))

    def _follow(self, sign: str, row: TrainProgress, message: str | None) -> None:
        if message is None:
            self._since.pop(sign, None)
            return
        began = self._since.setdefault(sign, row.step)
        if row.step - began >= self._config.for_steps:
            raise CollapseError(f"step {row.step}: {message}, since step {began}: this has collapsed. {_ADVICE}")

    def _one_point(self, row: TrainProgress) -> str | None:
        if row.mean_cosine is None or row.mean_cosine <= self._config.mean_cosine:
            return None
        return f"the mean cosine between crops is {row.mean_cosine:.3f}, above {self._config.mean_cosine:g}"

    def _parked(self, row: TrainProgress, parked_at: float | None) -> str | None:
        if row.triplet_loss is None or row.positive_distance is None or row.negative_distance is None:
            return None
        if parked_at is None:
            return None
        slack = self._config.margin_tolerance * parked_at
        if abs(row.triplet_loss - parked_at) > slack or row.negative_distance - row.positive_distance > slack:
            return None
        return f"the triplet loss is parked at {row.triplet_loss:.4f}, the margin, and strangers are no farther"

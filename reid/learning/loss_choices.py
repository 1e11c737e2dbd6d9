"""What a loss may be chosen to be, by name. No torch in here: the command line makes flags of these."""

from __future__ import annotations

from typing import Literal

from reid.checks import is_number
from reid.errors import InputError

DistanceName = Literal["euclidean", "squared_euclidean", "cosine"]
"""What TripletLoss and the other losses measure by; `cosine` is 1 - cosine, from 0 to 2."""

LossKind = Literal["triplet", "mean_triplet", "upper_bound", "hierarchical", "constellation", "contrastive"]
"""Losses over the vectors of a batch: of `reid.learning.losses` those of these names."""

Margin = float | Literal["soft"]
"""A number: the hinge [margin + d(a, p) - d(a, n)]+. "soft": its smooth form ln(1 + exp(d(a, p) - d(a, n)))."""

MiningName = Literal[
    "batch_hard",
    "batch_all",
    "semi_hard",
    "semi_hard_tensorflow_addons",
    "all_positives_hard_negative",
    "distance_weighted",
    "hard",
    "easy_positive",
    "random",
]
"""Ways of mining that need no further choice."""

Reduction = Literal["mean", "nonzero"]
"""`mean` over all selected terms, or over those whose loss is not zero. A soft margin is never zero: both are one."""


def check_margin(margin: Margin) -> None:
    """Refuse what is no margin.

    Raises:
        InputError: it is neither "soft" nor a finite number above 0.
    """
    if margin != "soft" and not (is_number(margin) and float(margin) > 0):
        raise InputError(f'margin must be "soft" or a finite number above 0, got {margin!r}')

"""Every positive pair, each with the anchor's hardest negative."""

from __future__ import annotations

from dataclasses import dataclass

from reid.learning.mining.pairs import Pairs, Triplets, all_columns, nearest


@dataclass(frozen=True)
class AllPositivesHardNegative:
    """For each positive pair the negative that is nearest to the anchor.

    Source: Schroff, Kalenichenko, Philbin 2015, "FaceNet", section 3.2: all anchor-positive pairs of a batch, with hard
    negatives.
    """

    def __call__(self, pairs: Pairs) -> Triplets:
        """One triplet for each positive pair whose anchor has a negative; slot p is column p."""
        negative = nearest(pairs, pairs.different)[1][:, None]  # (B, 1)
        valid = pairs.same & pairs.different.gather(1, negative)  # an anchor without negatives chose none
        return Triplets(all_columns(pairs), negative.expand_as(pairs.same), valid)

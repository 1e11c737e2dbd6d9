"""Identity classification beside triplets: the partner behind the BNNeck."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from reid.checks import check_number
from reid.errors import InputError
from reid.learning.distances import at_least_float32


class IdentityLoss(nn.Module):
    """A linear classifier without bias over the training identities, and cross-entropy with label smoothing.

    Triplets act on the features before the BNNeck (a batch norm), this loss on those after it; at test time the
    classifier is thrown away. Rows with a negative label have no known identity and are left out.

    Args:
        dimension: D of the features.
        identities: How many there are; labels run from 0 to identities - 1.
        label_smoothing: Share of the target that is spread evenly over all identities.

    Source: Luo, Gu, Liao, Lai, Jiang 2019, "Bag of Tricks and a Strong Baseline for Deep Person Re-identification",
    sections 3.4 (label smoothing 0.1: Szegedy et al. 2016) and 3.5 (BNNeck; classifier of standard deviation 0.001).

    Raises:
        InputError: a size is not at least 1, or the smoothing is not within 0 and 1.
    """

    def __init__(self, dimension: int, identities: int, *, label_smoothing: float = 0.1) -> None:
        if dimension < 1 or identities < 1:
            raise InputError(f"dimension and identities must be at least 1, got {dimension} and {identities}")
        check_number("label_smoothing", label_smoothing, least=0, below=1)
        super().__init__()
        self.label_smoothing = label_smoothing
        self.classifier = nn.Linear(dimension, identities, bias=False)
        nn.init.normal_(self.classifier.weight, std=0.001)

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """(B, D) features after the neck and (B,) int64 labels -> mean cross-entropy, 0-d, in at least float32.

        Zero with a gradient path where every label is negative.

        Raises:
            InputError: shapes do not fit.
        """
        dimension = self.classifier.in_features
        if features.ndim != 2 or features.shape[1] != dimension or labels.shape != features.shape[:1]:
            shapes = f"{tuple(features.shape)} and {tuple(labels.shape)}"
            raise InputError(f"features must be (B, {dimension}) and labels (B,), got {shapes}")
        labels = labels.long().clamp_min(-1)  # all negative ones mean the same
        with torch.autocast(features.device.type, enabled=False):
            rows = at_least_float32(features)
            logits = rows @ self.classifier.weight.to(rows.dtype).T  # (B, identities)
            total = functional.cross_entropy(
                logits, labels, ignore_index=-1, label_smoothing=self.label_smoothing, reduction="sum"
            )
        return total / (labels != -1).sum().clamp_min(1).to(total.dtype)

"""What a training minimises. No torch in here."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from reid.checks import check_number, check_whole
from reid.errors import InputError
from reid.learning.loss_choices import DistanceName, LossKind, Margin, MiningName, Reduction, check_margin

# What each kind is shaped by; of the others it must be said that they have no effect.
_SHAPED_BY: dict[LossKind, tuple[str, ...]] = {
    "triplet": ("mining", "margin", "distance", "reduction"),
    "mean_triplet": ("margin", "distance", "reduction"),
    "upper_bound": ("margin",),
    "hierarchical": (),
    "constellation": ("scale",),
    "contrastive": ("margin", "distance", "reduction"),
}
_SHAPES = ("mining", "margin", "distance", "reduction", "scale")


@dataclass(frozen=True, slots=True)
class LossConfig:
    """What is minimised: a loss between vectors, and beside it the cross-entropy of naming the identity."""

    kind: LossKind = "triplet"
    """The loss between vectors; docs/training.md says when to take which. What is called triplets here and in the
    history is the loss of this kind."""
    mining: MiningName = "batch_hard"
    """Of the kind triplet: which triplets count; docs/training.md says when to take which."""
    margin: Margin = 0.3
    """How much farther than the positive a negative should be, or `soft` for a softplus without an edge; of the kind
    contrastive: how far away. Constellation and hierarchical have none."""
    triplets_on: Literal["before_neck", "after_neck"] = "after_neck"
    """Which features triplets see, at unit length: `after_neck` those that are exported, which lie around the origin
    from the first step; `before_neck` the free ones (Luo et al. 2019)."""
    distance: DistanceName = "euclidean"
    """Between two vectors of unit length. Of the kinds triplet, mean_triplet and contrastive."""
    reduction: Reduction = "mean"
    """Mean over all triplets, or over those that still have a loss. Of the same kinds."""
    scale: float = 16.0
    """Of the kind constellation: what cosines are multiplied by; some 10 to 30."""
    memory_batches: int = 0
    """So many earlier batches are compared with beside each batch, once the warm-up is over (cross-batch memory, Wang
    et al. 2020); 0 for none. It needs labels, and not the kinds upper_bound and hierarchical."""
    offline: bool = False
    """Of the kind triplet: train from a list of triplets that `mining` finds in the whole data set, in the place of
    those that it finds in each batch. Best with semi_hard."""
    refresh_epochs: int = 5
    """Epochs after which the list of `offline`, or the tree of the kind hierarchical, is made anew of the whole data
    set."""
    triplet_weight: float = 1.0
    """Weight of the triplets; 0 leaves them out."""
    identity_weight: float = 1.0
    """Weight of the cross-entropy over the identities; 0 leaves it out. It needs labels: with tracklets it is not
    used, since two of them may be one object."""
    label_smoothing: float = 0.1
    """Share of the target that is spread over all identities, so that the classifier is not pushed to certainty."""
    teacher: Path | None = None
    """An embedder (ONNX) to learn from as well: whom it finds alike should be alike here too (relational distillation).
    Any size, dimension and colour order; what it says of itself, or its card, is heeded."""
    teacher_weight: float = 1.0
    """Weight of the teacher, where there is one."""

    def __post_init__(self) -> None:
        check_margin(self.margin)
        check_number("scale", self.scale, above=0)
        check_whole("memory_batches", self.memory_batches, 0)
        check_whole("refresh_epochs", self.refresh_epochs, 1)
        for name in ("triplet_weight", "identity_weight"):
            check_number(name, getattr(self, name), least=0)
        check_number("teacher_weight", self.teacher_weight, above=0)
        check_number("label_smoothing", self.label_smoothing, least=0, below=1)
        self._check_together()

    def _check_together(self) -> None:
        """Refuse what cannot be had together, and what would have no effect."""
        if self.kind not in _SHAPED_BY:
            raise InputError(f"kind must be one of {', '.join(get_args(LossKind))}, got {self.kind!r}")
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        for name in _SHAPES:
            if name not in _SHAPED_BY[self.kind] and getattr(self, name) != defaults[name]:
                raise InputError(f"{name} has no effect on the kind {self.kind}: leave it at {defaults[name]}")
        if self.kind in ("contrastive", "upper_bound") and self.margin == "soft":
            raise InputError(f"margin must be a number for the kind {self.kind}, got 'soft'")
        if self.memory_batches and self.kind in ("upper_bound", "hierarchical"):
            raise InputError(f"memory_batches must be 0 for the kind {self.kind}, which looks at a batch as a whole")
        if self.offline and self.kind != "triplet":
            raise InputError(f"offline needs the kind triplet, got {self.kind}")
        if self.offline and self.memory_batches:
            raise InputError("offline and memory_batches cannot be had together: a list names its negatives")
        if self.triplet_weight == 0 and (self.offline or self.memory_batches or self.kind != "triplet"):
            raise InputError("triplet_weight must be above 0 where kind, memory_batches or offline is chosen")

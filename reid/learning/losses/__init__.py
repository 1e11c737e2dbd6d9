"""Losses over a batch of embeddings: each takes labels, or relations that also say what nobody knows.

A negative label means that nobody knows whom the row shows: it is neither positive nor negative of any other.
"""

from reid.learning.loss_choices import Margin, Reduction
from reid.learning.losses.constellation import constellation_loss
from reid.learning.losses.contrastive import contrastive_loss
from reid.learning.losses.cross_batch_memory import CrossBatchMemory, ReferenceLoss
from reid.learning.losses.hierarchical import (
    ClassTree,
    HierarchicalTripletLoss,
    class_tree,
    hierarchical_triplet_loss,
)
from reid.learning.losses.identity import IdentityLoss
from reid.learning.losses.mean_triplet import mean_triplet_loss
from reid.learning.losses.relational import relational_distillation_loss
from reid.learning.losses.statistics import BatchStatistics
from reid.learning.losses.triplet import (
    TripletLoss,
    indexed_triplet_loss,
    triplet_margin_loss,
)
from reid.learning.losses.upper_bound import centroid_bound_loss, upper_bound_triplet_loss

__all__ = [
    "BatchStatistics",
    "ClassTree",
    "CrossBatchMemory",
    "HierarchicalTripletLoss",
    "IdentityLoss",
    "Margin",
    "Reduction",
    "ReferenceLoss",
    "TripletLoss",
    "centroid_bound_loss",
    "class_tree",
    "constellation_loss",
    "contrastive_loss",
    "hierarchical_triplet_loss",
    "indexed_triplet_loss",
    "mean_triplet_loss",
    "relational_distillation_loss",
    "triplet_margin_loss",
    "upper_bound_triplet_loss",
]

"""Margins from a tree of classes: look-alikes are pushed as far apart as the tree says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.cluster.hierarchy import cophenet, linkage
from scipy.spatial.distance import squareform
from torch import Tensor, nn

from reid.errors import InputError
from reid.learning.distances import check_distance, pairwise, unit
from reid.learning.loss_choices import DistanceName
from reid.learning.losses.all_triplets import all_triplets
from reid.learning.losses.margins import not_a_number_of
from reid.learning.relations import resolve_masks

_LARGEST = 4.0  # squared distance of opposite unit vectors


@dataclass(frozen=True)
class ClassTree:
    """How near the classes of a data set are to each other, and how wide each is; of squared distances of unit vectors.

    Built by `class_tree` from embeddings of the whole data set, and built anew every epoch or so.
    """

    merged_at: Tensor
    """(C, C) d_H: the threshold of the tree's level on which two classes have become one node."""
    between: Tensor
    """(C, C) mean squared distance from the samples of one class to those of the other."""
    within: Tensor
    """(C,) s: mean squared distance among the samples of a class; 0 for a single one."""

    def margins(self, classes: Tensor, *, slack: float = 0.1) -> Tensor:
        """(B,) int64 classes -> (B, B) violate margins of anchors (rows) to negatives (columns), eq. 6.

        A negative class, of a row that nobody knows, has the margins of class 0: it is no anchor and no negative.
        """
        classes = classes.clamp_min(0)
        # alpha = beta + d_H(y_a, y_n) - s_(y_a)
        return slack + self.merged_at[classes[:, None], classes[None, :]] - self.within[classes][:, None]

    def neighbourhood(self, *, anchors: int, neighbours: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Classes for one batch, (at most anchors * neighbours,): random ones, each with those nearest to it.

        "Anchor-neighbour sampling", section 4.2: `anchors` is l', `neighbours` m with the anchor counted. A class that
        is near two anchors comes once.

        Raises:
            InputError: fewer than one of either, or more than there are classes.
        """
        count = len(self.within)
        if not (1 <= anchors <= count and 1 <= neighbours <= count):
            raise InputError(f"anchors and neighbours must be from 1 to {count}, got {anchors} and {neighbours}")
        chosen = rng.choice(count, anchors, replace=False)
        distances = self.between[torch.from_numpy(chosen).to(self.between.device)].cpu().numpy().copy()  # (l', C)
        distances[np.arange(anchors), chosen] = -1  # each anchor is its own first neighbour
        return np.unique(np.argsort(distances, axis=1, kind="stable")[:, :neighbours]).astype(np.int64)


@torch.no_grad()
def class_tree(embeddings: Tensor, labels: Tensor, *, levels: int = 16) -> ClassTree:
    """The tree of classes of a data set: (N, D) embeddings, set to unit length here, and (N,) labels from 0 to C - 1.

    Rows with a negative label, whose class nobody knows, are left out.

    Classes are merged where a chain of pairs nearer than the level's threshold joins them. Level 0 has the mean width
    of a class d_0, level l the threshold d_l = l (4 - d_0) / L + d_0. Not for the step: it works on the host.

    Source: Ge, Huang, Dong, Scott 2018, "Deep Metric Learning with Hierarchical Triplet Loss", section 4.1, eq. 4, 5.

    Raises:
        InputError: shapes do not fit, a class from 0 to C - 1 is empty, there is only one, or levels is below 1.
    """
    if embeddings.ndim != 2 or labels.shape != embeddings.shape[:1] or len(labels) == 0:
        shapes = f"{tuple(embeddings.shape)} and {tuple(labels.shape)}"
        raise InputError(f"embeddings must be (N, D) and labels (N,), N at least 1, got {shapes}")
    if levels < 1:
        raise InputError(f"levels must be at least 1, got {levels}")
    known = labels >= 0
    embeddings, labels = embeddings[known], labels[known]
    counts = torch.bincount(labels).double()  # (C,)
    if len(counts) < 2 or bool((counts == 0).any()):
        raise InputError("labels must be 0 to C - 1 with at least one sample each and C at least 2")
    rows = unit(embeddings.double())
    sums = torch.zeros(len(counts), rows.shape[1], dtype=rows.dtype, device=rows.device).index_add_(0, labels, rows)
    means = sums / counts[:, None]  # (C, D)
    # mean of |r_i - r_j|^2 over i in p and j in q is 2 - 2 mean_p . mean_q for unit vectors
    between = (2 - 2 * means @ means.T).clamp_min(0)  # (C, C)
    # over i != j of one class: the same sum over n^2 - n pairs instead of n^2
    within = between.diagonal() * counts / (counts - 1).clamp_min(1)  # (C,)
    within = torch.where(counts > 1, within, 0.0)
    merged_at = _thresholds(between.cpu().numpy(), float(within.mean()), levels)
    kind = torch.float64 if embeddings.dtype == torch.float64 else torch.float32
    thresholds = torch.from_numpy(merged_at).to(embeddings.device, kind)
    return ClassTree(thresholds, between.to(kind), within.to(kind))


def _thresholds(between: NDArray[np.float64], width: float, levels: int) -> NDArray[np.float64]:
    """(C, C) distances of classes -> (C, C) threshold of the first level whose node holds both; `width` is d_0."""
    condensed = squareform(between, checks=False)
    joined = squareform(cophenet(linkage(condensed, "single")))  # (C, C) the widest gap of the best chain
    step = (_LARGEST - width) / levels
    # the first level with d_l > gap; a gap of 4 itself, opposite points, ends on the last
    level = np.clip(np.floor((joined - width) / step) + 1, 0, levels) if step > 0 else np.zeros_like(joined)
    merged: NDArray[np.float64] = width + level * step
    np.fill_diagonal(merged, width)
    return merged


def hierarchical_triplet_loss(
    embeddings: Tensor,
    labels: Tensor | None = None,
    *,
    margins: Tensor,
    relations: Tensor | None = None,
    distance: DistanceName = "squared_euclidean",
) -> Tensor:
    """Half the mean over all triplets of [d(a, p) - d(a, n) + margin(a, n)]+; 0-d.

    `embeddings` (B, D) of unit length with `labels` (B,) or `relations` (B, B); `margins` (B, B) without gradient, as
    `ClassTree.margins` gives them. They may be negative: the tree already has those two classes far apart.

    Source: Ge et al. 2018, eq. 5.

    Raises:
        InputError: shapes do not fit, or not exactly one of labels and relations was given.
    """
    check_distance(distance)
    same, different = resolve_masks(embeddings, labels, relations)
    if margins.shape != same.shape:
        raise InputError(f"margins must be {tuple(same.shape)}, got {tuple(margins.shape)}")
    distances = pairwise(embeddings, distance=distance)
    found = all_triplets(distances, same, different, margin=0.0, margins=margins.detach().to(distances.dtype))
    return found.reduced("mean", 0.0) / 2 + not_a_number_of(embeddings)


class HierarchicalTripletLoss(nn.Module):
    """`hierarchical_triplet_loss` with the margins of a tree, which is replaced as training goes on.

    Args:
        tree: Of `class_tree`; assign `tree` to replace it.
        slack: beta, which keeps apart what the tree has as one, as large as the paper's.

    Source: Ge et al. 2018.
    """

    def __init__(self, tree: ClassTree, *, slack: float = 0.1) -> None:
        super().__init__()
        self.tree = tree
        self.slack = slack

    def forward(
        self,
        embeddings: Tensor,
        labels: Tensor | None = None,
        *,
        relations: Tensor | None = None,
        classes: Tensor | None = None,
    ) -> Tensor:
        """(B, D) and (B,) labels that are classes of the tree; or `relations` (B, B) and `classes` (B,), -> 0-d.

        With relations, `classes` are whatever the tree was built of, for example tracklets.

        Raises:
            InputError: shapes do not fit, or neither labels alone nor relations with classes were given.
        """
        if (labels is None) == (relations is None) or (relations is None) != (classes is None):
            raise InputError("give labels alone, or relations together with classes")
        named = labels if classes is None else classes
        assert named is not None, "one of the two was given"
        margins = self.tree.margins(named, slack=self.slack)
        return hierarchical_triplet_loss(embeddings, labels, relations=relations, margins=margins)

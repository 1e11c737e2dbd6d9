"""The whole network that is exported: pixels as a camera gives them in, unit vectors out."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from reid.learning.histogram import StripedHistogram


class EmbeddingModel(nn.Module):
    """A learned backbone, and beside it, where `colour_dimension` is given, a projected colour histogram.

    The two parts are of unit length each before they are weighted, so that a cosine is
    `learned_share * cos(learned) + (1 - learned_share) * cos(colour)`.
    """

    projection: Tensor

    def __init__(
        self,
        backbone: nn.Module,
        height_px: int,
        width_px: int,
        *,
        colour_dimension: int = 0,
        learned_share: float = 0.5,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.size_px = (height_px, width_px)
        self.learned_share = learned_share
        self.histogram: StripedHistogram | None = None
        if colour_dimension:
            self.histogram = StripedHistogram(height_px, width_px)
            self.register_buffer("projection", torch.zeros(self.histogram.dimension, colour_dimension))

    def learned(self, pixels: Tensor) -> Tensor:
        """(B, h, w, 3) uint8 BGR -> (B, D) what the backbone says, unit length: what triplets train."""
        pictures = pixels.permute(0, 3, 1, 2).float() / 127.5 - 1  # (B, 3, h, w)
        return functional.normalize(self.backbone(pictures), dim=1)

    def colour(self, pixels: Tensor) -> Tensor:
        """(B, h, w, 3) uint8 BGR -> (B, colour_dimension) unit length."""
        assert self.histogram is not None, "made without colour_dimension"
        histogram = self.histogram(pixels.float() / 255)
        return functional.normalize(histogram @ self.projection, dim=1)

    @torch.no_grad()
    def fit_colour_projection(self, histograms: Tensor) -> float:
        """Fit the projection by principal components; returns the share of the second moment that it keeps.

        `histograms` (N, histogram.dimension). The mean is not subtracted, so that cosines stay those of the histograms
        as nearly as possible, on pictures of another kind too.
        """
        rows = histograms.double()
        values, vectors = torch.linalg.eigh(rows.T @ rows)  # ascending
        kept = self.projection.shape[1]
        signs = torch.where(vectors.sum(dim=0) < 0, -1.0, 1.0)  # an eigenvector's sign is arbitrary: fix it
        self.projection.copy_((vectors * signs).flip(1)[:, :kept].float())
        return float(values.flip(0)[:kept].sum() / values.sum())

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, h, w, 3) uint8 BGR -> (B, D) of unit length."""
        learned = self.learned(pixels)
        if self.histogram is None:
            return learned
        share = self.learned_share
        parts = (learned * share**0.5, self.colour(pixels) * (1 - share) ** 0.5)
        return functional.normalize(torch.cat(parts, dim=1), dim=1)

"""The whole network that is exported: pixels as a camera gives them in, unit vectors out."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from reid.card import CropForm
from reid.errors import ModelError
from reid.learning.backbones import PLAIN, Backbone, Normalisation, build_backbone
from reid.learning.histogram import StripedHistogram
from reid.learning.model_config import ModelConfig
from reid.learning.weights import load_weights

__all__ = ["EmbeddingModel", "ModelConfig", "build_model"]


def build_model(config: ModelConfig, *, seed: int = 0) -> EmbeddingModel:
    """The network that `config` describes, on the CPU.

    Weights are random, drawn from `seed` alone (torch's own generator is left as it was), or begin with those of
    `config.pretrained`.

    Raises:
        ModelError: the file of weights cannot be read or does not fit (see `reid.learning.weights.load_weights`).
        MissingExtraError: timm or safetensors is needed and not installed.
        InputError: timm has no such model, or it takes no pictures of that size.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = EmbeddingModel(
            build_backbone(config),
            config.height_px,
            config.width_px,
            colour_dimension=config.colour_dimension,
            learned_share=config.learned_share,
        )
    if config.pretrained is not None:
        load_weights(model, config.pretrained)
    return model


class EmbeddingModel(nn.Module):
    """A learned backbone, and beside it, where `colour_dimension` is given, a projected colour histogram.

    The two parts are of unit length each before they are weighted, so that a cosine is
    `learned_share * cos(learned) + (1 - learned_share) * cos(colour)`.
    """

    projection: Tensor
    mean: Tensor
    std: Tensor

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
        self.form: CropForm = (height_px, width_px, "linear")
        self.learned_share = learned_share
        shape = (1, 3, 1, 1)
        normalisation: Normalisation = getattr(backbone, "normalisation", PLAIN)
        self._swap_colours = normalisation.colour == "RGB"
        self.register_buffer("mean", torch.tensor(normalisation.mean).reshape(shape), persistent=False)
        self.register_buffer("std", torch.tensor(normalisation.std).reshape(shape), persistent=False)
        self.histogram: StripedHistogram | None = None
        if colour_dimension:
            self.histogram = StripedHistogram(height_px, width_px)
            self.register_buffer("projection", torch.zeros(self.histogram.dimension, colour_dimension))

    @property
    def size_px(self) -> tuple[int, int]:
        """Height and width of the crops that it takes."""
        return self.form[:2]

    def pictures(self, pixels: Tensor) -> Tensor:
        """(B, h, w, 3) uint8 BGR -> (B, 3, h, w) float as the backbone wants them."""
        if self._swap_colours:
            pixels = pixels.flip(3)  # BGR to RGB
        planes = pixels.permute(0, 3, 1, 2).float()  # (B, 3, h, w)
        return (planes - self.mean) / self.std

    def features(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """(B, h, w, 3) uint8 BGR -> (B, D) before the neck, for triplets, and (B, D) after it, for identities.

        Neither is of unit length (Luo et al. 2019, section 3.5). A backbone without a neck gives the same twice.
        """
        pictures = self.pictures(pixels)
        if isinstance(self.backbone, Backbone):
            return self.backbone.features(pictures)
        out = self.backbone(pictures)
        return out, out

    def learned(self, pixels: Tensor) -> Tensor:
        """(B, h, w, 3) uint8 BGR -> (B, D) features after the neck, of unit length."""
        return functional.normalize(self.features(pixels)[1], dim=1)

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

    def check_complete(self) -> None:
        """Before an export: refuse a colour projection that nobody fitted, for it would say nothing.

        Raises:
            ModelError: see above.
        """
        if self.histogram is not None and not bool(self.projection.any()):
            raise ModelError("the colour projection must be fitted before the export: call fit_colour_projection")

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, h, w, 3) uint8 BGR -> (B, D) of unit length."""
        learned = self.learned(pixels)
        if self.histogram is None:
            return learned
        share = self.learned_share
        parts = (learned * share**0.5, self.colour(pixels) * (1 - share) ** 0.5)
        return functional.normalize(torch.cat(parts, dim=1), dim=1)

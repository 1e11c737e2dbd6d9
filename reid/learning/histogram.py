"""A colour histogram as a layer: soft bins of hue, saturation and value in overlapping horizontal stripes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class StripedHistogram(nn.Module):
    """Where on the body which colours are, without a learned weight: it works on any camera from the first picture.

    The picture is halved by 2x2 means. In each stripe a joint histogram of hue (around the circle) and saturation, and
    one of value. A pixel counts for its two nearest bins and two nearest stripes by distance (linear weights), and less
    towards the left and right border, where background is. Each histogram sums to 1 before the square root, so that
    the dot product of two is their Bhattacharyya coefficient (Comaniciu, Ramesh, Meer 2003, eq. 6).
    """

    columns: Tensor
    rows: Tensor
    hue_centres: Tensor
    saturation_centres: Tensor
    value_centres: Tensor

    def __init__(
        self, height_px: int, width_px: int, *, hues: int = 16, saturations: int = 8, values: int = 8, stripes: int = 6
    ) -> None:
        super().__init__()
        width, height = width_px // 2, height_px // 2
        across = (torch.arange(width) + 0.5) / width * 2 - 1  # -1 left border .. 1 right border
        down = (torch.arange(height) + 0.5) / height * stripes - 0.5  # in stripes, 0 the middle of the first
        place = (1 - (down[None, :] - torch.arange(stripes)[:, None]).abs()).clamp_min(0)
        buffers = {
            "columns": torch.exp(-2 * across**2),  # (w,) a bell whose sigma is a quarter of the width
            "rows": place,  # (stripes, h)
            "hue_centres": torch.arange(hues) / hues,
            "saturation_centres": torch.arange(saturations) / (saturations - 1),
            "value_centres": torch.arange(values) / (values - 1),
        }
        for name, value in buffers.items():
            self.register_buffer(name, value, persistent=False)
        self.dimension: int = stripes * (hues * saturations + values)
        """Length of the vectors."""

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, h, w, 3) float BGR 0..1, even sides -> (B, dimension), not negative, of norm sqrt(2 * stripes)."""
        half = functional.avg_pool2d(pixels.permute(0, 3, 1, 2), 2)  # (B, 3, h, w), h and w halved from here on
        hue, saturation, value = _hue_saturation_value(half)  # each (B, h, w)
        turn = (hue[..., None, :] - self.hue_centres[:, None]).abs()  # (B, h, hues, w)
        turn = torch.minimum(turn, 1 - turn)
        hue_share = (1 - turn * len(self.hue_centres)).clamp_min(0)
        saturation_share = _shares(saturation, self.saturation_centres)  # (B, h, saturations, w)
        value_share = _shares(value, self.value_centres)  # (B, h, values, w)
        # weighted by the column, summed over each row of pixels: (B, h, hues, w) @ (B, h, w, saturations)
        joint = (hue_share * self.columns) @ saturation_share.transpose(2, 3)
        alone = (value_share * self.columns).sum(dim=3)
        bands = torch.cat((joint.flatten(2), alone), dim=2)  # (B, h, hues * saturations + values)
        mass = (self.rows.sum(dim=1) * self.columns.sum())[:, None]  # (stripes, 1)
        stripes = (self.rows @ bands) / mass  # (B, stripes, hues * saturations + values)
        return stripes.clamp_min(1e-12).sqrt().flatten(1)


def _shares(x: Tensor, centres: Tensor) -> Tensor:
    """(B, h, w) in 0..1 and (n,) evenly spaced centres from 0 to 1 -> (B, h, n, w) linear weights that sum to 1."""
    return (1 - (x[..., None, :] - centres[:, None]).abs() * (len(centres) - 1)).clamp_min(0)


def _hue_saturation_value(pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(B, 3, h, w) BGR 0..1 -> hue, saturation and value, each (B, h, w) in 0..1; the hue of grey is 0. Smith 1978."""
    blue, green, red = pixels.unbind(1)
    value = pixels.amax(dim=1)
    chroma = value - pixels.amin(dim=1)
    span = chroma.clamp_min(1e-6)
    sector = torch.where(
        value == red,
        (green - blue) / span,
        torch.where(value == green, (blue - red) / span + 2, (red - green) / span + 4),
    )
    hue = torch.where(sector < 0, sector + 6, sector) / 6
    return hue, chroma / (value + 1e-3), value

"""Changes pictures as cameras, light, detectors and other people do: whole batches at once, on any device."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from reid.errors import InputError
from reid.learning import image_operations as operations
from reid.learning.augment_config import AugmentConfig


class Augmentation:
    """Applies `AugmentConfig` to batches.

    Args:
        config: see `AugmentConfig`.
    """

    def __init__(self, config: AugmentConfig | None = None) -> None:
        self.config = config or AugmentConfig()

    def __call__(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        """(B, h, w, 3) uint8 BGR -> the same shape and kind, on the same device; the input stays as it is.

        All chance comes from `generator`, which may live on another device than the pixels: draws are made where it is
        and moved. With one on the CPU nothing waits for the device, and every device is given the same draws. The same
        generator state gives the same pictures.

        Raises:
            InputError: the batch is not as above.
        """
        if pixels.ndim != 4 or pixels.shape[3] != 3 or pixels.dtype != torch.uint8:
            raise InputError(f"pixels must be (B, h, w, 3) uint8, got {tuple(pixels.shape)} of {pixels.dtype}")
        if not len(pixels):
            return pixels.clone()
        draw = _Draw(len(pixels), pixels.device, generator)
        planes = self._move(pixels, draw).permute(0, 3, 1, 2).contiguous()  # (B, 3, h, w), a copy
        planes = self._occlude(planes, draw)
        planes = self._light_and_lens(planes, draw)
        return self._erase(planes, draw).permute(0, 2, 3, 1).contiguous()

    def _occlude(self, planes: Tensor, draw: _Draw) -> Tensor:
        rows = draw.chosen(self.config.occlude)
        if not len(rows) or draw.batch < 2:
            return planes
        n = len(rows)
        # another picture: 1 .. B - 1 places further on, around the end
        others = (rows + 1 + (draw.share(n) * (draw.batch - 1)).long().clamp_max(draw.batch - 2)) % draw.batch
        covered = self.config.occlude_share * (0.4 + 0.6 * draw.share(n))
        side = (draw.share(n) * 3).long().clamp_max(2)  # left, right, below
        another = planes.index_select(0, draw.to(others))
        _replace(planes, draw.to(rows), operations.cover, another, draw.to(covered), draw.to(side))
        return planes

    def _move(self, pixels: Tensor, draw: _Draw) -> Tensor:
        c = self.config
        flip = draw.share(draw.batch) < c.flip  # (B,)
        moved = (draw.share(draw.batch) < c.crop).float()[:, None]  # (B, 1)
        zoom = torch.exp(draw.around(draw.batch, 2) * math.log1p(c.crop_zoom) * moved)  # (B, 2) of height and width
        shift = draw.around(draw.batch, 2) * c.crop_shift * moved
        if not (flip.any() or moved.any()):
            return pixels
        return operations.move(pixels, draw.to(zoom), draw.to(shift), draw.to(flip))

    def _light_and_lens(self, planes: Tensor, draw: _Draw) -> Tensor:
        """Colour, shadow, resolution and blur, on floats 0..255."""
        c = self.config
        coloured = draw.share(draw.batch) < c.colour  # (B,)
        shaded, coarse, blurred = draw.chosen(c.shadow), draw.chosen(c.low_resolution), draw.chosen(c.blur)
        if not (coloured.any() or len(shaded) or len(coarse) or len(blurred)):
            return planes
        x = planes.float()  # (B, 3, h, w)
        if coloured.any():
            x = operations.recolour(x, *self._colour(coloured, draw))
        if n := len(shaded):
            angle, place = draw.share(n) * 2 * math.pi, draw.around(n) * 0.6
            depth, softness = c.shadow_depth * (0.4 + 0.6 * draw.share(n)), 0.02 + 0.2 * draw.share(n)
            _replace(x, draw.to(shaded), operations.shade, *map(draw.to, (angle, place, depth, softness)))
        if n := len(coarse):
            fold = 2 + (draw.share(n) * 3).long().clamp_max(2)  # (n,) 2, 3 or 4
            for factor in (2, 3, 4):
                _replace(x, draw.to(coarse[fold == factor]), operations.coarsen, factor)
        if n := len(blurred):
            size_px = c.blur_size * planes.shape[2] * (0.3 + 0.7 * draw.share(n))
            angle, moving = draw.share(n) * math.pi, draw.share(n) < 0.5
            kernels = operations.blur_kernels(size_px, angle, moving, c.blur_size * planes.shape[2])
            _replace(x, draw.to(blurred), operations.convolve, draw.to(kernels))
        return x.add_(0.5).clamp_(0, 255).to(torch.uint8)  # rounded: a cast cuts off

    def _colour(self, chosen: Tensor, draw: _Draw) -> tuple[Tensor, Tensor]:
        """Matrices (B, 3, 3) and contrasts (B,) of `operations.recolour`; those not chosen (B,) stay as they are."""
        c, counts = self.config, chosen.float()

        def factor(most: float, channels: int) -> Tensor:
            return torch.exp(draw.around(draw.batch, channels) * math.log1p(most) * counts[:, None])  # (B, channels)

        gain = factor(c.brightness, 1) * factor(c.light_colour, 3)  # (B, 3)
        turn = draw.around(draw.batch) * c.hue_turn * 2 * math.pi * counts  # (B,) radians
        matrix = operations.colour_matrices(gain, factor(c.saturation, 1)[:, 0], turn)
        return draw.to(matrix), draw.to(factor(c.contrast, 1)[:, 0])

    def _erase(self, planes: Tensor, draw: _Draw) -> Tensor:
        rows = draw.chosen(self.config.erase)
        if not len(rows):
            return planes
        n = len(rows)
        area = self.config.erase_share * (0.1 + 0.9 * draw.share(n))
        shape = torch.exp(
            draw.around(n) * math.log(3)
        )  # height by width, from 1/3 to 3 (Zhong et al. 2020: 0.3 to 3.3)
        sides = torch.stack((torch.sqrt(area * shape), torch.sqrt(area / shape)), dim=1).clamp_max(1)  # (n, 2)
        start = draw.share(n, 2) * (1 - sides)
        noise = (draw.share(*planes.shape[1:]) * 256).to(torch.uint8)  # (3, h, w), the same for all rectangles
        _replace(planes, draw.to(rows), operations.erase, *map(draw.to, (start, sides, noise)))
        return planes


class _Draw:
    """Numbers by chance, made where the generator is, and a way to the device where the pictures are."""

    def __init__(self, batch: int, device: torch.device, generator: torch.Generator) -> None:
        self.batch, self.generator = batch, generator
        self._device = device

    def share(self, *shape: int) -> Tensor:
        """Uniform in 0..1."""
        return torch.rand(shape, generator=self.generator, device=self.generator.device)

    def around(self, *shape: int) -> Tensor:
        """Uniform in -1..1."""
        return self.share(*shape) * 2 - 1

    def chosen(self, probability: float) -> Tensor:
        """Rows of the batch, each with this probability, ascending: (n,) int64, where the generator is."""
        return torch.nonzero(self.share(self.batch) < probability)[:, 0]

    def to(self, values: Tensor) -> Tensor:
        return values.to(self._device, non_blocking=True)


def _replace(x: Tensor, rows: Tensor, change: Callable[..., Tensor], *arguments: Tensor | int) -> None:
    """Change these rows (n,) of (B, 3, h, w), in place."""
    if len(rows):
        x.index_copy_(0, rows, change(x.index_select(0, rows), *arguments))

"""Changes to batches of pictures, each picture in its own way, without a loop over them.

Planes (n, 3, h, w) rather than pixels (n, h, w, 3): what is the same for the three channels of a pixel is then one
operation over long rows, which is several times as fast.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

# brightness of blue, green, red (ITU-R BT.601)
_GREY = (0.114, 0.587, 0.299)


def move(pixels: Tensor, zoom: Tensor, shift: Tensor, flip: Tensor) -> Tensor:
    """Shift, zoom and mirror by one look-up a pixel; what comes in from outside repeats the border.

    `pixels` (n, h, w, 3), not planes; `zoom` (n, 2) factors of height and width, above 1 enlarges; `shift` (n, 2) as
    shares of height and width; `flip` (n,) bool. Gives (n, h, w, 3).
    """
    n, height, width, _ = pixels.shape
    down, across = _middles(height, pixels.device) - 0.5, _middles(width, pixels.device) - 0.5  # -0.5 .. 0.5
    across = torch.where(flip[:, None], -across, across)  # (n, w)
    y = ((down / zoom[:, :1] + shift[:, :1] + 0.5) * height).long().clamp(0, height - 1)  # (n, h)
    x = ((across / zoom[:, 1:] + shift[:, 1:] + 0.5) * width).long().clamp(0, width - 1)  # (n, w)
    start = torch.arange(n, device=pixels.device)[:, None] * height + y  # (n, h) row of pixels in the whole batch
    place = start[:, :, None] * width + x[:, None, :]  # (n, h, w)
    return pixels.reshape(-1, 3).index_select(0, place.reshape(-1)).reshape(pixels.shape)


def cover(planes: Tensor, others: Tensor, share: Tensor, side: Tensor) -> Tensor:
    """Let another picture come in: (n, 3, h, w) twice, `share` (n,) that it covers, `side` 0 left, 1 right, 2 below.

    From a side the other's middle lies in the middle of what it covers, so that somebody shows and not the background;
    from below its upper end shows.
    """
    n, channels, height, width = planes.shape
    down, across = _middles(height, planes.device), _middles(width, planes.device)  # 0 .. 1
    left, right, below = ((side == k)[:, None] for k in range(3))  # (n, 1) each
    share = share[:, None]  # (n, 1)
    inside_x = torch.where(left, across < share, (across > 1 - share) | below)  # (n, w)
    inside_y = (down > 1 - share) | ~below  # (n, h)
    x = across + torch.where(left, 0.5 - share / 2, torch.where(right, share / 2 - 0.5, 0.0))  # (n, w)
    y = down + torch.where(below, share - 1, 0.0)  # (n, h)
    rows = (y * height).long().clamp(0, height - 1)[:, None, :, None].expand(n, channels, height, width)
    columns = (x * width).long().clamp(0, width - 1)[:, None, None, :].expand(n, channels, height, width)
    moved = others.gather(2, rows).gather(3, columns)
    return torch.where(inside_y[:, None, :, None] & inside_x[:, None, None, :], moved, planes)


def colour_matrices(gain: Tensor, saturation: Tensor, turn: Tensor) -> Tensor:
    """One matrix (n, 3, 3) a picture for channel gains (n, 3), saturation (n,) and a turn of the hues (n,) in radians.

    Colours are turned around the grey axis (Rodrigues' formula), then drawn to or from their grey, then multiplied.
    """
    eye = torch.eye(3, device=gain.device)
    cosine, sine = torch.cos(turn)[:, None, None], torch.sin(turn)[:, None, None]  # (n, 1, 1)
    axis = torch.full((3, 3), 1 / 3, device=gain.device)  # k k' with k = (1, 1, 1) / sqrt(3)
    cross = torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]], device=gain.device) / math.sqrt(3)
    turned = eye * cosine + cross * sine + axis * (1 - cosine)  # (n, 3, 3)
    grey = torch.tensor(_GREY, device=gain.device).expand(3, 3)
    share = saturation[:, None, None]
    return gain[:, :, None] * ((share * eye + (1 - share) * grey) @ turned)


def recolour(x: Tensor, matrix: Tensor, contrast: Tensor) -> Tensor:
    """(n, 3, h, w) float times `matrix` (n, 3, 3), then its distance from the picture's mean times `contrast` (n,)."""
    flat = x.flatten(2)  # (n, 3, h * w)
    mean = (matrix @ flat.mean(dim=2, keepdim=True)).mean(dim=1, keepdim=True)  # (n, 1, 1)
    factor = contrast[:, None, None]
    # factor * (M x - mean) + mean, as one product and one sum
    return torch.bmm(matrix * factor, flat).add_(mean * (1 - factor)).reshape(x.shape)


def shade(x: Tensor, angle: Tensor, place: Tensor, depth: Tensor, softness: Tensor) -> Tensor:
    """Darken (n, 3, h, w) beyond a line.

    Its direction `angle` (n,), its distance `place` (n,) from the middle in half pictures, the share of light `depth`
    (n,) that is taken, the width `softness` (n,) of its edge in half pictures.
    """
    down, across = _middles(x.shape[2], x.device) * 2 - 1, _middles(x.shape[3], x.device) * 2 - 1  # -1 .. 1
    angle, place, depth, softness = (value[:, None, None] for value in (angle, place, depth, softness))  # (n, 1, 1)
    way = torch.sin(angle) * down[:, None] + torch.cos(angle) * across  # (n, h, w)
    return x * (1 - depth * torch.sigmoid((way - place) / softness))[:, None]


def coarsen(x: Tensor, factor: int) -> Tensor:
    """(n, 3, h, w) reduced by means over `factor` squared pixels and enlarged again."""
    kernel = min(factor, *x.shape[2:])
    small = functional.avg_pool2d(x, kernel, ceil_mode=True, count_include_pad=False)
    return functional.interpolate(small, size=x.shape[2:], mode="bilinear", align_corners=False)


def blur_kernels(size_px: Tensor, angle: Tensor, moving: Tensor, most_px: float) -> Tensor:
    """(n, k, k) kernels that sum to 1, k odd and wide enough for `most_px`.

    Motion: a line of length `size_px` (n,) in direction `angle` (n,); focus: a Gaussian whose sigma is a quarter of it.
    """
    radius = max(1, math.ceil(most_px / 2))
    steps = torch.arange(-radius, radius + 1, device=size_px.device).float()
    y, x = steps[:, None], steps[None, :]  # (k, 1) and (1, k)
    along = torch.cos(angle)[:, None, None] * x + torch.sin(angle)[:, None, None] * y  # (n, k, k) px
    beside = torch.cos(angle)[:, None, None] * y - torch.sin(angle)[:, None, None] * x
    line = (1 - beside.abs()).clamp_min(0) * (size_px[:, None, None] / 2 + 0.5 - along.abs()).clamp(0, 1)
    sigma = (size_px / 4).clamp_min(0.3)[:, None, None]
    focus = torch.exp(-(x * x + y * y) / (2 * sigma * sigma))
    kernels = torch.where(moving[:, None, None], line, focus)
    return kernels / kernels.sum(dim=(1, 2), keepdim=True)


def convolve(x: Tensor, kernels: Tensor) -> Tensor:
    """Each picture of (n, 3, h, w) with its own kernel of (n, k, k), k odd; the border is repeated."""
    radius = kernels.shape[1] // 2
    padded = functional.pad(x, (radius,) * 4, mode="replicate").flatten(0, 1)[None]  # (1, n * 3, h + 2 r, w + 2 r)
    weight = kernels.repeat_interleave(x.shape[1], dim=0)[:, None]  # (n * 3, 1, k, k)
    return functional.conv2d(padded, weight, groups=len(weight)).reshape(x.shape)


def erase(planes: Tensor, start: Tensor, sides: Tensor, noise: Tensor) -> Tensor:
    """Put noise (3, h, w) into a rectangle of each of (n, 3, h, w).

    `start` and `sides` (n, 2) are its upper left corner and its size, as shares of height and width.
    """
    down, across = _middles(planes.shape[2], planes.device), _middles(planes.shape[3], planes.device)
    end = start + sides
    rows = (down >= start[:, :1]) & (down < end[:, :1])  # (n, h)
    columns = (across >= start[:, 1:]) & (across < end[:, 1:])  # (n, w)
    return torch.where(rows[:, None, :, None] & columns[:, None, None, :], noise, planes)


def _middles(count: int, device: torch.device) -> Tensor:
    """Where the middles of `count` pixels lie between 0 and 1: (count,)."""
    return (torch.arange(count, device=device) + 0.5) / count

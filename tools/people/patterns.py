"""The colour of every point of a person: cloth patterns, faces, soles, faded denim. Linear light."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from . import raster
from .dressing import Dressed, Material
from .wardrobe import Fabric

Floats = NDArray[np.float32]


def to_linear(srgb: Floats) -> Floats:
    """0..255 sRGB -> linear light 0..1, by the common power law of 2.2."""
    return np.asarray((np.clip(srgb, 0, 255) / 255) ** 2.2, np.float32)


def surface(
    dressed: Dressed, material: NDArray[np.int32], where: Floats, moment: float
) -> tuple[Floats, Floats, Floats]:
    """Of points: colour (N, 3) linear RGB, folds (N,) as a relief that shades, gloss (N,).

    `material` (N,) row of the material, `where` (N, 4) coordinates on the body, `moment` another fall of the folds.
    """
    colour = np.zeros((len(where), 3), np.float32)
    relief, gloss = np.zeros(len(where), np.float32), np.zeros(len(where), np.float32)
    for row in np.unique(material):
        chosen = np.flatnonzero(material == row)
        made_of = dressed.materials[row]
        points = where[chosen]
        colour[chosen] = to_linear(_colour(made_of, points))
        relief[chosen] = _relief(made_of, points, moment)
        gloss[chosen] = made_of.fabric.gloss
    return colour, relief, gloss


def _colour(material: Material, points: Floats) -> Floats:
    """(N, 4) -> (N, 3) sRGB 0..255."""
    fabric = material.fabric
    main, second = np.float32(fabric.colour), np.float32(fabric.second)
    if material.kind == "skin":
        return _face(points, main, second)
    if material.kind == "shoe":
        return np.where((points[:, 2] < -0.797)[:, None], second, main)
    if material.kind == "hair":
        strands = raster.noise(points[:, :3] * np.float32([60, 60, 6]) + fabric.seed, raster.LATTICE)
        return main * (1 + 0.25 * strands[:, None])
    share = _pattern(fabric, points)[:, None]  # (N, 1) how much of the second colour
    out = main * (1 - share) + second * share
    if fabric.denim:
        x, y, z = points[:, 0], points[:, 1], points[:, 2]
        thigh = (
            np.exp(-(((z + 0.2) / 0.16) ** 2)) * np.exp(-(((np.abs(x) - 0.12) / 0.05) ** 2)) * (0.7 + 0.3 * np.sign(y))
        )
        out = out + thigh[:, None] * (60, 55, 48)
    if material.kind == "coat":  # a zip or a row of buttons
        out = np.where(
            ((np.abs(points[:, 0]) < 0.006) & (points[:, 1] > 0.03) & (points[:, 3] < 0.02))[:, None], out * 0.55, out
        )
    if material.kind == "trousers":
        out = np.where((points[:, 2] > 0.125)[:, None], out * 0.6, out)  # a belt
    speckle = raster.noise(points[:, :3] * 9 + fabric.seed + 31, raster.LATTICE)
    return out * (1 + 0.06 * speckle[:, None])


def _face(points: Floats, skin: Floats, hair: Floats) -> Floats:
    """Eyes, brows, lips, and a beard (`place` is told by its darkness: the second colour is the hair's)."""
    x, y, z = points[:, 0], points[:, 1], points[:, 2]
    front = y > 0.1
    eyes = front & (np.abs(np.abs(x) - 0.032) < 0.014) & (np.abs(z - 0.735) < 0.008)
    brows = front & (np.abs(np.abs(x) - 0.033) < 0.02) & (np.abs(z - 0.758) < 0.005)
    lips = front & (np.abs(x) < 0.022) & (np.abs(z - 0.672) < 0.008)
    out = np.tile(skin, (len(points), 1))
    out[eyes] = 0.35 * skin + 10
    out[brows] = 0.5 * skin + 0.5 * hair
    out[lips] = skin * (0.85, 0.62, 0.62)
    return out


def _pattern(fabric: Fabric, points: Floats) -> Floats:
    """(N,) share of the second colour, 0..1."""
    x, y, z, arm = points.T
    sleeve = arm > 0.03
    down = np.where(sleeve, arm * 0.5, -z)  # along what hangs
    across = np.where(sleeve, y + z * 0.3, np.arctan2(x, y + 0.02) * 0.14)
    size = fabric.size

    def wave(values: Floats, period: float) -> Floats:
        return np.asarray((values / period + fabric.seed) % 1 < 0.5, np.float32)

    def cells(scale: float) -> Floats:
        return raster.noise(points[:, :3] * scale + fabric.seed, raster.LATTICE)

    match fabric.pattern:
        case "stripes":
            return wave(down, size)
        case "pinstripes":
            return np.asarray((across / max(0.02, size * 0.4) + fabric.seed) % 1 < 0.25, np.float32) * 0.7
        case "checks":
            return 0.5 * wave(down, size) + 0.5 * wave(across, size)
        case "logo":
            return _logo(fabric, points) * np.asarray(cells(40) > -0.25, np.float32)
        case "print":
            return np.asarray((cells(1.2 / size) > 0.15) & ~sleeve & (np.abs(z - 0.38) < 0.14) & (y > 0), np.float32)
        case "blocks":
            lower = z < fabric.place
            kind = int(fabric.seed * 7) % 3
            return np.asarray(
                sleeve if kind == 0 else lower & ~sleeve if kind == 1 else (np.abs(x) > 0.1) | sleeve, np.float32
            )
        case "mottled":
            return np.clip(0.5 + 0.5 * cells(0.8 / size), 0, 1) * 0.7
        case "camouflage":
            return np.clip(6 * cells(0.6 / size), 0, 1)
        case "dots":
            period = max(0.03, size * 0.7)
            u, v = (down / period) % 1 - 0.5, (across / period) % 1 - 0.5
            return np.asarray(u * u + v * v < 0.06, np.float32)
    return np.zeros(len(points), np.float32)


def _logo(fabric: Fabric, points: Floats) -> Floats:
    """(N,) 1 inside a patch on the chest or on the back."""
    x, y, z, arm = points.T
    side = 1 if fabric.seed % 1 < 0.7 else -1
    half = 0.03 + 0.6 * fabric.size
    flat = half * (0.3 + fabric.seed % 0.7)
    return np.asarray((np.abs(x) < half) & (np.abs(z - 0.4) < flat) & (side * y > 0) & (arm <= 0.03), np.float32)


def _relief(material: Material, points: Floats, moment: float) -> Floats:
    """(N,) about -1..1 times the depth of folds: long ones that hang, finer ones across where joints bend."""
    fabric = material.fabric
    place, arm = points[:, :3], points[:, 3]
    if material.kind in ("skin", "shoe", "bag"):
        return fabric.wrinkles * 0.3 * raster.noise(place * np.float32(14) + fabric.seed, raster.LATTICE)
    shift = np.float32(fabric.seed + moment)
    if material.kind in ("skirt", "tail"):
        turn = np.arctan2(place[:, 0], place[:, 1])[:, None]
        hanging = raster.noise(np.hstack((turn * 4, place[:, 2:] * 1.5, turn * 0)) + shift, raster.LATTICE)
        return fabric.wrinkles * 1.3 * hanging
    # a warp makes folds bend; across the limb they are three times as dense as along it
    warp = 0.05 * raster.noise(place * 6 + shift, raster.LATTICE)[:, None]
    stretched = (place + warp) * np.float32([1.0, 1.0, 1.6]) * fabric.grain * 1.6 + shift
    coarse = raster.noise(stretched.astype(np.float32), raster.LATTICE)
    fine = raster.noise((stretched * 2.3 + 7).astype(np.float32), raster.LATTICE)
    ridged = 1 - 2 * np.abs(coarse)  # creases: sharp valleys between broad swells
    joints = np.exp(-(((arm - 0.52) / 0.13) ** 2)) + np.exp(-(((place[:, 2] + 0.37) / 0.08) ** 2)) * (arm < 0.02)
    joints = (
        joints
        + np.exp(-(((place[:, 2] + 0.7) / 0.07) ** 2))
        + 0.6 * np.exp(-(((place[:, 2] - 0.16) / 0.06) ** 2)) * (arm < 0.02)
    )
    return fabric.wrinkles * (0.55 * ridged + 0.45 * fine) * (0.8 + 0.9 * joints)

"""People before a lens: projection, z-buffer, sun with its shadow, sky, ground."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from . import patterns, raster
from .bodies import BONES, Anatomy
from .dressing import Dressed
from .poses import place_bones

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Light:
    """What shines: in the camera's frame, for cameras stand still."""

    sun: tuple[float, float, float]
    """Unit vector towards the sun: right in the picture, away from the camera, up."""
    sun_colour: tuple[float, float, float]
    """Linear RGB of the sun; 0 on a dull day."""
    sky_colour: tuple[float, float, float]
    """Linear RGB of light from above."""
    ground_colour: tuple[float, float, float]
    """Linear RGB of light from below."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A posed person in the world of one picture: x right, y away from the camera, z up, the ground at 0."""

    dressed: Dressed
    """Who."""
    points: Floats
    """(V, 3) metres."""


@dataclass(frozen=True, slots=True)
class Lens:
    """A pinhole camera at (0, 0, height) that looks along y and down."""

    height_m: float
    """Above the ground."""
    pitch: float
    """Radians that it looks down."""

    def project(self, points: Floats) -> Floats:
        """(N, 3) world -> (N, 3): column and row of an image plane at distance 1, and the depth."""
        c, s = np.cos(self.pitch), np.sin(self.pitch)
        y, z = points[:, 1], points[:, 2] - self.height_m
        depth = c * y - s * z
        down = -(s * y + c * z)
        safe = np.maximum(depth, 1e-3)
        return np.column_stack((points[:, 0] / safe, down / safe, depth)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Layer:
    """People as drawn: what is put over a background."""

    colour: Floats
    """(h, w, 3) linear RGB."""
    owner: NDArray[np.int32]
    """(h, w) number of the person, -1 where there is none."""
    shadow: Floats
    """(h, w) share of the sun that they take from the ground, 0..1."""


def place(anatomy: Anatomy, dressed: Dressed, turns: Floats, facing: float, spot: tuple[float, float]) -> Placed:
    """Pose a person and stand him on the ground at `spot`, turned by `facing` radians (0 looks at the camera)."""
    turns, shifts = place_bones(anatomy, dressed.body, turns)
    turns, shifts = _with_hanging_bones(anatomy, dressed, turns, shifts)
    points = raster.skin(dressed.rest, dressed.bone_of, dressed.weight_of, turns, shifts)
    c, s = np.cos(facing), np.sin(facing)
    # the body's left is to the right of the picture when he looks at the camera
    x, y = c * points[:, 0] - s * points[:, 1], -(s * points[:, 0] + c * points[:, 1])
    z = points[:, 2] - points[:, 2].min()
    return Placed(dressed, np.column_stack((x + spot[0], y + spot[1], z)).astype(np.float32))


def _with_hanging_bones(anatomy: Anatomy, dressed: Dressed, turns: Floats, shifts: Floats) -> tuple[Floats, Floats]:
    """Append the ground, and both hands without their turn."""
    upright = np.eye(3, dtype=np.float32)
    extra = [np.zeros(3, np.float32)]
    for side in "lr":
        bone = BONES.index(f"hand_{side}")
        head = dressed.body[anatomy.joints[bone]].mean(axis=0)
        extra.append(turns[bone] @ head + shifts[bone] - head)
    return np.concatenate((turns, np.stack([upright] * 3))), np.concatenate((shifts, np.stack(extra))).astype(
        np.float32
    )


def draw(
    people: list[Placed],
    lens: Lens,
    window: tuple[float, float, float, float],
    size: tuple[int, int],
    light: Light,
    rng: np.random.Generator,
) -> Layer:
    """Draw people in a `window` (left, top, right, bottom on the image plane) of `size` (height, width) pixels."""
    height, width = size
    colour = np.zeros((height, width, 3), np.float32)
    owner = np.full((height, width), -1, np.int32)
    depth = np.full((height, width), np.inf, np.float32)
    shadow = np.zeros((height, width), np.float32)
    to_pixels = np.float32([width / (window[2] - window[0]), height / (window[3] - window[1])])
    for number, person in enumerate(people):
        screen = lens.project(person.points)
        screen[:, :2] = (screen[:, :2] - window[:2]) * to_pixels
        dressed = person.dressed
        nearest, shares, far = raster.rasterise(screen, dressed.faces, dressed.keep, height, width)
        seen = (nearest >= 0) & (far < depth)
        if seen.any():
            colour[seen] = _shade(person, nearest[seen], shares[seen], far, seen, light, rng)
            owner[seen], depth[seen] = number, far[seen]
        shadow = np.maximum(shadow, _ground_shadow(person, lens, window, to_pixels, size, light))
    return Layer(colour, owner, shadow)


def _shade(person: Placed, face: NDArray[np.int32], share: Floats, depth: Floats, seen: Bools, light: Light,
           rng: np.random.Generator) -> Floats:  # fmt: skip
    """(N, 3) linear RGB of the pixels seen."""
    dressed = person.dressed
    normal = raster.normals(person.points, dressed.faces)
    known = np.hstack((normal, person.points, dressed.coordinates))  # (V, 10)
    here = raster.interpolate(known, dressed.faces, face, share)  # (N, 10)
    facing, point, where = here[:, :3], here[:, 3:6], np.ascontiguousarray(here[:, 6:])
    facing /= np.sqrt(np.einsum("ni,ni->n", facing, facing))[:, None] + np.float32(1e-6)
    # an inside (of a skirt, of hair) is lit as its outside: turn it to the camera, which looks along y
    away = facing[:, 1] > 0.3
    facing[away] *= -1
    colour, relief, gloss = patterns.surface(dressed, dressed.material_of[face], where, rng.uniform(0, 3))
    occlusion = _occlusion(depth, seen)[:, None]
    sun = np.float32(light.sun)
    lit = np.maximum(facing @ sun + np.float32(0.6) * relief, 0) * (1 - _self_shadow(person, point, sun, light))
    up = np.clip(0.5 + 0.5 * facing[:, 2] + 0.5 * relief, 0, 1)[:, None]
    ambient = np.float32(light.sky_colour) * up + np.float32(light.ground_colour) * (1 - up)
    out = colour * (ambient * occlusion + np.float32(light.sun_colour) * lit[:, None])
    out *= np.clip(1 + 0.9 * relief, 0.3, 1.7)[:, None]
    if gloss.any():
        half = sun + np.float32([0, -1, 0.1])  # halfway to the camera (Blinn 1977)
        shine = np.clip(facing @ (half / np.linalg.norm(half)), 0, 1) ** 12 * gloss
        out += shine[:, None] * (np.float32(light.sun_colour) + 0.6 * np.float32(light.sky_colour))
    out[away] *= 0.55
    return np.asarray(out, np.float32)


def _occlusion(depth: Floats, seen: Bools) -> Floats:
    """(N,) light from the sky that reaches a point: less where it lies behind its surroundings (screen space)."""
    known = seen.astype(np.float32)
    filled = np.where(seen, depth, 0).astype(np.float32)
    out = np.ones(int(seen.sum()), np.float32)
    for reach in (0.012, 0.035):
        sigma = max(1.0, reach * len(depth))
        weight = cv2.GaussianBlur(known, (0, 0), sigma) + 1e-4
        behind = filled - cv2.GaussianBlur(filled, (0, 0), sigma) / weight
        out *= 1 - 0.5 * np.clip(behind[seen] / 0.12, 0, 1)
    return out


def _self_shadow(person: Placed, point: Floats, sun: Floats, light: Light) -> Floats:
    """(N,) 1 where another part of the person hides the sun."""
    if max(light.sun_colour) < 0.05:
        return np.zeros(len(point), np.float32)
    side = np.cross(sun, [0, 0, 1])
    side = side / (np.linalg.norm(side) + 1e-6)
    axes = np.stack((side, np.cross(sun, side), -sun)).astype(np.float32)
    seen_by_sun = person.points @ axes.T
    low = seen_by_sun.min(axis=0)
    scale = 96 / (np.ptp(seen_by_sun[:, :2], axis=0).max() + 1e-6)
    flat = ((seen_by_sun - low) * [scale, scale, 1]).astype(np.float32) + np.float32([2, 2, 1])
    _, _, depth = raster.rasterise(flat, person.dressed.faces, person.dressed.keep, 100, 100)
    places = ((point @ axes.T - low) * [scale, scale, 1]).astype(np.float32) + np.float32([2, 2, 1])
    column, row = (np.clip(np.rint(places[:, axis]).astype(int), 0, 99) for axis in (0, 1))
    dark = (depth < 1e6).astype(np.float32)
    nearest = np.where(dark > 0, depth, 1e6)
    return (nearest[row, column] < places[:, 2] - 0.05).astype(np.float32)


def _ground_shadow(person: Placed, lens: Lens, window: tuple[float, float, float, float], to_pixels: Floats,
                   size: tuple[int, int], light: Light) -> Floats:  # fmt: skip
    """(h, w) the shadow on the ground: hard under the sun, a soft patch around the feet under clouds."""
    sun = light.sun
    if max(light.sun_colour) < 0.05:
        sun, softness = (0.05, 0.05, 1.0), 0.03
    else:
        softness = 0.006
    flat = person.points.copy()
    reach = flat[:, 2] / max(sun[2], 0.15)
    flat[:, 0] -= sun[0] * reach
    flat[:, 1] -= sun[1] * reach
    flat[:, 2] = 0
    screen = lens.project(flat)
    screen[:, :2] = (screen[:, :2] - window[:2]) * to_pixels / 2  # half the size will do
    half = ((size[0] + 1) // 2, (size[1] + 1) // 2)
    nearest, _, _ = raster.rasterise(screen, person.dressed.faces, person.dressed.keep, *half)
    soft = cv2.GaussianBlur((nearest >= 0).astype(np.float32), (0, 0), max(0.6, softness * half[0]))
    return np.asarray(cv2.resize(soft, size[::-1]), np.float32)

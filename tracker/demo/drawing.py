"""Paints a `Figure` in a `Pose`: anti-aliased, textured, lit from the upper left, with its exact silhouette."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracker.demo.body import HIP_Y, Pose, Skeleton, project
from tracker.demo.canvas import Canvas, Sprite, shade
from tracker.demo.head import draw_head, draw_long_hair
from tracker.demo.textures import fold_map, top_panorama

if TYPE_CHECKING:
    from tracker.demo.figures import Figure
    from tracker.types import DoubleArray

__all__ = ["Pose", "Sprite", "draw_figure"]

# half widths of the torso seen from the front and from a side, in body heights, at these heights
_TORSO_Y = np.array([0.158, 0.178, 0.215, 0.30, 0.40, 0.49, 0.53])
_TORSO_FRONT = np.array([0.036, 0.090, 0.124, 0.110, 0.092, 0.098, 0.100])
_TORSO_SIDE = np.array([0.034, 0.050, 0.066, 0.080, 0.068, 0.074, 0.074])


def _torso_outline(figure: Figure, body: Skeleton, from_y: float, to_y: float, flare: float) -> DoubleArray:
    """(n, 2) outline of the trunk between two heights; `flare` widens it at the lower end."""
    ys = np.array([from_y, *(y for y in _TORSO_Y.tolist() if from_y < y < to_y), to_y])
    front = np.interp(ys, _TORSO_Y, _TORSO_FRONT) * figure.build * body.cos_facing
    side = np.interp(ys, _TORSO_Y, _TORSO_SIDE) * figure.build * body.sin_facing
    half = np.hypot(front, side) + flare * np.clip((ys - HIP_Y) / 0.2, 0, 1)
    lean = 0.02 * body.sin_facing * (1 - ys)  # walkers lean forward a little
    right = np.stack((lean + half, ys + body.lift), axis=1)
    left = np.stack((lean - half, ys + body.lift), axis=1)
    return np.concatenate((right, left[::-1]))


def _draw_leg(canvas: Canvas, figure: Figure, joints: DoubleArray) -> None:
    hip, knee, ankle, toe = joints
    wide = figure.build
    canvas.limb(np.stack((ankle, toe)), (0.026, 0.020), figure.shoes)
    if figure.legwear == "trousers":
        canvas.limb(joints[:3], (0.058 * wide, 0.043 * wide, 0.031 * wide), figure.legs)
        return
    canvas.limb(np.stack((knee, ankle)), (0.034 * wide, 0.021 * wide), figure.skin)
    upper = figure.skin if figure.legwear == "skirt" else figure.legs
    canvas.limb(np.stack((hip, knee)), (0.058 * wide, 0.043 * wide), upper)


def _draw_arm(canvas: Canvas, figure: Figure, joints: DoubleArray) -> None:
    shoulder, elbow, wrist = joints
    wide = figure.build
    hand = wrist + (wrist - elbow) * 0.22
    if figure.long_sleeves:
        canvas.limb(np.stack((wrist, hand)), (0.019, 0.017), figure.skin)
        canvas.limb(joints, (0.039 * wide, 0.032 * wide, 0.025 * wide), figure.top)
        return
    canvas.limb(np.stack((shoulder, elbow, wrist, hand)), (0.030 * wide, 0.026 * wide, 0.019, 0.016), figure.skin)
    sleeve = shoulder + 0.62 * (elbow - shoulder)
    canvas.limb(np.stack((shoulder, sleeve)), (0.039 * wide, 0.038 * wide), figure.top)


def _draw_legs(canvas: Canvas, figure: Figure, body: Skeleton) -> None:
    for side in np.argsort(body.legs[:, 1:3, 2].sum(axis=1)).tolist():  # the farther leg first
        _draw_leg(canvas, figure, body.legs[side])
    outline = _torso_outline(figure, body, 0.47, 0.70 if figure.legwear == "skirt" else 0.535, 0.02)
    if figure.legwear == "skirt":
        outline[outline[:, 1] > 0.65 + body.lift, 0] *= 1.25
    canvas.polygon(outline, shade(figure.legs, 0.8))
    canvas.polygon(outline * (0.72, 1.0) - (0.01, 0.0), shade(figure.legs, 1.02))


def _draw_bag(canvas: Canvas, figure: Figure, body: Skeleton, in_front: bool) -> None:
    """Draw what is carried, in the pass (behind or before the trunk) where it belongs."""
    if figure.bag == "backpack":
        if in_front != (body.cos_facing < 0.1):
            if in_front and body.cos_facing > 0.25:  # only the straps are seen from the front
                for side in (-1, 1):
                    x = side * 0.062 * figure.build * body.cos_facing + 0.03 * body.sin_facing
                    strap = np.array([[x, 0.17 + body.lift], [x * 1.15, 0.33 + body.lift]])
                    canvas.limb(strap, (0.013, 0.012), figure.bag_colour)
            return
        x = -0.115 * body.sin_facing * figure.build
        half = float(np.hypot(0.088 * body.cos_facing, 0.058 * body.sin_facing))
        pack = np.array([[x, 0.205 + body.lift], [x, 0.30 + body.lift], [x, 0.385 + body.lift]])
        canvas.limb(pack, (half * 0.72, half, half * 0.92), figure.bag_colour)
        pocket = np.array([[x - half * 0.3, 0.37 + body.lift], [x + half * 0.3, 0.37 + body.lift]])
        canvas.limb(pocket, (half * 0.36, half * 0.36), shade(figure.bag_colour, 0.8))
    elif figure.bag == "shoulder":
        x, depth = 0.135 * body.cos_facing * figure.build, -body.sin_facing
        if in_front != (depth > -0.35):
            return
        centre = np.array([x, 0.5 + body.lift])
        half = 0.03 + 0.04 * abs(body.sin_facing)
        strap = np.array([-0.08 * body.cos_facing, 0.175 + body.lift])
        canvas.limb(np.stack((strap, centre)), (0.009, 0.009), figure.bag_colour)
        spread = np.array([half - 0.02, 0.0])
        canvas.limb(np.stack((centre - spread, centre + spread)), (0.048, 0.048), figure.bag_colour)


def draw_figure(figure: Figure, pose: Pose, height_px: float) -> Sprite:
    """Paint a figure whose body height (without hat, standing) is `height_px`.

    The silhouette in `alpha` is what truth boxes are made of. The same arguments give the same pixels.
    """
    canvas = Canvas(height_px)
    body = project(pose, figure.build)
    _draw_bag(canvas, figure, body, in_front=False)
    depth = body.arms[:, 0, 2] + 0.5 * body.arms[:, 1, 2]  # of shoulder and elbow, towards the camera
    for side in np.flatnonzero(depth < -0.03).tolist():
        _draw_arm(canvas, figure, body.arms[side])
    _draw_legs(canvas, figure, body)
    outline = _torso_outline(figure, body, 0.158, figure.top_length, 0.022 if figure.top_length > 0.56 else 0.0)
    if body.cos_facing > -0.25:
        draw_long_hair(canvas, figure, body)
    neck = np.array([0.018 * body.sin_facing, 0.13 + body.lift])
    canvas.limb(np.stack((neck, neck + np.array([0.0, 0.04]))), (0.031, 0.034), figure.skin)
    canvas.textured(outline, top_panorama(figure), pose.facing_deg)
    if body.cos_facing < -0.1:  # seen from behind, hair falls over the collar
        draw_head(canvas, figure, body)
        _draw_bag(canvas, figure, body, in_front=True)
    else:
        _draw_bag(canvas, figure, body, in_front=True)
        draw_head(canvas, figure, body)
    for side in np.flatnonzero(depth >= -0.03).tolist():
        _draw_arm(canvas, figure, body.arms[side])
    return canvas.finish(fold_map(figure.texture_seed))

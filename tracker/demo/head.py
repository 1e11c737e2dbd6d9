"""Head, hair and hat of a figure, for any direction that it faces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracker.demo.canvas import shade

if TYPE_CHECKING:
    from tracker.demo.body import Skeleton
    from tracker.demo.canvas import Canvas
    from tracker.demo.figures import Figure

_CENTRE_Y, _HALF_HEIGHT = 0.066, 0.068  # of the skull, in body heights


def draw_head(canvas: Canvas, figure: Figure, body: Skeleton) -> None:
    """Paint the head of a figure whose trunk is already there."""
    sin, cos = body.sin_facing, body.cos_facing
    x, y = 0.018 * sin, _CENTRE_Y + body.lift
    half = 0.047 + 0.006 * abs(sin)
    bald = figure.hair_style == "bald"
    hair = figure.skin if bald else figure.hair
    canvas.ellipse((x, y), (half, _HALF_HEIGHT), shade(hair, 0.78 if not bald else 0.85))
    canvas.ellipse((x - 0.006, y - 0.006), (half * 0.82, _HALF_HEIGHT * 0.86), shade(hair, 1.05))
    if cos > -0.45:
        _draw_face(canvas, figure, body, x, y)
    if cos <= -0.25:
        draw_long_hair(canvas, figure, body)
    if figure.hair_style == "bun":
        canvas.ellipse((x - 0.05 * sin, y - 0.052 + 0.02 * abs(sin)), (0.024, 0.024), figure.hair)
    if figure.hat != "none":
        _draw_hat(canvas, figure, body, x, y, half)


def draw_long_hair(canvas: Canvas, figure: Figure, body: Skeleton) -> None:
    """Paint the hair that hangs down behind; before the trunk where the face is seen, after it from behind."""
    if figure.hair_style != "long":
        return
    wide = 0.052 + 0.006 * abs(body.sin_facing)
    right = np.array([[wide, -0.01], [wide * 1.08, 0.06], [wide * 0.8, 0.115]])
    outline = np.concatenate((right, right[::-1] * (-1, 1)))
    centre = (0.002 * body.sin_facing, _CENTRE_Y + body.lift)
    canvas.polygon(outline + centre, shade(figure.hair, 0.85))
    canvas.polygon(outline * (0.7, 0.95) + centre - (0.008, 0.0), shade(figure.hair, 1.02))


def _draw_face(canvas: Canvas, figure: Figure, body: Skeleton, x: float, y: float) -> None:
    sin, cos = body.sin_facing, body.cos_facing
    half = 0.041 * float(np.clip(0.72 + 0.28 * cos, 0.5, 1.0))
    face_x, face_y = x + 0.021 * sin, y + 0.012
    canvas.ellipse((face_x, face_y), (half, 0.053), shade(figure.skin, 0.86))
    canvas.ellipse((face_x - 0.004, face_y - 0.002), (half * 0.86, 0.047), figure.skin)
    if abs(sin) > 0.5:  # the nose breaks the outline
        tip = x + (0.062 if sin > 0 else -0.062)
        canvas.polygon(np.array([[face_x, y - 0.004], [tip, y + 0.02], [face_x, y + 0.03]]), figure.skin)
        canvas.ellipse((x - 0.012 * sin, y + 0.012), (0.008, 0.013), shade(figure.skin, 0.8))  # the ear
    if figure.hair_style != "bald":  # the fringe
        brow = np.array(
            [[-1.0, -0.2], [-0.95, -0.75], [-0.4, -1.02], [0.4, -1.02], [0.95, -0.75], [1.0, -0.2], [0.0, -0.52]]
        )
        canvas.polygon(brow * (half * 1.05, _HALF_HEIGHT) + (face_x - 0.006 * sin, y + 0.004), figure.hair)
    for side in (-1, 1):
        eye_x = face_x + (side * 0.017 * cos + 0.016 * sin)
        if cos > 0.3 or side * sin > 0.2:
            canvas.ellipse((eye_x, y + 0.006), (0.0052, 0.0044), (34, 30, 30))
    if cos > 0.2:
        canvas.ellipse((face_x + 0.012 * sin, y + 0.041), (0.013 * cos, 0.0035), shade(figure.skin, 0.62))


def _draw_hat(canvas: Canvas, figure: Figure, body: Skeleton, x: float, y: float, half: float) -> None:
    colour, sin, cos = figure.hat_colour, body.sin_facing, body.cos_facing
    angle = np.linspace(np.pi, 2 * np.pi, 13)
    dome = np.stack((np.cos(angle) * half * 1.1, np.sin(angle) * 0.078), axis=1)
    low = -0.012 if figure.hat == "cap" else -0.01
    canvas.polygon(dome + np.array([x, y + low]), shade(colour, 0.82))
    canvas.polygon(dome * (0.8, 0.88) + np.array([x - 0.006, y + low]), shade(colour, 1.05))
    if figure.hat == "beanie":
        band = np.array([[-1.12, -0.016], [1.12, -0.016], [1.1, 0.008], [-1.1, 0.008]]) * (half, 1.0)
        canvas.polygon(band + np.array([x, y + low]), shade(colour, 0.7))
    elif cos > -0.4:  # the peak points where the face points
        canvas.ellipse(
            (x + 0.058 * sin, y + low), (0.040 - 0.004 * cos, 0.008 + 0.010 * max(0.0, cos)), shade(colour, 0.68)
        )

"""The stage of a rendered clip: its lanes, its perspective and what stands in the way, in reference pixels.

The reference picture is 540 pixels high; its width follows from the aspect of the real picture. Whatever is laid out
here is scaled once, when it is painted, so a small clip shows the same story as a large one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

HEIGHT = 540.0
"""Height of the reference picture."""
HORIZON_Y = 150.0
"""Where the ground would meet the sky; sizes grow linearly below it."""
BACK_LANES = (300.0, 355.0)
"""Ground lines of those who walk behind the occluders."""
FRONT_LANES = (422.0, 482.0)
"""Ground lines of those who walk before them."""
_PIXELS_A_METRE_AND_ROW = 0.72 / 1.72  # somebody of 1.72 m is .72 times as high as the ground line is below the horizon
WALL_BASE_Y = 262.0
"""Where the house front meets the pavement."""


def body_height(ground_y: float, height_m: float) -> float:
    """Height in the reference picture of somebody who stands at `ground_y`."""
    return _PIXELS_A_METRE_AND_ROW * (ground_y - HORIZON_Y) * height_m


@dataclass(frozen=True, slots=True)
class Occluder:
    """Something between the back and the front lanes that is wide and high enough to hide a walker."""

    kind: str
    """`kiosk` or `van`."""
    left: float
    """Left edge."""
    right: float
    """Right edge."""
    top: float
    """Upper edge: above the hat of the tallest figure in the back lanes."""
    base: float
    """Ground line."""

    @property
    def centre(self) -> float:
        """The middle, where nothing of a walker can be seen."""
        return (self.left + self.right) / 2


@dataclass(frozen=True, slots=True)
class Stage:
    """Width of the reference picture, and its occluders from left to right."""

    width: float
    """Width of the reference picture."""
    occluders: tuple[Occluder, Occluder]
    """From left to right."""


def build_stage(width: float, rng: np.random.Generator) -> Stage:
    """Put a kiosk and a van at about a quarter and three quarters of the width, in either order."""
    sizes = {"kiosk": (168.0, 122.0), "van": (240.0, 138.0)}  # width, top
    kinds = list(rng.permutation(["kiosk", "van"]))
    places = width * (np.array([0.27, 0.73]) + rng.uniform(-0.025, 0.025, 2))
    built = [
        Occluder(str(kind), x - sizes[kind][0] / 2, x + sizes[kind][0] / 2, sizes[kind][1], 388.0)
        for kind, x in zip(kinds, places.tolist(), strict=True)
    ]
    return Stage(width, (built[0], built[1]))

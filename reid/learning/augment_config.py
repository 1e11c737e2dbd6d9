"""How pictures are changed before they are learned from. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass, fields

from reid.checks import check_number
from reid.errors import InputError


@dataclass(frozen=True, slots=True)
class AugmentConfig:
    """Changes to the pictures of a batch, each with its probability a picture; 0 leaves a change out."""

    flip: float = 0.5
    """Mirror left and right."""
    occlude: float = 0.15
    """Cover a part by another picture of the batch, which comes in from one side or from below."""
    occlude_share: float = 0.4
    """Largest share of the width or height that is covered."""
    crop: float = 0.5
    """Shift and zoom, as a detector's boxes are shifted and too wide or too narrow; what comes in from outside repeats
    the border."""
    crop_shift: float = 0.06
    """Largest shift, as a share of height and width."""
    crop_zoom: float = 0.1
    """Largest change of size, of height and width each."""
    colour: float = 0.8
    """Change brightness, contrast, saturation, hue and the colour of the light."""
    brightness: float = 0.3
    """Largest change of brightness: 0.3 is a factor of 0.77 to 1.3."""
    contrast: float = 0.2
    """Largest change of contrast, likewise."""
    saturation: float = 0.3
    """Largest change of saturation, likewise."""
    light_colour: float = 0.1
    """Largest change of each channel by the colour of the light, likewise."""
    hue_turn: float = 0.02
    """Largest turn of the hues, 1 the full circle; clothes are told apart by them, so little."""
    shadow: float = 0.2
    """Darken one side of a straight line, with a soft edge."""
    shadow_depth: float = 0.6
    """Largest share of the light that a shadow takes."""
    low_resolution: float = 0.1
    """Reduce to a half, a third or a quarter and enlarge again, as objects far away are enlarged."""
    blur: float = 0.15
    """Blur, by focus or by motion in any direction, half of the time each."""
    blur_size: float = 0.05
    """Longest motion, and twice the widest radius of focus, as a share of the height."""
    erase: float = 0.3
    """Put noise into a rectangle (random erasing, Zhong et al. 2020)."""
    erase_share: float = 0.25
    """Largest share of the picture that is erased."""

    def __post_init__(self) -> None:
        for field in fields(self):
            check_number(field.name, getattr(self, field.name), least=0, most=1)
        if self.crop_shift > 0.5 or self.crop_zoom > 0.5:
            raise InputError(f"crop_shift and crop_zoom must be at most 0.5, got {self.crop_shift}, {self.crop_zoom}")
        if self.shadow_depth == 1:
            raise InputError("shadow_depth must be below 1: nothing would be left of the picture")

"""Who walks through a rendered clip: identities made of clothes, hair, build and things carried.

A `Figure` says what somebody looks like and nothing about where they are; `tracker.demo.drawing` paints it,
`tracker.demo.crops` makes training pictures of it. Everything random comes from the generator that is handed in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

import cv2
import numpy as np

Colour: TypeAlias = tuple[int, int, int]
"""Blue, green, red, each 0..255."""

Pattern: TypeAlias = Literal["plain", "stripes", "bars", "checks", "noise", "logo", "block"]
HairStyle: TypeAlias = Literal["short", "long", "bun", "bald"]
Legwear: TypeAlias = Literal["trousers", "shorts", "skirt"]
Hat: TypeAlias = Literal["none", "cap", "beanie"]
Bag: TypeAlias = Literal["none", "backpack", "shoulder"]

# sRGB tones from light to dark, after the six Fitzpatrick types; stored as BGR
_SKINS: tuple[Colour, ...] = (
    (196, 214, 244), (170, 194, 232), (140, 170, 214), (108, 140, 190), (70, 98, 146), (44, 62, 96),
)  # fmt: skip
_HAIRS: tuple[Colour, ...] = (
    (28, 26, 26), (36, 44, 62), (44, 66, 104), (92, 146, 196), (44, 70, 150), (160, 160, 164), (210, 214, 216),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Figure:
    """One identity: what stays the same whenever this person is seen. Hashable, so that textures can be cached."""

    skin: Colour
    """Skin colour."""
    hair: Colour
    """Hair colour."""
    hair_style: HairStyle
    """How the hair is worn."""
    top: Colour
    """Main colour of shirt, jacket or coat."""
    top_accent: Colour
    """Second colour of the top's pattern."""
    pattern: Pattern
    """Pattern of the top."""
    long_sleeves: bool
    """Whether the sleeves reach the wrist; else they end above the elbow."""
    top_length: float
    """How far down the top reaches, as a share of the body height: .52 a shirt, .66 a coat."""
    legs: Colour
    """Colour of what is worn on the legs."""
    legwear: Legwear
    """What is worn on the legs."""
    shoes: Colour
    """Colour of the shoes."""
    hat: Hat
    """What is worn on the head."""
    hat_colour: Colour
    """Colour of the hat."""
    bag: Bag
    """What is carried."""
    bag_colour: Colour
    """Colour of the bag."""
    build: float
    """Width of the body in relation to the average, .85 slim to 1.25 broad."""
    height_m: float
    """Body height in metres."""
    texture_seed: int
    """Seed of the fine texture of cloth, so that it is the same in every picture."""


def _pick(rng: np.random.Generator, options: tuple[str, ...], weights: tuple[float, ...]) -> str:
    return options[int(rng.choice(len(options), p=np.array(weights) / sum(weights)))]


def _jitter(colour: Colour, rng: np.random.Generator, amount: int = 12) -> Colour:
    blue, green, red = (int(c) for c in np.clip(np.array(colour) + rng.integers(-amount, amount + 1, 3), 8, 250))
    return blue, green, red


def cloth_colour(rng: np.random.Generator) -> Colour:
    """A colour that cloth may have: half of the draws vivid, the rest muted, black, white or grey."""
    kind = rng.random()
    if kind < 0.5:
        hsv = rng.uniform(0, 180), rng.uniform(130, 235), rng.uniform(110, 235)
    elif kind < 0.75:
        hsv = rng.uniform(0, 180), rng.uniform(40, 130), rng.uniform(60, 210)
    else:
        hsv = rng.uniform(0, 180), rng.uniform(0, 30), float(rng.choice([28.0, 60.0, 120.0, 190.0, 235.0]))
    blue, green, red = (int(c) for c in cv2.cvtColor(np.array([[hsv]], np.uint8), cv2.COLOR_HSV2BGR)[0, 0])
    return blue, green, red


def _legs_colour(rng: np.random.Generator) -> Colour:
    classics: tuple[Colour, ...] = (
        (96, 62, 38), (130, 96, 66), (34, 32, 32), (70, 70, 74), (130, 160, 186), (52, 74, 98), (200, 206, 210),
    )  # fmt: skip
    return _jitter(classics[int(rng.integers(len(classics)))], rng) if rng.random() < 0.6 else cloth_colour(rng)


def _contrasting(colour: Colour, rng: np.random.Generator) -> Colour:
    """A cloth colour that is at least 110 grey-level steps (summed over channels) away from `colour`."""
    for _ in range(20):
        other = cloth_colour(rng)
        if sum(abs(a - b) for a, b in zip(colour, other, strict=True)) >= 110:
            return other
    return (235, 235, 235) if sum(colour) < 384 else (30, 30, 30)


def sample_figure(rng: np.random.Generator) -> Figure:
    """Draw one identity. The same state of `rng` gives the same identity."""
    top = cloth_colour(rng)
    coat = rng.random() < 0.2
    hat = _pick(rng, get_args(Hat), (0.66, 0.2, 0.14))
    bag = _pick(rng, get_args(Bag), (0.5, 0.28, 0.22))
    return Figure(
        skin=_jitter(_SKINS[int(rng.integers(len(_SKINS)))], rng, 6),
        hair=_jitter(_HAIRS[int(rng.integers(len(_HAIRS)))], rng, 8),
        hair_style=_pick(rng, get_args(HairStyle), (0.5, 0.3, 0.12, 0.08)),  # type: ignore[arg-type]
        top=top,
        top_accent=_contrasting(top, rng),
        pattern=_pick(rng, get_args(Pattern), (0.34, 0.16, 0.08, 0.12, 0.08, 0.12, 0.1)),  # type: ignore[arg-type]
        long_sleeves=bool(coat or rng.random() < 0.6),
        top_length=float(rng.uniform(0.6, 0.7) if coat else rng.uniform(0.5, 0.55)),
        legs=_legs_colour(rng),
        legwear=_pick(rng, get_args(Legwear), (0.74, 0.14, 0.12)),  # type: ignore[arg-type]
        shoes=_jitter((40, 38, 40), rng, 20) if rng.random() < 0.6 else cloth_colour(rng),
        hat=hat,  # type: ignore[arg-type]
        hat_colour=cloth_colour(rng),
        bag=bag,  # type: ignore[arg-type]
        bag_colour=_contrasting(top, rng),
        build=float(np.clip(rng.normal(1.0, 0.1), 0.85, 1.25)),
        height_m=float(np.clip(rng.normal(1.72, 0.09), 1.5, 1.95)),
        texture_seed=int(rng.integers(2**31)),
    )


def look_alike(figure: Figure, rng: np.random.Generator) -> Figure:
    """Somebody who is easily taken for `figure`: same top, hair, skin and build, another two of legs, shoes, hat, bag.

    The height differs by at most 2 cm, so size does not give the twin away.
    """
    changes = sorted(rng.choice(4, 2, replace=False).tolist())
    legs, shoes, hat, bag = figure.legs, figure.shoes, figure.hat, figure.bag
    bag_colour, hat_colour = figure.bag_colour, figure.hat_colour
    if 0 in changes:
        legs = _contrasting(figure.legs, rng)
    if 1 in changes:
        shoes = _contrasting(figure.shoes, rng)
    if 2 in changes:
        hat = "none" if figure.hat != "none" else "cap"
        hat_colour = _contrasting(figure.hair, rng)
    if 3 in changes:
        bag = "none" if figure.bag != "none" else "backpack"
        bag_colour = _contrasting(figure.top, rng)
    return replace(
        figure,
        legs=legs,
        shoes=shoes,
        hat=hat,
        hat_colour=hat_colour,
        bag=bag,
        bag_colour=bag_colour,
        height_m=float(np.clip(figure.height_m + rng.uniform(-0.02, 0.02), 1.5, 1.95)),
    )

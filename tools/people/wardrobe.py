"""What people wear: kinds of clothes, their cuts, and colours as they are on streets (mostly dark and muted)."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Rgb = tuple[float, float, float]

_CLOTH: tuple[tuple[float, str, tuple[float, float, float, float, float, float]], ...] = (
    # share, name, hue from..to (degrees), saturation from..to, value from..to
    (0.21, "black", (200, 260, 0.00, 0.25, 0.04, 0.15)),
    (0.12, "charcoal", (200, 240, 0.00, 0.15, 0.16, 0.30)),
    (0.08, "grey", (190, 240, 0.00, 0.10, 0.32, 0.62)),
    (0.13, "navy", (212, 236, 0.30, 0.70, 0.12, 0.34)),
    (0.07, "blue", (202, 226, 0.30, 0.75, 0.35, 0.75)),
    (0.10, "white", (30, 220, 0.00, 0.07, 0.78, 0.97)),
    (0.08, "beige", (28, 44, 0.12, 0.38, 0.50, 0.85)),
    (0.05, "brown", (16, 34, 0.30, 0.65, 0.18, 0.42)),
    (0.04, "olive", (50, 95, 0.20, 0.50, 0.20, 0.45)),
    (0.035, "red", (346, 372, 0.55, 0.90, 0.35, 0.80)),
    (0.025, "wine", (338, 360, 0.40, 0.75, 0.20, 0.42)),
    (0.02, "pink", (325, 355, 0.12, 0.45, 0.65, 0.95)),
    (0.02, "green", (110, 165, 0.25, 0.75, 0.22, 0.60)),
    (0.015, "yellow", (42, 58, 0.45, 0.85, 0.65, 0.95)),
    (0.01, "orange", (18, 34, 0.65, 0.95, 0.60, 0.95)),
    (0.015, "purple", (262, 300, 0.20, 0.60, 0.20, 0.60)),
    (0.015, "teal", (172, 198, 0.25, 0.75, 0.25, 0.65)),
)
_DENIM = (208, 224, 0.25, 0.62, 0.16, 0.62)
_SKIN = np.array(
    [[45, 30, 22], [75, 50, 38], [110, 76, 58], [150, 108, 84], [190, 146, 120], [214, 172, 148], [232, 196, 176]]
)
_HAIR: tuple[Rgb, ...] = (
    (18, 16, 15), (35, 26, 20), (58, 40, 28), (88, 62, 42), (125, 95, 62), (176, 146, 100), (150, 148, 146),
    (205, 203, 200), (96, 46, 26),
)  # fmt: skip
PATTERNS = ("plain", "stripes", "pinstripes", "checks", "logo", "print", "blocks", "mottled", "camouflage", "dots")


@dataclass(frozen=True, slots=True)
class Fabric:
    """The look of one piece of clothing."""

    colour: Rgb
    """Main colour, sRGB 0..255."""
    second: Rgb
    """Colour of stripes, prints, lower or upper block."""
    pattern: str = "plain"
    """One of `PATTERNS`."""
    size: float = 0.05
    """Metres of a period or a print."""
    place: float = 0.3
    """Height in base coordinates of a block's edge or a print's middle."""
    wrinkles: float = 0.2
    """Depth of its folds as they shade."""
    grain: float = 4.0
    """Folds a metre."""
    seed: float = 0.0
    """Place in the noise lattice."""
    gloss: float = 0.0
    """Share of light that it mirrors."""
    denim: bool = False
    """Faded on the thighs."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of clothing that is cut from a helper shell."""

    kind: str
    """`top`, `coat`, `trousers`, `skirt` or `tail` (what hangs of a coat or a dress below the waist)."""
    fabric: Fabric
    """Its look."""
    loose: float
    """Metres between it and the body."""
    hem: float
    """Lowest height in base coordinates."""
    sleeve: float = 1.0
    """How far along the arm it goes."""
    neck: float = 0.56
    """Highest height in base coordinates."""
    opening: float = 0.0
    """Half the width in metres that it is open at the front."""
    flare: float = 0.0
    """How much it widens downwards, metres."""


@dataclass(frozen=True, slots=True)
class Outfit:
    """Everything that is on a person, outermost last."""

    pieces: tuple[Piece, ...]
    """Clothes."""
    shoes: Fabric
    """Shoes; `size` is their height, `second` the colour of soles."""
    skin: Rgb
    """Skin, sRGB."""
    hair: Rgb
    """Hair, sRGB."""
    hair_style: str
    """`none`, `short`, `full`, `long`, `bun` or `tail`."""
    hair_length: float
    """Height in base coordinates that long hair reaches down to."""
    beard: bool
    """A beard."""
    hat: str
    """`none`, `cap`, `beanie`, `hood`, `scarf` (around the head) or `brim`."""
    hat_fabric: Fabric
    """Its look."""
    collar: Fabric | None
    """A scarf around the neck."""
    bag: str
    """`none`, `backpack`, `shoulder`, `handbag`, `trolley` or `carrier`."""
    bag_fabric: Fabric
    """Its look."""
    bag_side: int
    """1 left, -1 right."""


def sample_colour(rng: np.random.Generator, *, vivid: float = 1.0) -> Rgb:
    """A colour of clothes; `vivid` multiplies the share of colourful ones."""
    shares = np.array([share * (vivid if at >= 9 else 1) for at, (share, _, _) in enumerate(_CLOTH)])
    return _within(_CLOTH[rng.choice(len(_CLOTH), p=shares / shares.sum())][2], rng)


def _within(box: tuple[float, float, float, float, float, float], rng: np.random.Generator) -> Rgb:
    hue, saturation, value = rng.uniform(box[0], box[1]), rng.uniform(box[2], box[3]), rng.uniform(box[4], box[5])
    r, g, b = colorsys.hsv_to_rgb((hue % 360) / 360, saturation, value)
    return 255 * r, 255 * g, 255 * b


def sample_fabric(rng: np.random.Generator, *, patterned: float = 0.35, vivid: float = 1.0) -> Fabric:
    """Cloth of a random colour and pattern."""
    colour, second = sample_colour(rng, vivid=vivid), sample_colour(rng, vivid=1.5)
    pattern = "plain"
    if rng.random() < patterned:
        pattern = str(rng.choice(PATTERNS[1:], p=[0.2, 0.06, 0.16, 0.16, 0.12, 0.16, 0.06, 0.03, 0.05]))
    return Fabric(
        colour, second, pattern, size=float(np.exp(rng.uniform(np.log(0.025), np.log(0.16)))),
        place=rng.uniform(0.12, 0.46), wrinkles=rng.uniform(0.08, 0.4), grain=rng.uniform(4, 14),
        seed=rng.uniform(0, 1000), gloss=float(rng.choice([0, rng.uniform(0.02, 0.12)], p=[0.75, 0.25])),
    )  # fmt: skip


def sample_outfit(rng: np.random.Generator, *, female: bool) -> Outfit:
    """Clothes, hair and what is carried."""
    cold = rng.random() < 0.55
    pieces = _legs(rng, female, cold) + _upper(rng, cold)
    tone = rng.uniform(0, len(_SKIN) - 1)
    low = int(tone)
    skin = _SKIN[low] + (tone - low) * (_SKIN[min(low + 1, len(_SKIN) - 1)] - _SKIN[low]) + rng.normal(0, 4, 3)
    dark = tone < 3
    hair = np.array(_HAIR[rng.choice(3 if dark else len(_HAIR))]) * rng.uniform(0.8, 1.2)
    styles = ("none", "short", "full", "long", "bun", "tail")
    style = str(
        rng.choice(styles, p=[0.0, 0.1, 0.25, 0.37, 0.13, 0.15] if female else [0.1, 0.62, 0.21, 0.04, 0.02, 0.01])
    )
    hats = ("none", "cap", "beanie", "hood", "scarf", "brim")
    hat = str(rng.choice(hats, p=[0.76, 0.07, 0.07 if cold else 0.02, 0.04, 0.04, 0.02 if cold else 0.07]))
    bags = ("none", "backpack", "shoulder", "handbag", "trolley", "carrier")
    bag = str(rng.choice(bags, p=[0.45, 0.19, 0.16, 0.1 if female else 0.03, 0.04, 0.06 if female else 0.13]))
    collar = sample_fabric(rng, vivid=2) if cold and rng.random() < 0.2 else None
    return Outfit(
        pieces=tuple(pieces), shoes=_shoes(rng), skin=_rgb(skin), hair=_rgb(hair), hair_style=style,
        hair_length=rng.uniform(0.36, 0.6), beard=not female and rng.random() < 0.25, hat=hat,
        hat_fabric=sample_fabric(rng, patterned=0.1), collar=collar,
        bag=bag, bag_fabric=sample_fabric(rng, patterned=0.2, vivid=1.5), bag_side=int(rng.choice([-1, 1])),
    )  # fmt: skip


def _rgb(values: NDArray[np.float64]) -> Rgb:
    r, g, b = (float(x) for x in np.clip(values, 4, 250))
    return r, g, b


def _shoes(rng: np.random.Generator) -> Fabric:
    fabric = sample_fabric(rng, patterned=0.0)
    boots = rng.random() < 0.2
    sole = fabric.colour if rng.random() < 0.6 else _within((30, 60, 0.0, 0.08, 0.7, 0.95), rng)
    return replace(fabric, size=rng.uniform(0.12, 0.32) if boots else rng.uniform(0.045, 0.09), second=sole)


def _legs(rng: np.random.Generator, female: bool, cold: bool) -> list[Piece]:
    kind = str(rng.choice(["jeans", "trousers", "tight", "shorts", "skirt"], p=_leg_shares(female, cold)))
    fabric = sample_fabric(rng, patterned=0.08, vivid=0.5)
    loose, flare, hem = rng.uniform(0.008, 0.024), rng.uniform(-0.004, 0.025), -0.78 + abs(rng.normal(0, 0.02))
    if kind == "jeans":
        fabric = replace(fabric, colour=_within(_DENIM, rng), pattern="plain", denim=True)
    if kind == "tight":
        fabric = replace(fabric, pattern="plain", wrinkles=0.1)
        return [Piece("trousers", fabric, 0.005, rng.uniform(-0.76, -0.6), neck=0.15)]
    if kind == "shorts":
        return [Piece("trousers", fabric, loose + 0.01, rng.uniform(-0.42, -0.18), neck=0.15, flare=flare + 0.02)]
    if kind == "skirt":
        under = [Piece("trousers", sample_fabric(rng, patterned=0.0, vivid=0.3), 0.004, -0.78, neck=0.15)]
        hem = float(rng.choice([rng.uniform(-0.32, -0.12), rng.uniform(-0.62, -0.32), rng.uniform(-0.72, -0.62)]))
        skirt = Piece(
            "skirt",
            sample_fabric(rng, patterned=0.35, vivid=1.5),
            rng.uniform(0, 0.02),
            hem,
            neck=0.17,
            flare=rng.uniform(-0.5, 0.15),
        )
        return [*(under if cold or rng.random() < 0.4 else []), skirt]
    return [Piece("trousers", fabric, loose, hem, neck=0.15, flare=flare)]


def _leg_shares(female: bool, cold: bool) -> list[float]:
    if female:
        return [0.34, 0.2, 0.22, 0.03, 0.21] if cold else [0.3, 0.17, 0.12, 0.16, 0.25]
    return [0.5, 0.44, 0.02, 0.03, 0.01] if cold else [0.42, 0.35, 0.01, 0.21, 0.01]


def _upper(rng: np.random.Generator, cold: bool) -> list[Piece]:
    fabric = sample_fabric(rng, patterned=0.5, vivid=1.4)
    sleeve = rng.uniform(0.88, 1.0) if cold or rng.random() < 0.35 else rng.uniform(0.12, 0.5)
    shirt = Piece("top", fabric, rng.uniform(0.008, 0.03), rng.uniform(-0.02, 0.13), sleeve, rng.uniform(0.52, 0.575))
    if not cold and rng.random() < 0.75:
        return (
            [shirt] if rng.random() < 0.9 else [shirt, Piece("tail", fabric, 0.01, rng.uniform(-0.5, -0.1), neck=0.17)]
        )
    over = sample_fabric(rng, patterned=0.28)
    bulky = rng.random() < 0.3
    loose = rng.uniform(0.035, 0.06) if bulky else rng.uniform(0.018, 0.035)
    if bulky:  # quilted or padded
        over = replace(over, wrinkles=rng.uniform(0.2, 0.45), gloss=rng.uniform(0.03, 0.15))
    opening = float(rng.choice([0, rng.uniform(0.015, 0.08)], p=[0.6, 0.4]))
    length = str(rng.choice(["short", "hip", "long"], p=[0.45, 0.35, 0.2]))
    hem = {"short": rng.uniform(0.02, 0.1), "hip": rng.uniform(-0.1, 0.0), "long": -0.05}[length]
    coat = Piece("coat", over, loose, hem, rng.uniform(0.95, 1.03), rng.uniform(0.55, 0.6), opening)
    if length != "long":
        return [shirt, coat]
    tail = Piece(
        "tail", over, loose, rng.uniform(-0.58, -0.15), neck=0.17, opening=opening, flare=rng.uniform(-0.55, -0.1)
    )
    return [shirt, coat, tail]


def look_alike(outfit: Outfit, rng: np.random.Generator) -> Outfit:
    """Somebody who wears nearly the same: one piece of another colour or pattern, or another bag or hat."""
    what = rng.choice(["legs", "upper", "inner", "bag", "hat"], p=[0.3, 0.36, 0.1, 0.14, 0.1])
    if what == "bag":
        fresh = sample_outfit(rng, female=rng.random() < 0.5)
        bag = fresh.bag if fresh.bag != outfit.bag else "backpack" if outfit.bag == "none" else "none"
        return replace(outfit, bag=bag, bag_fabric=fresh.bag_fabric, bag_side=fresh.bag_side)
    if what == "hat":
        hat = "none" if outfit.hat != "none" else str(rng.choice(["cap", "beanie", "scarf", "brim"]))
        return replace(outfit, hat=hat, hat_fabric=sample_fabric(rng, vivid=2))
    legs = [at for at, piece in enumerate(outfit.pieces) if piece.kind in ("trousers", "skirt")]
    upper = [at for at in range(len(outfit.pieces)) if at not in legs]
    chosen = legs if what == "legs" else [upper[0]] if what == "inner" else upper
    main = outfit.pieces[chosen[-1]].fabric
    other = _other_fabric(main, rng)
    pieces = tuple(
        replace(piece, fabric=other) if at in chosen and piece.fabric == main else piece
        for at, piece in enumerate(outfit.pieces)
    )
    return replace(outfit, pieces=pieces)


def _other_fabric(fabric: Fabric, rng: np.random.Generator) -> Fabric:
    """Another colour that can be told from the first one, or the same one with another pattern."""
    if rng.random() < 0.25:
        pattern = str(rng.choice([name for name in PATTERNS if name != fabric.pattern]))
        return replace(fabric, pattern=pattern, second=_far_colour(fabric.colour, rng), denim=False)
    return replace(fabric, colour=_far_colour(fabric.colour, rng), denim=False)


def _far_colour(colour: Rgb, rng: np.random.Generator) -> Rgb:
    for _ in range(20):
        other = sample_colour(rng)
        if np.abs(np.subtract(other, colour)).max() > 35:
            break
    return other

"""A dressed body as one mesh: skin, clothes as shells that stand off it, hair, hat, shoes, bag."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import raster
from .bodies import BONES, Anatomy, Shape, body_of
from .wardrobe import Fabric, Outfit, Piece

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

GROUND, LEFT_HAND, RIGHT_HAND = len(BONES), len(BONES) + 1, len(BONES) + 2
"""Further bones: what stands on the ground, and what hangs upright from a hand."""
SKIN, HAIR, SHOE, EYES = "skin", "hair", "shoe", "eyes"


@dataclass(frozen=True, slots=True)
class Material:
    """What a face is made of."""

    kind: str
    """`skin`, `hair`, `shoe`, `bag`, or the kind of a piece of clothing."""
    fabric: Fabric
    """Its look."""


@dataclass(frozen=True, slots=True)
class Dressed:
    """A person at rest."""

    rest: Floats
    """(V, 3) metres."""
    coordinates: Floats
    """(V, 4) x, y, z in the base mesh, and the share along the arm: where a point is on the body."""
    keep: Floats
    """(V,) below 0 where cloth is cut away."""
    bone_of: Ints
    """(V, 4)"""
    weight_of: Floats
    """(V, 4)"""
    faces: Ints
    """(F, 3)"""
    material_of: Ints
    """(F,) row in `materials`."""
    materials: tuple[Material, ...]
    """All materials."""
    body: Floats
    """(base vertices, 3) the naked body at rest, in which joints lie."""


class _Assembly:
    """Collects parts of the mesh."""

    def __init__(self, anatomy: Anatomy, body: Floats) -> None:
        self.anatomy, self.body = anatomy, body
        self.parts: list[tuple[Floats, Floats, Floats, Ints, Floats, Ints]] = []
        self.material_of: list[Ints] = []
        self.materials: list[Material] = []

    def add_shell(
        self, part: str, offset: Floats, keep: Floats, material: Material, *, squeeze: Floats | None = None
    ) -> None:
        """Faces of a part of the base mesh, moved outwards by `offset` (V,), cut where `keep` (V,) is below 0."""
        faces = self.anatomy.faces[part]
        faces = faces[(keep[faces] > 0).any(axis=1)]
        if len(faces) == 0:
            return
        used, local = np.unique(faces, return_inverse=True)
        every = self.anatomy.faces[part]
        normal = raster.normals(self.body, every)[used]
        rest = self.body[used] + normal * offset[used, None]
        if squeeze is not None:
            rest[:, :2] *= squeeze[used, None]
        coordinates = np.column_stack((self.anatomy.base[used], self.anatomy.along_arm[used])).astype(np.float32)
        bones, weights = self.anatomy.bone_of[used], self.anatomy.weight_of[used]
        self._add(rest, coordinates, keep[used], bones, weights, local.reshape(faces.shape), material)

    def add_solid(self, rest: Floats, faces: Ints, bone: int, material: Material) -> None:
        """A rigid thing (V, 3) on one bone; its pattern goes by its own coordinates."""
        count = len(rest)
        bones = np.tile(np.array([bone, 0, 0, 0], np.int32), (count, 1))
        weights = np.tile(np.array([1, 0, 0, 0], np.float32), (count, 1))
        middle = rest.mean(axis=0)
        coordinates = np.column_stack((rest - middle + [0, 0.2, 0.3], np.zeros(count))).astype(np.float32)
        self._add(rest, coordinates, np.ones(count, np.float32), bones, weights, faces, material)

    def _add(
        self,
        rest: Floats,
        coordinates: Floats,
        keep: Floats,
        bones: Ints,
        weights: Floats,
        faces: Ints,
        material: Material,
    ) -> None:
        start = sum(len(part[0]) for part in self.parts)
        self.parts.append((rest, coordinates, keep, bones, weights, (faces + start).astype(np.int32)))
        self.material_of.append(np.full(len(faces), len(self.materials), np.int32))
        self.materials.append(material)

    def finish(self) -> Dressed:
        rest, coordinates, keep, bones, weights, faces = (
            np.concatenate(column) for column in zip(*self.parts, strict=True)
        )
        return Dressed(
            rest.astype(np.float32), coordinates, keep.astype(np.float32), bones, weights, faces,
            np.concatenate(self.material_of), tuple(self.materials), self.body,
        )  # fmt: skip


def dress(anatomy: Anatomy, shape: Shape, outfit: Outfit) -> Dressed:
    """Put it all on."""
    body = body_of(anatomy, shape)
    assembly = _Assembly(anatomy, body)
    x, y, z = anatomy.base.T
    arm = anatomy.along_arm
    covered = np.full(len(z), -1.0, np.float32)
    for piece in outfit.pieces:
        keep = _cut(piece, x, y, z, arm)
        if piece.kind in ("top", "coat", "trousers"):
            covered = np.maximum(covered, keep)
            assembly.add_shell("tights", _stand_off(piece, x, y, z, arm), keep, Material(piece.kind, piece.fabric))
        else:
            narrow = np.clip(1 + piece.flare * np.clip((0.1 - z) / 0.8, 0, 1), 0.5, 1.3).astype(np.float32)
            offset = np.full(len(z), 0.012 + piece.loose, np.float32)
            assembly.add_shell("skirt", offset, keep, Material(piece.kind, piece.fabric), squeeze=narrow)
    _add_skin(assembly, outfit, np.minimum(covered, 0.62 - z))
    _add_shoes(assembly, outfit)
    _add_head(assembly, outfit)
    if outfit.collar is not None:
        keep = np.minimum(z - 0.535, 0.635 - z) - 0.0 * x
        keep = np.minimum(keep, 0.14 - np.abs(x)).astype(np.float32)
        assembly.add_shell("skin", np.full(len(z), 0.045, np.float32), keep, Material("collar", outfit.collar))
    _add_bag(assembly, outfit)
    return assembly.finish()


def _cut(piece: Piece, x: Floats, y: Floats, z: Floats, arm: Floats) -> Floats:
    """(V,) below 0 where the piece is not."""
    if piece.kind == "trousers":
        return np.minimum(np.minimum(z - piece.hem, piece.neck - z), 0.02 - arm).astype(np.float32)
    if piece.kind in ("skirt", "tail"):
        keep = np.minimum(z - piece.hem, piece.neck - z)
    else:
        keep = np.maximum(z - piece.hem, 10 * (arm - 0.02))  # hands reach lower than the hem
        keep = np.minimum(keep, piece.sleeve - arm)
        front = np.clip((0.05 - np.abs(x)) * 1.6, 0, None) * (y > 0.03)  # necklines are lower at the front
        keep = np.minimum(keep, piece.neck + 0.03 - front - z)
    if piece.opening:
        keep = np.where(y > 0.03, np.minimum(keep, np.abs(x) - piece.opening * (0.4 + np.clip(0.55 - z, 0, 0.6))), keep)
    return keep.astype(np.float32)


def _stand_off(piece: Piece, x: Floats, y: Floats, z: Floats, arm: Floats) -> Floats:
    """(V,) metres from the body: cloth hangs from shoulders and hips, and folds."""
    points = np.column_stack((x, y, z)).astype(np.float32) * piece.fabric.grain + piece.fabric.seed
    folds = raster.noise(points, raster.LATTICE)
    if piece.kind == "trousers":
        down = np.clip((0.0 - z) / 0.75, 0, 1)
        offset = piece.loose * (0.5 + 0.5 * down) + piece.flare * down**2
        return (offset * (1 + 0.35 * folds)).astype(np.float32)
    layer = 0.012 if piece.kind == "coat" else 0.0
    waist = np.exp(-(((z - 0.2) / 0.11) ** 2)) * (arm < 0.02)
    offset = layer + piece.loose * np.where(arm > 0.02, 0.7, 0.65 + 0.9 * waist) + 0.004 * (arm < 0.02)
    return (offset * (1 + 0.4 * folds)).astype(np.float32)


def _add_skin(assembly: _Assembly, outfit: Outfit, covered: Floats) -> None:
    """The skin where no cloth lies well over it."""
    fabric = Fabric(outfit.skin, outfit.hair, wrinkles=0.03, place=1.0 if outfit.beard else 0.0)
    keep = (0.03 - covered).astype(np.float32)
    assembly.add_shell("skin", np.zeros(len(covered), np.float32), keep, Material("skin", fabric))


def _add_shoes(assembly: _Assembly, outfit: Outfit) -> None:
    z = assembly.anatomy.base[:, 2]
    top = -0.815 + outfit.shoes.size
    offset = np.where(z < -0.80, 0.02, 0.014).astype(np.float32)
    assembly.add_shell("skin", offset, (top - z).astype(np.float32), Material("shoe", outfit.shoes))


def _add_head(assembly: _Assembly, outfit: Outfit) -> None:
    """Hair and hat."""
    _, y, z = assembly.anatomy.base.T
    head = z - 0.6
    hairline = z - (0.665 + 0.95 * np.clip(y - 0.02, 0, None))
    fabric = Fabric(outfit.hair, outfit.hair, wrinkles=0.35, grain=30, gloss=0.05)
    material = Material("hair", fabric)
    full = outfit.hair_style in ("full", "long", "bun", "tail")
    if outfit.hair_style != "none" and outfit.hat != "scarf":
        thick = 0.024 if outfit.hair_style == "full" else 0.012 if full else 0.007
        assembly.add_shell(
            "skin", np.full(len(z), thick, np.float32), np.minimum(head, hairline).astype(np.float32), material
        )
    if outfit.hair_style == "long" and outfit.hat != "scarf":
        keep = np.minimum(z - outfit.hair_length, 0.84 - z).astype(np.float32)
        assembly.add_shell("hair", np.full(len(z), 0.01, np.float32), keep, material)
    if outfit.hair_style in ("bun", "tail") and outfit.hat != "scarf":
        size = (0.04, 0.04, 0.04) if outfit.hair_style == "bun" else (0.03, 0.03, 0.11)
        middle = _crown(assembly) + np.float32([0, -0.13, -0.02 if outfit.hair_style == "bun" else -0.12])
        assembly.add_solid(*rounded_box(middle, size, 2.0), BONES.index("head"), material)
    _add_hat(assembly, outfit, hairline)


def _crown(assembly: _Assembly) -> Floats:
    """(3,) a point in the upper head."""
    z = assembly.anatomy.base[:, 2]
    rows = np.unique(assembly.anatomy.faces["skin"])
    return assembly.body[rows[z[rows] > 0.76]].mean(axis=0)


def _add_hat(assembly: _Assembly, outfit: Outfit, hairline: Floats) -> None:
    x, y, z = assembly.anatomy.base.T
    fabric = Material("hat", outfit.hat_fabric)
    lines = {"cap": z - 0.775, "brim": z - 0.775, "beanie": z - (0.735 + 0.3 * np.clip(y, 0, None))}
    if outfit.hat in lines:
        offset = np.full(len(z), 0.028, np.float32)
        assembly.add_shell("skin", offset, np.minimum(lines[outfit.hat], z - 0.6).astype(np.float32), fabric)
    if outfit.hat in ("cap", "brim"):
        rows = np.unique(assembly.anatomy.faces["skin"])
        ring = assembly.body[rows[np.abs(z[rows] - 0.785) < 0.01]]
        middle = ring.mean(axis=0)
        shift, size = (
            ([0, 0.1, -0.005], (0.075, 0.1, 0.008)) if outfit.hat == "cap" else ([0, 0.01, 0], (0.16, 0.19, 0.012))
        )
        assembly.add_solid(*rounded_box(middle + shift, size, 2.2), BONES.index("head"), fabric)
    if outfit.hat in ("hood", "scarf"):
        keep = np.minimum(z - 0.57, hairline + (0.02 if outfit.hat == "hood" else 0.035))
        keep = np.minimum(keep, 0.13 - np.abs(x)).astype(np.float32)
        offset = np.full(len(z), 0.04 if outfit.hat == "hood" else 0.025, np.float32)
        cloth = outfit.pieces[-1].fabric if outfit.hat == "hood" else outfit.hat_fabric
        assembly.add_shell("skin", offset, keep, Material("hat", cloth))
    if outfit.hat == "scarf":
        keep = np.minimum(z - max(outfit.hair_length, 0.45), 0.84 - z).astype(np.float32)
        assembly.add_shell("hair", np.full(len(z), 0.02, np.float32), keep, fabric)


def _add_bag(assembly: _Assembly, outfit: Outfit) -> None:
    if outfit.bag == "none":
        return
    material, side = Material("bag", outfit.bag_fabric), outfit.bag_side
    body, anatomy = assembly.body, assembly.anatomy
    joint = {bone: body[rows].mean(axis=0) for bone, rows in zip(BONES, anatomy.joints, strict=True)}
    rng = np.random.default_rng(int(outfit.bag_fabric.seed * 1000))
    wide = rng.uniform(0.8, 1.2, 3)
    tights = np.unique(anatomy.faces["tights"])
    if outfit.bag == "backpack":
        upper = tights[np.abs(anatomy.base[tights, 2] - 0.35) < 0.1]
        behind = body[upper, 1].min()
        middle = np.array([0, behind - 0.09, joint["spine_03"][2] + 0.1])
        assembly.add_solid(
            *rounded_box(middle, tuple(wide * (0.15, 0.08, 0.21)), 3.0), BONES.index("spine_03"), material
        )
    elif outfit.bag == "shoulder":
        hips = tights[(np.abs(anatomy.base[tights, 2]) < 0.06) & (anatomy.along_arm[tights] < 0.02)]
        outside = np.abs(body[hips, 0]).max()
        middle = np.array([side * (outside + 0.05), rng.uniform(-0.06, 0.06), joint["pelvis"][2] - 0.02])
        assembly.add_solid(*rounded_box(middle, tuple(wide * (0.05, 0.15, 0.12)), 4.0), BONES.index("pelvis"), material)
    elif outfit.bag == "trolley":
        floor = body[:, 2].min()
        middle = np.array([side * 0.32, -0.38, floor + 0.31])
        assembly.add_solid(*rounded_box(middle, tuple(wide * (0.19, 0.11, 0.29)), 5.0), GROUND, material)
        assembly.add_solid(*rounded_box(middle + np.float32([0, 0.02, 0.45]), (0.1, 0.01, 0.2), 8.0), GROUND, material)
    else:
        hand = joint[f"hand_{'l' if side > 0 else 'r'}"]
        size = (0.06, 0.16, 0.12) if outfit.bag == "handbag" else (0.07, 0.17, 0.2)
        middle = hand + np.float32([side * 0.02, 0.03, -0.1 - size[2]])
        bone = LEFT_HAND if side > 0 else RIGHT_HAND
        assembly.add_solid(*rounded_box(middle, tuple(wide * size), 5.0), bone, material)
        assembly.add_solid(
            *rounded_box(middle + np.float32([0, 0, size[2] + 0.04]), (0.01, 0.06, 0.05), 8.0), bone, material
        )


def rounded_box(
    middle: Floats, half: tuple[float, ...], power: float, rings: int = 10, turns: int = 16
) -> tuple[Floats, Ints]:
    """A superellipsoid around `middle` (Barr 1981): an ellipsoid at power 2, a box as it grows. Vertices, faces."""
    down, around = np.linspace(-np.pi / 2, np.pi / 2, rings), np.arange(turns) / turns * 2 * np.pi

    def bend(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.sign(values) * np.abs(values) ** (2 / power)

    rise, flat = bend(np.sin(down))[:, None], bend(np.cos(down))[:, None]
    points = np.stack((flat * bend(np.cos(around)), flat * bend(np.sin(around)), rise * np.ones(turns)), axis=2)
    ring, turn = (index.ravel() for index in np.mgrid[: rings - 1, :turns])
    a, b = ring * turns + turn, ring * turns + (turn + 1) % turns
    faces = np.concatenate((np.stack((a, b, b + turns), 1), np.stack((a, b + turns, a + turns), 1)))
    return (points.reshape(-1, 3) * half + middle).astype(np.float32), faces.astype(np.int32)

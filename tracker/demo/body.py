"""The walking skeleton: joints of a body in three dimensions, swung by a gait and turned to face any way.

Lengths are shares of the body height. Axes of the body: `x` to its left, `y` down (0 at the crown, 1 at the soles of
somebody who stands), `z` forward. The camera looks along the ground, so the picture's x is what `project` leaves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracker.types import DoubleArray

# Segment lengths: Drillis and Contini 1966 (as in Winter, Biomechanics and Motor Control, fig. 4.1), rounded
HIP_Y, THIGH, SHIN, FOOT = 0.50, 0.245, 0.225, 0.115
SHOULDER_Y, UPPER_ARM, FOREARM = 0.195, 0.172, 0.155
_HIP_X, _SHOULDER_X = 0.052, 0.118
_LEG_SWING_RAD, _ARM_SWING_RAD = np.deg2rad(22.5), np.deg2rad(21.0)
STRIDE = 4 * (THIGH + SHIN) * float(np.sin(_LEG_SWING_RAD))
"""Ground covered by one gait cycle (two steps), in body heights: the phase that keeps feet from sliding follows."""


@dataclass(frozen=True, slots=True)
class Pose:
    """How a body stands at one moment."""

    phase: float
    """Gait phase in radians; 2 pi is one cycle of two steps."""
    facing_deg: float
    """Where the face points: 0 to the camera, 90 to the right of the picture, 180 away, -90 (or 270) to the left."""
    stride: float = 1.0
    """How far limbs swing: 1 walking, 0 standing."""


@dataclass(frozen=True, slots=True, eq=False)
class Skeleton:
    """Joints in the picture plane: x to the right and y down in body heights, z towards the camera (for sorting)."""

    legs: DoubleArray
    """(2, 4, 3): left and right; hip, knee, ankle, toe."""
    arms: DoubleArray
    """(2, 3, 3): left and right; shoulder, elbow, wrist."""
    lift: float
    """How far the whole body has sunk, in body heights: legs apart reach less far down."""
    cos_facing: float
    """1 seen from the front, -1 from behind, 0 from a side."""
    sin_facing: float
    """1 facing right, -1 facing left."""


def _leg(side: int, phase: float, stride: float, build: float) -> DoubleArray:
    """(4, 3) joints of one leg in body axes; `side` is 1 for left and -1 for right."""
    angle = stride * _LEG_SWING_RAD * np.sin(phase)
    # the knee bends while the leg swings forward, and stays almost straight under load
    flexion = 0.06 + stride * 0.85 * max(0.0, float(np.cos(phase))) ** 1.5
    hip = np.array([side * _HIP_X * build, HIP_Y, 0.0])
    knee = hip + THIGH * np.array([0.0, np.cos(angle), np.sin(angle)])
    low = angle - flexion
    ankle = knee + SHIN * np.array([0.0, np.cos(low), np.sin(low)])
    pitch = np.clip(low * 0.8, -0.9, 0.35)  # toes point down when the shin leans forward, up at heel strike
    toe = ankle + FOOT * np.array([side * 0.12, 0.26 * np.cos(pitch) - np.sin(pitch) * 0.7, 0.9 * np.cos(pitch)])
    return np.stack((hip, knee, ankle, toe))


def _arm(side: int, phase: float, stride: float, build: float) -> DoubleArray:
    """(3, 3) joints of one arm in body axes; it swings against the leg of its side."""
    angle = -stride * _ARM_SWING_RAD * np.sin(phase)
    bend = angle + 0.12 + 0.3 * stride * (0.6 - 0.4 * np.sin(phase))
    shoulder = np.array([side * _SHOULDER_X * build, SHOULDER_Y + 0.008, 0.0])
    elbow = shoulder + UPPER_ARM * np.array([side * 0.13, np.cos(angle), np.sin(angle)])
    wrist = elbow + FOREARM * np.array([side * 0.02, np.cos(bend), np.sin(bend)])
    return np.stack((shoulder, elbow, wrist))


def project(pose: Pose, build: float) -> Skeleton:
    """Joints of a body of this build in this pose, as the camera sees them."""
    legs = np.stack([_leg(1, pose.phase, pose.stride, build), _leg(-1, pose.phase + np.pi, pose.stride, build)])
    arms = np.stack([_arm(1, pose.phase, pose.stride, build), _arm(-1, pose.phase + np.pi, pose.stride, build)])
    # the lower foot carries the body, and stands on the ground (y = .97 at the joint, the sole is lower)
    lift = 0.975 - float(legs[:, 2:, 1].max())
    yaw = np.deg2rad(pose.facing_deg)
    cos, sin = float(np.cos(yaw)), float(np.sin(yaw))
    # facing the camera, the body's left is on the right of the picture; turned right, forward is to the right
    turn = np.array([[cos, 0.0, -sin], [0.0, 1.0, 0.0], [sin, 0.0, cos]])  # rows: body x, y, z -> picture x, y, z
    offset = np.array([0.0, lift, 0.0])
    return Skeleton((legs + offset) @ turn, (arms + offset) @ turn, lift, cos, sin)

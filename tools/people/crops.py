"""Crops as a detector would cut them: a person on a street, others beside, things before him, the box a little off."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .bodies import Anatomy, Shape, sample_shape
from .cameras import Camera, expose
from .dressing import GROUND, Dressed, dress
from .poses import Gait, sample_gait, sample_pose
from .render import Lens, Placed, draw, place
from .streets import patch
from .wardrobe import Outfit, look_alike, sample_outfit

Floats = NDArray[np.float32]
Crop = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Person:
    """An identity."""

    shape: Shape
    """Body."""
    gait: Gait
    """Walk."""
    outfit: Outfit
    """Clothes."""
    dressed: Dressed
    """Both as a mesh."""


def sample_family(anatomy: Anatomy, rng: np.random.Generator) -> tuple[Person, Person]:
    """Somebody, and somebody else who looks much alike."""
    shape, gait = sample_shape(rng), sample_gait(rng)
    outfit = sample_outfit(rng, female=shape.gender < 0.5)
    twin = look_alike(outfit, rng)
    other = shape if rng.random() < 0.5 else sample_shape(rng)
    return (
        Person(shape, gait, outfit, dress(anatomy, shape, outfit)),
        Person(other, sample_gait(rng), twin, dress(anatomy, other, twin)),
    )


def sample_crop(
    anatomy: Anatomy,
    person: Person,
    camera: Camera,
    neighbours: list[Person],
    rng: np.random.Generator,
    size: tuple[int, int],
) -> tuple[Crop, float]:
    """A crop of `size` (height, width), BGR, and the direction that he faces (radians, 0 is the camera)."""
    facing = rng.uniform(0, 2 * np.pi)
    height, distance = rng.uniform(*camera.height_m), rng.uniform(*camera.distance_m)
    lens = Lens(height, float(np.arctan2(height - 0.9, distance)))
    placed = place(anatomy, person.dressed, sample_pose(person.gait, rng), facing, (0.0, distance))
    people = [placed, *_others(anatomy, neighbours, distance, rng)]
    himself = placed.points[person.dressed.bone_of[:, 0] != GROUND]  # a detector leaves out what he pulls
    window = _window(lens.project(himself), rng)
    aspect = (window[2] - window[0]) / (window[3] - window[1])
    drawn_px = int(1.25 * size[0])  # finer than what leaves, so that outlines are smooth
    shape = (drawn_px, max(24, int(drawn_px * aspect)))
    layer = draw(people, lens, window, shape, camera.light, rng)
    scene = _behind(camera, lens, distance, window, shape, rng)
    light = np.float32(camera.light.sky_colour) + np.float32(camera.light.sun_colour)
    scene *= light * 0.75
    sunny = max(camera.light.sun_colour) / (max(light) + 1e-6)
    scene *= 1 - (0.35 + 0.5 * sunny) * layer.shadow[..., None]
    scene = _blend(scene, layer.colour, layer.owner)
    if rng.random() < 0.16:
        _hide(scene, camera, rng)
    rows = float(np.exp(rng.uniform(*np.log(camera.person_px))))
    stored = expose(camera, scene, min(rows, drawn_px), rng)
    smaller = stored.shape[0] > 2 * size[0]
    out = cv2.resize(stored, size[::-1], interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
    return np.asarray(out, np.uint8), facing


def _blend(scene: Floats, colour: Floats, owner: NDArray[np.int32]) -> Floats:
    """People over the scene, their outline softened over a pixel."""
    there = (owner >= 0).astype(np.float32)
    soft = cv2.GaussianBlur(there, (0, 0), 0.7)
    filled = cv2.GaussianBlur(colour * there[..., None], (0, 0), 0.7) / (soft[..., None] + 1e-4)
    inner = np.where(there[..., None] > 0, colour, filled)
    return np.asarray(scene * (1 - soft[..., None]) + inner * soft[..., None], np.float32)


def _others(anatomy: Anatomy, neighbours: list[Person], distance: float, rng: np.random.Generator) -> list[Placed]:
    """Now and then one or two others near him, before or behind."""
    count = int(rng.choice([0, 1, 2], p=[0.62, 0.28, 0.1]))
    out = []
    for who in neighbours[:count]:
        side = rng.choice([-1, 1])
        before = rng.random() < 0.4
        spot = (
            side * rng.uniform(0.42 if before else 0.25, 1.0),
            distance + (-rng.uniform(0.3, 1.2) if before else rng.uniform(0.3, 5)),
        )
        out.append(place(anatomy, who.dressed, sample_pose(who.gait, rng), rng.uniform(0, 2 * np.pi), spot))
    return out


def _window(screen: Floats, rng: np.random.Generator) -> tuple[float, float, float, float]:
    """The box around a person, as detectors draw it: a bit off, at times with a part cut."""
    left, top = screen[:, :2].min(axis=0)
    right, bottom = screen[:, :2].max(axis=0)
    height = bottom - top
    jitter = rng.normal(0.012, 0.03, 4) * height
    left, top, right, bottom = left - jitter[0], top - jitter[1], right + jitter[2], bottom + jitter[3]
    if rng.random() < 0.3:  # a detector with one favourite aspect
        middle, half = (left + right) / 2, 0.5 * (bottom - top) * rng.uniform(0.36, 0.5)
        left, right = min(left, middle - half), max(right, middle + half)
    cut = rng.random()
    if cut < 0.08:
        bottom = top + (bottom - top) * rng.uniform(0.5, 0.85)
    elif cut < 0.13:
        side = rng.uniform(0.15, 0.35) * (right - left)
        left, right = (left + side, right) if rng.random() < 0.5 else (left, right - side)
    return float(left), float(top), float(right), float(bottom)


def _behind(
    camera: Camera,
    lens: Lens,
    distance: float,
    window: tuple[float, float, float, float],
    shape: tuple[int, int],
    rng: np.random.Generator,
) -> Floats:
    """What is behind: the ground begins where it does some metres behind the person."""
    edge = np.float32([[0, distance + rng.uniform(0.5, 12), 0]])
    share = (float(lens.project(edge)[0, 1]) - window[1]) / (window[3] - window[1])
    return patch(camera.street, rng, shape, float(np.clip(share, -0.1, 1.0))).copy()


def _hide(scene: Floats, camera: Camera, rng: np.random.Generator) -> None:
    """Something before the person: a bonnet or a hedge below, a post across, an edge at the side."""
    height, width = scene.shape[:2]
    kind = rng.choice(["low", "post", "side"], p=[0.5, 0.25, 0.25])
    cover = patch(camera.street, rng, (height, width), rng.uniform(0, 1)) * rng.uniform(0.4, 1.1)
    mask = np.zeros((height, width), np.float32)
    if kind == "low":
        top = int(rng.uniform(0.55, 0.88) * height)
        cv2.fillPoly(
            mask,
            [
                np.array(
                    [
                        [0, top + int(rng.normal(0, 9))],
                        [width, top + int(rng.normal(0, 9))],
                        [width, height],
                        [0, height],
                    ]
                )
            ],
            1.0,
        )
    elif kind == "post":
        wide, at = max(3, int(rng.uniform(0.06, 0.25) * width)), int(rng.uniform(0, 0.9) * width)
        mask[:, at : at + wide] = 1
    else:
        wide = int(rng.uniform(0.12, 0.38) * width)
        mask[:, slice(0, wide) if rng.random() < 0.5 else slice(width - wide, width)] = 1
    mask = cv2.GaussianBlur(mask, (0, 0), 0.8)[..., None]
    scene[:] = scene * (1 - mask) + cover * mask

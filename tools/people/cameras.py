"""Cameras: where they hang, what light they see, what they do to a picture. All crops of one camera suffer alike."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .render import Light
from .streets import Street, sample_street

Floats = NDArray[np.float32]
Crop = NDArray[np.uint8]

_WEATHER = {
    "overcast": (0.0, 1.1),
    "hazy": (0.45, 0.85),
    "sunny": (1.25, 0.5),
    "indoors": (0.25, 0.8),
    "dusk": (0.1, 0.5),
}
"""Linear light of the sun and of the sky."""


@dataclass(frozen=True, slots=True)
class Camera:
    """One camera of a site."""

    street: Street
    """What is behind people."""
    light: Light
    """What shines."""
    height_m: tuple[float, float]
    """Heights above the people's ground, from and to."""
    distance_m: tuple[float, float]
    """Distances of people, from and to."""
    person_px: tuple[float, float]
    """Heights of people in its picture, from and to."""
    gains: tuple[float, float, float]
    """White balance, linear RGB."""
    exposure: float
    """Multiplies linear light."""
    gamma: float
    """Exponent of its tone curve."""
    saturation: float
    """1 keeps colours."""
    contrast: float
    """1 keeps contrast."""
    haze: float
    """Linear light that is added everywhere: glare, dirt."""
    blur_px: float
    """Sigma of its lens, at the height of a person in its picture, in hundredths of that height."""
    sharpen: float
    """Halo that its processor adds."""
    noise: float
    """Grey levels."""
    quality: int
    """JPEG quality, standing for its video coding."""


def sample_camera(rng: np.random.Generator) -> Camera:
    """A camera on a street: surveillance, a telephone, a web camera."""
    high = rng.random()
    height = (1.2, 2.0) if high < 0.35 else (2.2, 4.0) if high < 0.75 else (4.0, 7.0)
    near = rng.uniform(3.5, 9)
    small = float(np.exp(rng.uniform(np.log(55), np.log(200))))
    cast = rng.normal(0, 0.035, 3) + rng.normal(0, 0.1) * np.array([1, 0.15, -1])  # warm or cool, seldom green
    gains = np.exp(cast - cast.mean())
    return Camera(
        street=sample_street(rng),
        light=_sample_light(rng),
        height_m=height,
        distance_m=(near, near * rng.uniform(1.3, 2.6)),
        person_px=(small, small * rng.uniform(1.2, 2.5)),
        gains=(float(gains[0]), float(gains[1]), float(gains[2])),
        exposure=float(np.exp(rng.normal(0.05, 0.35))),
        gamma=rng.uniform(0.85, 1.35),
        saturation=float(np.clip(rng.normal(1.05, 0.2), 0.45, 1.6)),
        contrast=rng.uniform(0.9, 1.35),
        haze=float(rng.choice([0, rng.uniform(0, 0.035)], p=[0.6, 0.4])),
        blur_px=float(rng.choice([rng.uniform(0.1, 0.45), rng.uniform(0.45, 0.95)], p=[0.6, 0.4])),
        sharpen=float(rng.choice([0, rng.uniform(0.2, 1.0)])),
        noise=float(rng.exponential(2.5)),
        quality=int(rng.integers(28, 95)),
    )


def _sample_light(rng: np.random.Generator) -> Light:
    turn, rise = rng.uniform(0, 2 * np.pi), rng.uniform(0.35, 1.25)
    sun = (np.cos(turn) * np.cos(rise), np.sin(turn) * np.cos(rise), np.sin(rise))
    kind = str(rng.choice(list(_WEATHER), p=[0.38, 0.17, 0.2, 0.17, 0.08]))
    warm = rng.uniform(-0.06, 0.16)
    tint = np.array([1 + warm, 1.0, 1 - warm])
    power, brightness = _WEATHER[kind]
    sky = np.array([0.95, 1.0, 1.07]) * brightness
    if kind == "indoors":
        sky = tint * 0.8
    ground = sky * rng.uniform(0.25, 0.6) + 0.15 * power
    return Light(_triple(np.array(sun)), _triple(tint * power), _triple(sky), _triple(ground * [1.03, 1.0, 0.95]))


def _triple(values: Floats) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])


def expose(camera: Camera, scene: Floats, person_px: float, rng: np.random.Generator) -> Crop:
    """Linear RGB (h, w, 3), higher than `person_px` -> what the camera stores, BGR uint8, about `person_px` high."""
    light = camera.exposure * np.exp(rng.normal(0, 0.08))  # clouds, and the automatic exposure
    picture = scene * (np.float32(camera.gains) * np.float32(light)) + np.float32(camera.haze)
    scale = person_px / len(picture)
    sigma = camera.blur_px / 100 * len(picture) * rng.uniform(0.8, 1.5)
    picture = cv2.GaussianBlur(picture, (0, 0), max(sigma, 0.3))
    picture = _smear(picture, rng)
    size = (max(8, round(picture.shape[1] * scale)), max(16, round(person_px)))
    picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    tone = (1 - np.exp(-1.6 * np.clip(picture, 0, None))) ** (camera.gamma / 2.2)  # a film curve: highlights roll off
    grey = tone.mean(axis=2, keepdims=True)
    tone = grey + camera.saturation * (tone - grey)
    tone = 0.42 + camera.contrast * (tone - 0.42)
    out = 255 * tone + rng.normal(0, 1, tone.shape) * camera.noise
    if camera.sharpen:
        out = out + camera.sharpen * (out - cv2.GaussianBlur(out, (0, 0), 1.2))
    stored = np.clip(out, 0, 255).astype(np.uint8)[..., ::-1]
    quality = int(np.clip(camera.quality + rng.integers(-8, 9), 15, 97))
    _, code = cv2.imencode(".jpg", np.ascontiguousarray(stored), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)


def _smear(picture: Floats, rng: np.random.Generator) -> Floats:
    """Motion while the shutter is open: sideways, mostly little."""
    if rng.random() < 0.6:
        return picture
    length = max(1, int(rng.exponential(0.018) * len(picture)))
    if length < 2:
        return picture
    return np.asarray(cv2.blur(picture, (length, 1)), np.float32)

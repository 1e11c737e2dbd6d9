"""Real people, cut out of the MOT17-mini frames: several pictures of each, with soft masks.

Test data, read from where it lies; nothing of it is kept but in the benchmark's own cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

PEOPLE = Path("seq") / "MOT17-mini" / "train"
_LEAST_HEIGHT_PX, _LEAST_VISIBILITY, _LEAST_PICTURES = 90, 0.7, 3
_WORK_HEIGHT_PX = 200  # larger pictures are reduced to this
_MARGIN = 0.12  # of the box's height and width, around it, for the masks
_BRIGHT, _MOST_GAIN = 150.0, 2.2  # dark footage is lightened until its brightest twentieth has this grey level


@dataclass(frozen=True, eq=False)
class Person:
    """One identity."""

    name: str
    """Sequence and number."""
    pictures: tuple[np.ndarray, ...]
    """Each (h, w, 3) BGR."""
    masks: tuple[np.ndarray, ...]
    """Each (h, w) coverage, 255 inside."""


def read_people(data: Path, cache: Path) -> list[Person]:
    """Everybody of whom there are pictures enough; cut out once, then from `cache` (a folder)."""
    file = cache / "people.npz"
    if not file.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        found = [p for folder in sorted((data / PEOPLE).iterdir()) for p in _people_of(folder)]
        if not found:
            raise FileNotFoundError(f"{data / PEOPLE} must hold the MOT17-mini sequences, found nobody there")
        arrays = {}
        for n, person in enumerate(found):
            arrays[f"{n:03d} {person.name}"] = np.array(len(person.pictures))
            for k, (picture, mask) in enumerate(zip(person.pictures, person.masks, strict=True)):
                arrays[f"{n:03d}/{k:02d}"] = np.dstack((picture, mask))
        draft = file.with_name("draft.npz")
        np.savez_compressed(draft, **arrays)
        draft.replace(file)
    with np.load(file) as held:
        people = []
        for key in sorted(name for name in held.files if " " in name):
            number, name = key.split(" ", 1)
            layers = [held[f"{number}/{k:02d}"] for k in range(int(held[key]))]
            people.append(Person(name, tuple(x[..., :3] for x in layers), tuple(x[..., 3] for x in layers)))
    return people


def _people_of(folder: Path) -> list[Person]:
    rows = np.loadtxt(folder / "gt" / "gt.txt", delimiter=",", ndmin=2)
    keep = (rows[:, 6] == 1) & (rows[:, 7] == 1) & (rows[:, 8] >= _LEAST_VISIBILITY) & (rows[:, 5] >= _LEAST_HEIGHT_PX)
    rows = rows[keep]
    frames = {int(f): cv2.imread(str(folder / "img1" / f"{int(f):06d}.jpg")) for f in np.unique(rows[:, 0])}
    people = []
    for identity in np.unique(rows[:, 1]):
        mine = rows[rows[:, 1] == identity]
        cut = [one for row in mine if (one := _cut(frames[int(row[0])], row[2:6])) is not None]
        if len(cut) >= _LEAST_PICTURES:
            pictures, masks = zip(*cut, strict=True)
            people.append(Person(f"{folder.name}-{int(identity)}", pictures, masks))
    return people


def _cut(image: np.ndarray | None, box: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Picture and mask of a box (left, top, width, height); None where it reaches over the border."""
    left, top, width, height = box.tolist()
    if image is None or left < 0 or top < 0 or left + width > image.shape[1] or top + height > image.shape[0]:
        return None
    grow = np.array([_MARGIN * width, _MARGIN * height])
    x1, y1 = np.maximum(np.rint(np.array([left, top]) - grow), 0).astype(int)
    x2, y2 = np.rint(np.array([left + width, top + height]) + grow).astype(int)
    wide = image[y1:y2, x1:x2]
    scale = min(1.0, _WORK_HEIGHT_PX / height)
    wide = cv2.resize(wide, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    inner = np.rint(np.array([left - x1, top - y1, width, height]) * scale).astype(int)
    mask = _mask(wide, inner)
    x, y, w, h = inner
    picture = wide[y : y + h, x : x + w]
    inside = picture[mask[y : y + h, x : x + w] > 128]
    gain = np.clip(_BRIGHT / max(float(np.percentile(inside, 95)), 1.0), 1.0, _MOST_GAIN) if len(inside) else 1.0
    return cv2.convertScaleAbs(picture, alpha=float(gain)), mask[y : y + h, x : x + w]


def _mask(wide: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """(h, w) soft coverage by GrabCut from a body-shaped guess; the guess itself where GrabCut loses the body."""
    x, y, w, h = inner.tolist()
    guess = np.full(wide.shape[:2], cv2.GC_BGD, np.uint8)
    cv2.rectangle(guess, (x, y), (x + w - 1, y + h - 1), cv2.GC_PR_BGD, -1)
    body = np.zeros_like(guess)
    cv2.ellipse(body, (x + w // 2, y + int(0.10 * h)), (int(0.20 * w), int(0.09 * h)), 0, 0, 360, 1, -1)
    cv2.ellipse(body, (x + w // 2, y + int(0.36 * h)), (int(0.38 * w), int(0.24 * h)), 0, 0, 360, 1, -1)
    cv2.ellipse(body, (x + w // 2, y + int(0.74 * h)), (int(0.32 * w), int(0.27 * h)), 0, 0, 360, 1, -1)
    core = cv2.erode(body, np.ones((3, 3), np.uint8), iterations=max(1, int(0.11 * w)))
    guess[body > 0] = cv2.GC_PR_FGD
    guess[core > 0] = cv2.GC_FGD
    cv2.setRNGSeed(1)
    cv2.grabCut(wide, guess, None, np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_MASK)
    found = np.isin(guess, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    found = cv2.morphologyEx(found, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(found)
    if count > 1:
        found = (labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())).astype(np.uint8)
    share = float(found[y : y + h, x : x + w].mean())
    rows = float(found[y : y + h, x : x + w].any(axis=1).mean())
    if not (0.3 <= share <= 0.85 and rows >= 0.85):
        found = body
    return cv2.GaussianBlur(found * np.uint8(255), (0, 0), 1.0)

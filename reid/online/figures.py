"""The fixed set of rendered figures that comes with the package: what an embedder may not forget on site.

`tools/make_figures.py` made it. Half of the families, a figure and its look-alike each, are trained on beside what a
site shows. A quarter says how far a candidate may go from where it began; the last quarter is the canary, on which
nothing is ever trained and nothing chosen.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from reid.data import Crops
from reid.data.pictures import MemoryPictures

FIGURES = Path(__file__).parent.parent / "weights" / "figures.npz"


@dataclass(frozen=True, slots=True, eq=False)
class Figures:
    """Labelled crops; a family counts as filmed together."""

    learned: Crops
    """To train on."""
    limit: Crops
    """To say how far a candidate may go."""
    canary: Crops
    """For the gate."""


def load_figures() -> Figures:
    """Read the set."""
    with np.load(FIGURES) as stored:
        data, end, identity = stored["jpeg"], stored["end"], stored["identity"]
    pictures = MemoryPictures(len(data) * 64)
    for number, encoded in enumerate(np.split(data, end[:-1])):
        picture = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
        assert picture is not None, "made by this project"
        pictures.add(np.asarray(picture, np.uint8), f"figure {number}")
    names = [f"figure {number}" for number in range(int(identity.max()) + 1)]
    crops = Crops(pictures, identity, names, group=identity // 2, licence="Apache-2.0")
    quarter = identity // 2 % 4
    return Figures(crops.subset(quarter < 2), crops.subset(quarter == 2), crops.subset(quarter == 3))

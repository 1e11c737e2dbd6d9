"""The fixed set of rendered figures that comes with the package: what an embedder may not forget on site.

`tools/make_figures.py` made it. Half of the families, a figure and its look-alike each, are trained on beside what a
site shows; the other half is the canary, which nothing is ever trained on.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from reid.data import Crops
from reid.data.pictures import MemoryPictures

FIGURES = Path(__file__).parent.parent / "weights" / "figures.npz"


def load_figures() -> tuple[Crops, Crops]:
    """Crops to train on, and the canary; labelled, a family counts as filmed together."""
    with np.load(FIGURES) as stored:
        data, end, identity = stored["jpeg"], stored["end"], stored["identity"]
    pictures = MemoryPictures(int(1e9))
    for number, encoded in enumerate(np.split(data, end[:-1])):
        picture = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
        assert picture is not None, "made by this project"
        pictures.add(np.asarray(picture, np.uint8), f"figure {number}")
    names = [f"figure {number}" for number in range(int(identity.max()) + 1)]
    crops = Crops(pictures, identity, names, group=identity // 2, licence="Apache-2.0")
    learned = identity // 2 % 2 == 0
    return crops.subset(learned), crops.subset(~learned)

"""Writes the fixed set of rendered figures that keeps an embedder from forgetting while it learns on site.

    python tools/make_figures.py [--out reid/weights/figures.npz]

Half of the families (a figure and its look-alike each) are trained on beside what a site shows; a quarter says how far
a candidate may go from where it began, and the last quarter, the canary, is for the gate alone. The seeds begin with a
word of their own, so no figure is one that the default embedder was trained on or that a clip of `reidtrack demo`
shows. The same command gives the same file.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from recipe.sources import ONE_SITE, render

WORD = 0x73697465  # "site"
QUALITY = 80
OUT = Path(__file__).parent.parent / "reid" / "weights" / "figures.npz"


def main() -> None:
    """Render and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--families", type=int, default=48, help="figures with a look-alike each")
    parser.add_argument("--crops", type=int, default=4, help="of each figure")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    crops = render(WORD, args.seed, args.families, args.crops, ONE_SITE)
    encoded = [cv2.imencode(".jpg", crop, (cv2.IMWRITE_JPEG_QUALITY, QUALITY))[1] for crop in crops.pixels]
    ends = np.cumsum([len(data) for data in encoded])
    np.savez(args.out, jpeg=np.concatenate(encoded), end=ends, identity=crops.identity.astype(np.int64))
    print(f"{args.out}: {len(encoded)} crops, {args.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()

"""`python -m tools.people --out people`: render a data set."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from .dataset import DatasetConfig, People, Studio


def main() -> None:
    """Render, with a line of progress now and then; parts that exist already are not rendered again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the parts, each an .npz")
    parser.add_argument("--families", type=int, default=1600, help="pairs of look-alikes")
    parser.add_argument("--first", type=int, default=0, help="number of the first family")
    parser.add_argument("--part", type=int, default=100, help="families in one file")
    parser.add_argument("--size", type=int, nargs=2, default=(128, 64), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    config = DatasetConfig(height_px=args.size[0], width_px=args.size[1], seed=args.seed)
    studio = Studio(config, args.out / "targets.npz")
    began = time.perf_counter()
    for start in range(args.first, args.first + args.families, args.part):
        path = args.out / f"part-{start:05d}.npz"
        if path.exists():
            continue
        numbers = range(start, min(start + args.part, args.first + args.families))
        draft = path.with_suffix(".tmp.npz")
        People.concatenate([studio.family(number) for number in numbers]).save(draft)
        draft.replace(path)
        print(f"families {numbers[0]}..{numbers[-1]}, {time.perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()

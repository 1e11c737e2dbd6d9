"""Trains the default embedder on rendered figures, and writes `reid/weights/default.onnx` and its CARD.md.

    python tools/train_default_embedder.py

Everything it learns from is rendered by `tracker.demo`: no photograph, no other model's weights. The identities come
from generators seeded with a list that begins with a word of its own, so no clip of `reidtrack demo` can show one.
The same command gives the same weights on the same machine and version of torch.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reid.calibration import Calibration, fit_calibration
from reid.card import Card
from reid.learning.backbones import SmallBackbone
from reid.learning.embedding import EmbeddingModel
from reid.learning.export import export_onnx
from reid.learning.losses import batch_hard_triplet_loss
from reid.learning.sampling import pk_batches
from tracker.demo.crops import CropConfig, sample_crop
from tracker.demo.figures import look_alike, sample_figure

HEIGHT_PX, WIDTH_PX = 128, 64
LEARNED_DIMENSION, COLOUR_DIMENSION = 96, 96
TRAINING, HELD_OUT = 0x7261696E, 0x68656C64  # first words of the seeds: "rain" and "held"
ONE_SITE = CropConfig(
    min_height_px=80, sideways=0.8, occluded=0.05, neighbour=0.15, cut_off=0.03, box_jitter=0.03, light=0.2,
    blurred=0.15, noise=4, compressed=0.15,
)  # fmt: skip
"""What a tracker compares: crops of one camera, most of them whole. Training crops (the defaults) are far harder."""
PROCESSES = 2
FEW = 32  # families that are rendered before processes of their own have started
OUT = Path(__file__).parent.parent / "reid" / "weights"


@dataclass(frozen=True, slots=True)
class Crops:
    """Rendered crops. A family is an identity and its look-alike, identities 2 f and 2 f + 1."""

    pixels: NDArray[np.uint8]
    """(N, 128, 64, 3) BGR."""
    identity: NDArray[np.int64]
    """(N,)"""


def render_family(task: tuple[int, int, int, int, CropConfig]) -> NDArray[np.uint8]:
    """Crops of one identity, then of its look-alike, (2 * per_identity, 128, 64, 3)."""
    word, seed, family, per_identity, config = task
    cv2.setNumThreads(1)
    rng = np.random.default_rng([word, seed, family])
    figure = sample_figure(rng)
    pair = (figure, look_alike(figure, rng))
    return np.stack(
        [sample_crop(who, rng, config, size=(WIDTH_PX, HEIGHT_PX)) for who in pair for _ in range(per_identity)]
    )


def render(word: int, seed: int, families: int, per_identity: int, config: CropConfig) -> Crops:
    """All crops of so many families, in processes of their own where there are many."""
    tasks = [(word, seed, family, per_identity, config) for family in range(families)]
    if families <= FEW:
        parts = [render_family(task) for task in tasks]
    else:
        with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
            parts = list(pool.map(render_family, tasks, chunksize=8))
    return Crops(np.concatenate(parts), np.repeat(np.arange(2 * families), per_identity))


def augment(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """(B, h, w, 3) uint8 -> the same: mirrored, shifted, tinted, one block erased, each by chance."""
    batch, height, width, _ = pixels.shape

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator)

    mirrored = uniform(batch) < 0.5
    columns = torch.arange(width)[None] + ((uniform(batch, 1) - 0.5) * 0.12 * width).round().long()  # (B, w)
    rows = torch.arange(height)[None] + ((uniform(batch, 1) - 0.5) * 0.08 * height).round().long()  # (B, h)
    columns = torch.where(mirrored[:, None], width - 1 - columns, columns).clamp(0, width - 1)
    which = torch.arange(batch)[:, None, None]
    out = pixels[which, rows.clamp(0, height - 1)[:, :, None], columns[:, None, :]].float()  # (B, h, w, 3)
    out *= torch.exp((uniform(batch, 1, 1, 3) - 0.5) * 0.16 + (uniform(batch, 1, 1, 1) - 0.5) * 0.4)
    size = 0.1 + 0.3 * uniform(batch, 2)
    start = uniform(batch, 2) * (1 - size)
    y, x = torch.arange(height) / height, torch.arange(width) / width
    inside_y = (y >= start[:, :1]) & (y < (start + size)[:, :1])  # (B, h)
    inside_x = (x >= start[:, 1:]) & (x < (start + size)[:, 1:])
    erased = inside_y[:, :, None] & inside_x[:, None, :] & (uniform(batch) < 0.3)[:, None, None]
    out = torch.where(erased[..., None], uniform(batch, 1, 1, 3) * 255, out)
    return out.clamp(0, 255).to(torch.uint8)


def train(model: EmbeddingModel, crops: Crops, args: argparse.Namespace) -> None:
    """Batch-hard triplets on batches where everybody's look-alike is present, the hardest negative there is."""
    generator = torch.Generator().manual_seed(args.seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.learning_rate, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, args.learning_rate, args.steps, pct_start=0.1)
    batches = pk_batches(crops.identity // 2, identities=8, pictures=8, batches=args.steps, seed=args.seed)
    model.train()
    began, recent = time.perf_counter(), 0.0
    for step, rows in enumerate(batches, 1):
        pixels = augment(torch.from_numpy(crops.pixels[rows]), generator)
        labels = torch.from_numpy(crops.identity[rows])
        loss = batch_hard_triplet_loss(model.learned(pixels), labels, margin=args.margin)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        recent += float(loss.detach())
        if step % 100 == 0:
            print(f"step {step}/{args.steps}: loss {recent / 100:.4f}, {time.perf_counter() - began:.0f} s", flush=True)
            recent = 0.0
    model.eval()


@torch.no_grad()
def embed(function: Any, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(N, h, w, 3) -> (N, D) in batches of 64."""
    parts = [function(torch.from_numpy(pixels[i : i + 64])) for i in range(0, len(pixels), 64)]
    return torch.cat(parts).double().numpy()


def retrieval(vectors: NDArray[np.float64], identity: NDArray[np.int64]) -> dict[str, float]:
    """Every crop queries all others: AUC over pairs, mAP, rank-1, and rank-1 against the look-alike alone."""
    cosine = vectors @ vectors.T  # (N, N)
    same = identity[:, None] == identity[None]
    twin = (identity[:, None] // 2 == identity[None] // 2) & ~same
    other = ~np.eye(len(cosine), dtype=bool)
    upper = np.triu(other)
    ranks = np.argsort(np.argsort(cosine[upper])) + 1.0
    positive = same[upper]
    count = int(positive.sum())
    auc = (ranks[positive].sum() - count * (count + 1) / 2) / (count * (len(ranks) - count))
    np.fill_diagonal(cosine, -2)
    order = np.argsort(-cosine, axis=1)[:, :-1]  # the query itself is last
    hits = np.take_along_axis(same, order, axis=1)  # (N, N - 1)
    precision = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    average = (precision * hits).sum(axis=1) / hits.sum(axis=1)
    best_same = np.where(same & other, cosine, -2).max(axis=1)
    best_twin = np.where(twin, cosine, -2).max(axis=1)
    return {
        "AUC": float(auc),
        "mAP": float(average.mean()),
        "rank-1": float(hits[:, 0].mean()),
        "rank-1 against the look-alike": float((best_same > best_twin).mean()),
    }


def calibrate(vectors: NDArray[np.float64], identity: NDArray[np.int64], seed: int) -> Calibration:
    """Fit on pairs of held-out identities; half of the strangers are look-alikes.

    Rendered clothes are more colourful than real ones, so against random strangers alone the evidence would be too
    generous wherever people resemble each other.
    """
    rng = np.random.default_rng(seed)
    first, second = np.triu_indices(len(vectors), 1)
    same = identity[first] == identity[second]
    twin = ~same & (identity[first] // 2 == identity[second] // 2)
    twins = np.flatnonzero(twin)
    strangers = rng.choice(np.flatnonzero(~same & ~twin), len(twins), replace=False)
    chosen = np.concatenate((np.flatnonzero(same), twins, strangers))
    cosine = np.einsum("nd,nd->n", vectors[first[chosen]], vectors[second[chosen]])
    # so few identities cannot support more evidence than one error among them would refute
    return fit_calibration(cosine, same[chosen], limit=float(np.log(len(np.unique(identity)))))


def write_card(args: argparse.Namespace, card: Card, scores: dict[str, dict[str, float]], size: int) -> None:
    """CARD.md: what it is, how it was made, what it scored."""
    columns = list(next(iter(scores.values())))
    fit = card.calibration
    assert fit is not None, "the default embedder is calibrated"
    options = ("steps", "families", "held_out", "per_identity", "learning_rate", "margin", "learned_share", "seed")
    flags = " ".join(f"--{name.replace('_', '-')} {getattr(args, name)}" for name in options)
    lines = [
        "# The default embedder",
        "",
        f"`default.onnx`, {size} bytes: uint8 BGR crops of {HEIGHT_PX}x{WIDTH_PX} px in, {card.dimension} numbers of",
        f"unit length out. {card.training}",
        "",
        f"- **Licence**: {card.licence}, as the project. Every picture that it learned from was rendered by",
        "  `tracker.demo` (figures, poses, clothes, backgrounds, light, blur, noise, occlusion): no photograph, no",
        "  other model's weights.",
        f"- **Made by** `python tools/train_default_embedder.py {flags}`",
        f"  with torch {torch.__version__} on {args.threads} CPU core(s).",
        f"- **Calibration**: log-likelihood ratio = {fit.slope:.3f} * cosine {fit.offset:+.3f}, at most",
        f"  {fit.limit or 0:.2f} either way, fitted on identities that it was not trained on; half of the strangers",
        "  are look-alikes.",
        f"  Cosine that strangers exceed once in 100 pairs: {fit.threshold_fpr_1e2 or float('nan'):.3f},",
        f"  once in 1000: {fit.threshold_fpr_1e3 or float('nan'):.3f}.",
        "",
        f"Scores on {2 * args.held_out} rendered identities that it was not trained on, everybody with a look-alike:",
        "",
        f"| vectors | {' | '.join(columns)} |",
        "|---" * (len(columns) + 1) + "|",
        *(f"| {name} | {' | '.join(f'{row[c]:.3f}' for c in columns)} |" for name, row in scores.items()),
        "",
        *([args.remarks, ""] if args.remarks else []),
    ]
    (args.out / "CARD.md").write_text("\n".join(lines), encoding="utf-8")


def fit_branches(model: EmbeddingModel, crops: Crops, held_out: Crops) -> dict[str, dict[str, float]]:
    """Fit the colour projection on the training crops, and score each part on the held-out ones."""
    histogram = model.histogram
    assert histogram is not None, "asked for by colour_dimension"
    values = embed(lambda x: histogram(x.float() / 255), crops.pixels[::4])
    kept = model.fit_colour_projection(torch.from_numpy(values).float())
    print(f"the colour projection keeps {kept:.4f} of the second moment")
    branches = {"histogram alone": model.colour, "network alone": model.learned, "both, as shipped": model}
    return {name: retrieval(embed(branch, held_out.pixels), held_out.identity) for name, branch in branches.items()}


def parse_arguments() -> argparse.Namespace:
    """Flags of the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT, help="folder for default.onnx and CARD.md")
    parser.add_argument("--steps", type=int, default=2400)
    parser.add_argument("--families", type=int, default=600, help="identities with a look-alike each, to train on")
    parser.add_argument("--held-out", type=int, default=150, help="the same, to score and calibrate on")
    parser.add_argument("--per-identity", type=int, default=12, help="crops of each identity")
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--margin", type=float, default=0.4)
    parser.add_argument("--learned-share", type=float, default=0.5, help="weight of the network beside the histogram")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="of torch; another number rounds sums otherwise")
    parser.add_argument("--remarks", default="", help="text for the end of CARD.md")
    return parser.parse_args()


def main() -> None:
    """Render, train, fit, score, export."""
    args = parse_arguments()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    torch.use_deterministic_algorithms(True)
    crops = render(TRAINING, args.seed, args.families, args.per_identity, CropConfig())
    held_out = render(HELD_OUT, args.seed, args.held_out, 10, CropConfig())
    print(f"rendered {len(crops.pixels)} and {len(held_out.pixels)} crops", flush=True)
    backbone = SmallBackbone(LEARNED_DIMENSION)
    share = args.learned_share
    model = EmbeddingModel(backbone, HEIGHT_PX, WIDTH_PX, colour_dimension=COLOUR_DIMENSION, learned_share=share)
    train(model, crops, args)
    finish(model, crops, held_out, args)


def finish(model: EmbeddingModel, crops: Crops, held_out: Crops, args: argparse.Namespace) -> None:
    """Fit, score and calibrate a trained model, and write it with its card."""
    scores = fit_branches(model, crops, held_out)
    site = render(HELD_OUT, args.seed, args.held_out, 8, ONE_SITE)
    card = Card(
        name="reidtrack-default",
        height_px=HEIGHT_PX,
        width_px=WIDTH_PX,
        dimension=LEARNED_DIMENSION + COLOUR_DIMENSION,
        layout="NHWC",
        colour="BGR",
        dtype="uint8",
        calibration=calibrate(embed(model, site.pixels), site.identity, args.seed),
        licence="Apache-2.0",
        training="A small residual network, trained with batch-hard triplets on "
        f"{2 * args.families} rendered identities, beside a striped colour histogram.",
    )
    path = export_onnx(model, card, args.out / "default.onnx", seed=args.seed)
    write_card(args, card, scores, path.stat().st_size)
    print((args.out / "CARD.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()

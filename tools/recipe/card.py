"""CARD.md: what the shipped model is, how it was made, what it scored."""

from __future__ import annotations

import argparse

import torch

from reid.card import Card

_OPTIONS = (
    "figure_epochs", "mixed_epochs", "epoch_steps", "families", "held_out", "crops", "site_crops", "learned_share",
    "ridge", "seed",
)  # fmt: skip
Scores = dict[str, dict[str, dict[str, float]]]


def write_card(args: argparse.Namespace, card: Card, scores: Scores, size: int) -> None:
    """Write `CARD.md` into the folder `args.out`. `scores`: set of crops -> vectors -> measure -> value."""
    fit = card.calibration
    assert fit is not None, "the default embedder is calibrated"
    flags = f"--people {args.people.name} " + " ".join(
        f"--{name.replace('_', '-')} {getattr(args, name)}" for name in _OPTIONS
    )
    lines = [
        "# The default embedder",
        "",
        f"`default.onnx`, {size} bytes: uint8 BGR crops of {card.height_px}x{card.width_px} px in, "
        f"{card.dimension} numbers of unit length out.",
        f"{card.architecture}. {card.training}",
        "",
        f"- **Licence**: {card.licence}, as the project. The network began at random; no photograph was trained on,",
        "  and nobody else's weights are in it, taught it or began it.",
        *(f"- **Source**: {source.name}; {source.licence}." for source in card.sources),
        f"- **Made by** `python tools/train_default_embedder.py {flags}`",
        f"  with torch {torch.__version__} on {args.threads} CPU core(s).",
        f"- **Calibration**: log-likelihood ratio = {fit.slope:.3f} * cosine {fit.offset:+.3f}, at most",
        f"  {fit.limit or 0:.2f} either way, fitted on figures that it was not trained on; half of the strangers are",
        "  look-alikes.",
        f"  Cosine that strangers exceed once in 100 pairs: {fit.threshold_fpr_1e2 or float('nan'):.3f},",
        f"  once in 1000: {fit.threshold_fpr_1e3 or float('nan'):.3f}.",
        "",
    ]
    for crops, table in scores.items():
        columns = list(next(iter(table.values())))
        lines += [
            f"Scores on {crops} that it was not trained on, everybody with a look-alike:",
            "",
            f"| vectors | {' | '.join(columns)} |",
            "|---" * (len(columns) + 1) + "|",
            *(f"| {name} | {' | '.join(f'{row[c]:.3f}' for c in columns)} |" for name, row in table.items()),
            "",
        ]
    if args.remarks is not None:
        lines += [args.remarks.read_text(encoding="utf-8").rstrip(), ""]
    (args.out / "CARD.md").write_text("\n".join(lines), encoding="utf-8")

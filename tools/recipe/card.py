"""CARD.md: what the shipped model is, how it was made, what it scored."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import onnx
import torch

from reid.card import Card

_OPTIONS = (
    "figure_epochs", "mixed_epochs", "epoch_steps", "families", "held_out", "calibrate_on", "crops", "site_crops",
    "learned_share", "ridge", "seed",
)  # fmt: skip
Scores = dict[str, dict[str, dict[str, float]]]


def graph_hash(path: Path) -> str:
    """SHA-256 of the graph and its weights in an ONNX file, in hexadecimal: the metadata, so the card, has no part."""
    return hashlib.sha256(onnx.load(path).graph.SerializeToString(deterministic=True)).hexdigest()


def write_card(args: argparse.Namespace, card: Card, scores: Scores, path: Path) -> None:
    """Write `CARD.md` of the model at `path` into `args.out`. `scores`: set of crops -> vectors -> measure -> value."""
    fit = card.calibration
    assert fit is not None, "the default embedder is calibrated"
    flags = f"--people {args.people.name} " + " ".join(
        f"--{name.replace('_', '-')} {getattr(args, name)}" for name in _OPTIONS
    )
    lines = [
        "# The default embedder",
        "",
        f"`default.onnx`, {path.stat().st_size} bytes: uint8 BGR crops of {card.height_px}x{card.width_px} px in, "
        f"{card.dimension} numbers of unit length out.",
        f"{card.architecture}. {card.training}",
        "",
        f"- **Licence**: {card.licence}, as the project. The network began at random; no photograph was trained on,",
        "  and nobody else's weights are in it, taught it or began it.",
        *(f"- **Source**: {source.name}; {source.licence}." for source in card.sources),
        f"- **Made by** `python tools/train_default_embedder.py {flags}`",
        f"  with torch {torch.__version__} on {args.threads} CPU core(s).",
        f"- **Hash**: SHA-256 of graph and weights, without the metadata, {graph_hash(path)}.",
        f"- **Calibration**: log-likelihood ratio = {fit.slope:.3f} * cosine {fit.offset:+.3f}, at most",
        f"  {fit.limit or 0:.2f} either way, fitted on {fit.data}; it was not trained on them.",
        "  Cosine that strangers among them exceed once in 100 pairs: "
        f"{_cut(fit.threshold_fpr_1e2, fit.interval_fpr_1e2)},",
        f"  once in 1000: {_cut(fit.threshold_fpr_1e3, fit.interval_fpr_1e3)}.",
        f"  Mind: {fit.caution}.",
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


def _cut(threshold: float | None, interval: tuple[float, float] | None) -> str:
    """A threshold with its interval over identities."""
    if threshold is None or interval is None:
        return "unknown"
    return f"{threshold:.3f} ({interval[0]:.3f} to {interval[1]:.3f})"

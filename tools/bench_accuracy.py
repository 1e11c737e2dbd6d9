"""Accuracy of the tracker, with its default settings, beside other people's, on identical detections and embeddings.

    python tools/bench_accuracy.py DATA [--suites NAME ...] [--held-out] [--seeds 20] [--jobs 2] [--out FOLDER]

DATA is the folder of real sequences (`gt_text/MOT15`, `gt_text/MOT17`, `seq/TUD-Stadtmitte`, `cache`). Suites:

    cached           TUD-Stadtmitte with real detections and embeddings; reporting only, nothing is tuned on it
    frame rate       the same at every frame, every 2nd and every 4th
    clips            rendered clips of --clip-seeds, seen by the default detector and embedder (tools/clips.py)
    clip rates       the same clips at 30, 10 and 5 frames a second
    motion only      MOT15 with its public detections, MOT17 with simulated ones
    with appearance  MOT17 with simulated detections and embeddings, from easy to very hard (tools/simulation.py)
    random vectors   this project's tracker alone: random unit vectors for embeddings, against none

Settings are chosen on the tuning split alone; `--held-out` takes the other one. Every tracker is scored over seeds:
each drops another 3 % of the detections. Peers are those that are installed (see docs/benchmarks.md). Every run is
kept in OUT/runs.jsonl and not repeated while tracker, settings and input are the same; OUT/report.md, report.json and
chart-*.png are written at the end, and after Ctrl-C. Prints the report; progress goes to standard error. The report
ends with what was asked of the suites that ran; exits with 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: processes share the cores already

import peers
from accuracy.bars import bars
from accuracy.chart import draw
from accuracy.inputs import CLIP_RATE_HZ, CLIP_RATES_HZ, SUITES, Input, all_inputs, clip_inputs
from accuracy.report import report
from accuracy.runs import Store, do_all, known, plan
from clips import DURATION_S, ensure_all
from online.checks import markdown


def options(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of real sequences")
    parser.add_argument("--suites", nargs="+", choices=SUITES, default=["cached", "motion only", "with appearance"])
    parser.add_argument("--held-out", action="store_true", help="the sequences that no setting is chosen on")
    parser.add_argument(
        "--clip-seeds",
        type=int,
        nargs="+",
        default=[100, 101, 102, 103],
        metavar="SEED",
        help="rendered clips (default: 100 101 102 103); 0 to 9 are for reporting only",
    )
    parser.add_argument("--clips", type=Path, help="folder that keeps rendered clips (default: OUT/clips)")
    parser.add_argument("--clip-duration", type=float, default=DURATION_S, help="seconds (default: %(default)s)")
    parser.add_argument("--sequences", nargs="+", metavar="TEXT", help="only inputs whose name contains one of these")
    parser.add_argument("--peers", nargs="*", metavar="TEXT", help="only peers whose name contains one of these")
    parser.add_argument("--no-peers", action="store_true", help="this project's tracker alone")
    parser.add_argument("--seeds", type=int, default=20, help="inputs a sequence (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("bench-accuracy"), help="folder (default: %(default)s)")
    parser.add_argument("--report", action="store_true", help="run nothing: report what OUT holds")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    return parser.parse_args(argv)


def wanted_inputs(args: argparse.Namespace) -> list[Input]:
    """What the options ask for.

    Raises:
        ValueError: there is nothing like it.
    """
    rates = {"clips": [CLIP_RATE_HZ], "clip rates": [*CLIP_RATES_HZ]}
    wanted = [rate for suite in rates if suite in args.suites for rate in rates[suite]]
    folders = ensure_all(args.clip_seeds, wanted, args.clip_duration, args.clips or args.out / "clips", args.quiet)
    found = [i for i in (*all_inputs(args.data, args.held_out), *clip_inputs(folders)) if i.suite in args.suites]
    if not found:
        raise ValueError(f"DATA must hold gt_text/, seq/ and cache/ for {', '.join(args.suites)}, got {args.data}")
    if not args.sequences:
        return found
    chosen = [i for i in found if any(word.lower() in i.name.lower() for word in args.sequences)]
    if not chosen:
        names = "; ".join(dict.fromkeys(i.name for i in found))
        raise ValueError(f"--sequences must be part of an input's name, got {args.sequences}; inputs are: {names}")
    return chosen


def main(argv: list[str] | None = None) -> int:
    """Run and report."""
    args = options(argv)
    try:
        if args.seeds < 1 or args.jobs < 1:
            raise ValueError(f"--seeds and --jobs must be at least 1, got {args.seeds} and {args.jobs}")
        inputs = wanted_inputs(args)
        chosen = [] if args.no_peers else peers.choose(args.peers or [])
    except ValueError as error:
        print(f"bench_accuracy: {error}", file=sys.stderr)
        return 2
    args.out.mkdir(parents=True, exist_ok=True)

    def say(line: str) -> None:
        if not args.quiet:
            print(line, file=sys.stderr, flush=True)

    wanted, store = plan(inputs, chosen, args.seeds), Store(args.out / "runs.jsonl")
    runs = known(wanted, store) if args.report else do_all(wanted, store, args.jobs, say)
    text, data = report(runs, inputs, args.seeds, chosen)
    checks = bars(data, args.held_out)
    if checks:
        text += "\n" + markdown("Bars", checks)
    (args.out / "report.md").write_text(text, encoding="utf-8")
    (args.out / "report.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    charts = draw(data, args.out)
    print(text)
    say(f"wrote {', '.join(str(args.out / name) for name in ('report.md', 'report.json', *charts))}")
    return int(not all(check.met for check in checks))


if __name__ == "__main__":
    sys.exit(main())

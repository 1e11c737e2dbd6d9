"""What each idea of the tracker is worth: IDF1 with all of them, minus IDF1 with one switched off by its settings.

    python tools/ablation.py DATA [--suites NAME ...] [--sequences TEXT ...] [--ideas TEXT ...] [--seeds 5] [--jobs 1]

On the development data alone: `motion only` (MOT15 with public detections, MOT17 with simulated ones), `with
appearance` (MOT17 simulated, from easy to very hard) and `clips` (rendered ones, seeds from 100 on), as
`tools/bench_accuracy.py` has them. Positive: the idea helps. Differences are paired, means over inputs, with the 95 %
interval over seeds (Student's t; the sequences are taken as given). The tracker asks for its vectors, as in a pipeline.
Prints Markdown. Runs are kept in OUT/runs.jsonl and not repeated while tracker, settings and input are the same; Ctrl-C
loses nothing.

Not in the table: camera motion, which needs pictures that these sequences do not have (tools/bench_camera.py), and the
penalty of another class, as all objects here are of one.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy

from accuracy.comparison import Comparison
from accuracy.inputs import CLIP_RATE_HZ, Input, all_inputs, clip_inputs
from accuracy.runs import Run, Store, do_all, known, plan
from clips import DURATION_S, ensure_all
from peers import IDEAS, WHOLE

SUITES = ("motion only", "with appearance", "clips")


def options(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of real sequences")
    parser.add_argument("--suites", nargs="+", choices=SUITES, default=list(SUITES))
    parser.add_argument("--sequences", nargs="+", metavar="TEXT", help="only inputs whose name contains one of these")
    parser.add_argument("--ideas", nargs="+", metavar="TEXT", help="only those whose name contains one of these")
    parser.add_argument("--seeds", type=int, default=5, help="inputs a sequence (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("bench-accuracy"), help="folder (default: %(default)s)")
    parser.add_argument("--clips", type=Path, help="folder that keeps rendered clips (default: OUT/clips)")
    parser.add_argument("--clip-seeds", type=int, nargs="+", default=[100, 101, 102, 103], help="default: 100 to 103")
    parser.add_argument("--clip-duration", type=float, default=DURATION_S, help="seconds (default: %(default)s)")
    parser.add_argument("--report", action="store_true", help="run nothing: report what OUT holds")
    return parser.parse_args(argv)


def groups(inputs: list[Input]) -> dict[str, list[str]]:
    """Names of inputs by column: the simulated embedders apart."""
    found: dict[str, list[str]] = {}
    for i in inputs:
        found.setdefault(i.embedder if i.suite == "with appearance" else i.suite, []).append(i.name)
    return found


def table(runs: list[Run], columns: dict[str, list[str]], seeds: int, words: list[str]) -> str:
    """A row an idea, a column a group of inputs."""
    compared = {}
    for column, names in columns.items():
        found = Comparison(runs, names, list(range(seeds)), WHOLE.name).standings()
        compared[column] = {s.tracker: s for s in found}
    heads = [f"{column} ({len(names)})" for column, names in columns.items()]
    lines = [f"| idea | switched off by | {' | '.join(heads)} |", "|---" * (2 + len(heads)) + "|"]
    whole = [c[WHOLE.name].means["idf1"] if WHOLE.name in c else None for c in compared.values()]
    lines.append("| IDF1 with all of them | | " + " | ".join("" if w is None else f"{w:.1f}" for w in whole) + " |")
    for idea in IDEAS:
        if words and not any(word.lower() in idea.name.lower() for word in words):
            continue
        cells = []
        for found in compared.values():
            standing = found.get(idea.peer.name)
            cells.append(standing.ahead["idf1"].wording(2) if standing and standing.ahead else "")
        lines.append(f"| {idea.name} | {idea.settings} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Run and report."""
    args = options(argv)
    words = args.ideas or []
    unknown = [w for w in words if not any(w.lower() in idea.name.lower() for idea in IDEAS)]
    if unknown or args.seeds < 1 or args.jobs < 1:
        names = "; ".join(idea.name for idea in IDEAS)
        wrong = f"--ideas must be part of an idea's name, got {unknown}; ideas are: {names}"
        print(f"ablation: {wrong if unknown else '--seeds and --jobs must be at least 1'}", file=sys.stderr)
        return 2
    rates = [CLIP_RATE_HZ] if "clips" in args.suites else []
    folders = ensure_all(args.clip_seeds, rates, args.clip_duration, args.clips or args.out / "clips")
    inputs = [i for i in (*all_inputs(args.data, held_out=False), *clip_inputs(folders)) if i.suite in args.suites]
    parts = [word.lower() for word in args.sequences or [""]]
    inputs = [i for i in inputs if any(part in i.name.lower() for part in parts)]
    if not inputs:
        what = ", ".join(args.sequences or args.suites)
        print(f"ablation: DATA must hold gt_text/ for {what}, got {args.data}", file=sys.stderr)
        return 2
    chosen = [idea.peer for idea in IDEAS if not words or any(w.lower() in idea.name.lower() for w in words)]
    args.out.mkdir(parents=True, exist_ok=True)
    wanted, store = plan(inputs, chosen, args.seeds, WHOLE), Store(args.out / "runs.jsonl")

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    runs = known(wanted, store) if args.report else do_all(wanted, store, args.jobs, say)
    print(table(runs, groups(inputs), args.seeds, words))
    return 0


if __name__ == "__main__":
    sys.exit(main())

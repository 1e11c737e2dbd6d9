"""Time a frame of trackers on simulated crowds, embeddings given, beside the identities that they keep.

    python tools/bench_association.py [--objects 10 50 200 500 1000] [--occlusion 0 0.01] [--peers TEXT ...] [--alone]

One process, one thread; times are the processor's, which leaves out waiting for other programs, but not what these do
to caches and clock: measure on an idle machine. All trackers take turns frame by frame (`--alone`: one after the other,
with warm caches, which makes small crowds faster; the report and each verdict say which it was). A tracker that has
used up `--budget-s` stops there. IDF1 is against the simulated identities, so that a fast tracker that loses them
shows. Prints a Markdown table for each crowd, and the bars: how many times faster than Ultralytics BoT-SORT with
embeddings, with no worse IDF1,

    N = 10: 3x    N = 50: 8x    N = 200: 20x    N = 500: 35x

They were set for trackers that run alone, and both ways of timing are held against them. Exits with 1 where one is
missed. `--profile` says instead where this project's tracker spends its time.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy

import peers
from association.steps import step_clock
from association.timing import WARM_UP, Contest, run
from crowd import Crowd, CrowdFrame, CrowdModel
from peers import OURS

RIVAL = "ultralytics BoT-SORT+emb"
"""The fastest peer that uses appearance."""
BARS = {10: 3.0, 50: 8.0, 200: 20.0, 500: 35.0}
"""Least ratio of its median to ours by number of objects."""


def crowd(objects: int, occlusion: float, args: argparse.Namespace) -> list[CrowdFrame]:
    """The frames of one crowd."""
    stream = Crowd(CrowdModel(objects, args.dimension, occlusion_rate=occlusion), args.seed)
    return [stream.step() for _ in range(args.frames)]


def table(contests: list[Contest]) -> str:
    """Markdown, fastest first."""
    ours = contests[0]
    lines = ["| tracker | median ms | 95 % below | times reidtrack's | IDF1 | frames |", "|---|---|---|---|---|---|"]
    for c in sorted(contests, key=lambda c: (bool(c.error), c.median_ms)):
        name = f"**{c.peer.name}**" if c is ours else c.peer.name
        if c.error:
            lines.append(f"| {name} | failed: {c.error} | | | | {len(c.ms)} |")
            continue
        figures = f"{c.median_ms:.2f} | {c.p95_ms:.2f} | {c.median_ms / ours.median_ms:.1f} | {c.counts.idf1:.3f}"
        lines.append(f"| {name} | {figures} | {len(c.ms)} |")
    return "\n".join(lines)


def verdicts(objects: int, contests: list[Contest], how: str) -> list[tuple[bool, str]]:
    """Whether each bar of this crowd is met, in words that say `how` it was timed; none where the rival was not run."""
    ours = contests[0]
    rival = next((c for c in contests if c.peer.name == RIVAL and c.ms and not c.error), None)
    if rival is None or objects not in BARS:
        return []
    speed, least = rival.median_ms / ours.median_ms, BARS[objects]
    better = ours.counts.idf1 >= rival.counts.idf1
    return [
        (speed >= least, f"N = {objects}, {how}: {speed:.1f}x faster than {RIVAL}, bar {least:g}x"),
        (better, f"N = {objects}: IDF1 {ours.counts.idf1:.4f}, {RIVAL} {rival.counts.idf1:.4f}"),
    ]


def record(objects: int, occlusion: float, contests: list[Contest]) -> list[dict[str, Any]]:
    """The rows of one table, for machines."""
    return [
        {
            "objects": objects,
            "occlusion": occlusion,
            "tracker": c.peer.name,
            "version": c.peer.version,
            "median_ms": c.median_ms,
            "p95_ms": c.p95_ms,
            "idf1": c.counts.idf1,
            "frames": len(c.ms),
            "error": c.error,
        }
        for c in contests
    ]


def compare(args: argparse.Namespace, chosen: list[peers.Peer]) -> int:
    """Tables, bars and JSON."""
    print(peers.settings_table([OURS, *chosen]))
    if missing := peers.absent():
        print("\nNot installed, not compared: " + "; ".join(missing))
    how = "one after the other, alone" if args.alone else "interleaved, frame by frame"
    print(
        f"\nTimed {how}; processor time of one thread; {args.dimension}-d embeddings given; medians over up to "
        f"{args.frames} frames, the first {WARM_UP} left out."
    )
    rows, missed = [], False
    for occlusion in args.occlusion:
        for objects in args.objects:
            frames = crowd(objects, occlusion, args)
            size = CrowdModel(objects).size
            contests = run([OURS, *chosen], frames, size, interleaved=not args.alone, budget_s=args.budget_s)
            print(f"\n## {objects} objects, {f'occlusions {occlusion:g}' if occlusion else 'no occlusions'}\n")
            print(table(contests), flush=True)
            for met, words in verdicts(objects, contests, "alone" if args.alone else "interleaved"):
                print(f"\n{'met' if met else 'MISSED'}: {words}", flush=True)
                missed |= not met
            rows += record(objects, occlusion, contests)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return int(missed)


def profile(args: argparse.Namespace) -> int:
    """Where our time goes."""
    for occlusion in args.occlusion:
        for objects in args.objects:
            frames = crowd(objects, occlusion, args)
            with step_clock() as clock:
                run([OURS], frames, CrowdModel(objects).size, interleaved=False, budget_s=float("inf"))
            print(f"\n## {objects} objects, {f'occlusions {occlusion:g}' if occlusion else 'no occlusions'}\n")
            print(clock.table(), flush=True)
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, nargs="+", default=[10, 50, 200, 500, 1000])
    parser.add_argument("--occlusion", type=float, nargs="+", default=[0.0, 0.01], help="chance a frame of an object")
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--dimension", type=int, default=128, help="of the embeddings (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--peers", nargs="*", metavar="TEXT", help="only peers whose name contains one of these")
    parser.add_argument("--no-peers", action="store_true", help="this project's tracker alone")
    parser.add_argument("--alone", action="store_true", help="one tracker after the other instead of interleaved")
    parser.add_argument("--budget-s", type=float, default=8.0, help="time a tracker and crowd (default: %(default)s)")
    parser.add_argument("--profile", action="store_true", help="where this project's tracker spends its time")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    args = parser.parse_args(argv)
    try:
        if min(args.objects) < 1 or args.frames < 1 or args.dimension < 1 or args.budget_s <= 0:
            raise ValueError("--objects, --frames, --dimension and --budget-s must be above 0")
        if not all(0 <= occlusion < 1 for occlusion in args.occlusion):
            raise ValueError(f"--occlusion must be at least 0 and below 1, got {args.occlusion}")
        chosen = [] if args.no_peers or args.profile else peers.choose(args.peers or [])
    except ValueError as error:
        print(f"bench_association: {error}", file=sys.stderr)
        return 2
    chosen = [peer for peer in chosen if peer.runs_on(with_embeddings=True)]
    return profile(args) if args.profile else compare(args, chosen)


if __name__ == "__main__":
    sys.exit(main())

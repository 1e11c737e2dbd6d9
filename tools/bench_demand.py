"""What `embed: auto` saves and what it costs: the share of detections embedded, and IDF1 beside that of embedding all.

    python tools/bench_demand.py DATA [--seeds 20] [--clip-seeds 0 1 2 3 4 5 6 7 8 9] [--clips FOLDER]

Two kinds of input, the tracker at its defaults:

- TUD-Stadtmitte of DATA (`seq/TUD-Stadtmitte`, `cache/TUD-Stadtmitte.npz`), real detections and vectors: a sample is a
  seed;
- rendered clips as `tools/clips.py` makes them, kept in FOLDER, the default detector and embedder: a sample is a clip,
  the mean of `--clip-drops` seeds.

Each seed drops another 3 % of the detections. Both ways of tracking meet the same input, and the tracker asks for every
vector: embedding all asks for those of all detections of high score, which "embedded" is the share of. Prints Markdown:
means, and the paired difference of IDF1 with its 95 % interval (Student's t over samples).

The bars: at most 70 % embedded on TUD-Stadtmitte and 40 % on the clips, IDF1 at most .5 below that of embedding all, on
the mean. Exits with 1 where one is missed. Settings are developed on clips from seed 100 on.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy

import numpy as np
from accuracy.comparison import difference
from accuracy.inputs import CLIP_RATE_HZ, Input, Loaded, all_inputs, clip_inputs, load
from accuracy.runs import track
from clips import DURATION_S, ensure_all
from peers import Appearance, Peer, asking

from tracker import TrackerConfig
from tracker.config import EmbedMode
from tracker.evaluation import score_tracks

MODES: tuple[EmbedMode, ...] = ("all", "auto")
LOST = 0.5
"""How much lower the mean IDF1 may be."""


@dataclass(frozen=True)
class Outcome:
    """One way of tracking on one input, or the mean of several."""

    idf1: float
    share: float
    """Of the detections of high score whose vector was asked for, 0..1."""


@dataclass(frozen=True)
class Sample:
    """Both ways on the same input."""

    name: str
    all: Outcome
    auto: Outcome


@dataclass(frozen=True)
class Verdict:
    """The samples of one kind of input against their bar."""

    kind: str
    samples: list[Sample]
    most: float
    """Share that may be embedded."""

    @property
    def lost(self) -> np.ndarray:
        """(S,) IDF1 with `auto` minus that with `all`, by sample."""
        return np.array([s.auto.idf1 - s.all.idf1 for s in self.samples])

    @property
    def share(self) -> float:
        """Mean share embedded."""
        return float(np.mean([s.auto.share for s in self.samples]))

    @property
    def met(self) -> bool:
        """Whether the bar is met by the means."""
        return self.share <= self.most and float(self.lost.mean()) >= -LOST

    def __str__(self) -> str:
        whole, auto = (np.mean([getattr(s, mode).idf1 for s in self.samples]) for mode in MODES)
        bar = f"at most {self.most:.0%}, -{LOST}: {'met' if self.met else 'MISSED'}"
        paired = difference(self.lost).wording(2)
        return f"| {self.kind} | {len(self.samples)} | {self.share:.1%} | {whole:.2f} | {auto:.2f} | {paired} | {bar} |"


def follow(loaded: Loaded, mode: EmbedMode) -> Outcome:
    """Track an input, embedding all or what is asked for."""
    config, asked = TrackerConfig(embed=mode), [0]

    def count(rows: int) -> None:
        asked[0] += rows

    tracks = track(Peer(mode, "reidtrack", Appearance.USED, "", asking(config, count)), loaded)
    confident = int((loaded.seen.detections[:, 4] >= config.high_score).sum())
    scores = score_tracks(loaded.truth, tracks, loaded.seen.frames)
    return Outcome(scores.idf1, asked[0] / max(confident, 1))


def sample(name: str, what: Input, seeds: list[int]) -> Sample:
    """The mean of both ways over seeds of one input."""
    outcomes = [[follow(load(what, seed), mode) for mode in MODES] for seed in seeds]
    means = [
        Outcome(*(float(np.mean([getattr(o[k], f) for o in outcomes])) for f in ("idf1", "share"))) for k in (0, 1)
    ]
    print(f"{name}: embedded {means[1].share:.1%}, {means[1].idf1 - means[0].idf1:+.2f}", file=sys.stderr, flush=True)
    return Sample(name, *means)


def real(data: Path, seeds: int) -> Verdict:
    """TUD-Stadtmitte, a sample a seed."""
    what = next((i for i in all_inputs(data, held_out=False) if i.suite == "cached"), None)
    if what is None:
        raise ValueError(f"DATA must hold seq/TUD-Stadtmitte and cache/TUD-Stadtmitte.npz, got {data}")
    return Verdict(what.sequence, [sample(f"{what.sequence}, seed {s}", what, [s]) for s in range(seeds)], 0.7)


def rendered(folders: list[Path], drops: int) -> Verdict:
    """Rendered clips, a sample a clip."""
    inputs = clip_inputs(folders)
    return Verdict("rendered clips", [sample(i.sequence, i, list(range(drops))) for i in inputs], 0.4)


def report(verdicts: list[Verdict]) -> str:
    """Markdown: the bars, then the clips one by one."""
    lines = ["| input | samples | embedded | IDF1, all | IDF1, auto | change [95 %] | bar |", "|---" * 7 + "|"]
    lines += [str(v) for v in verdicts]
    for v in verdicts:
        if v.kind == "rendered clips":
            lines += ["", "| clip | embedded | IDF1, all | IDF1, auto | change |", "|---" * 5 + "|"]
            lines += [
                f"| {s.name} | {s.auto.share:.1%} | {s.all.idf1:.1f} | {s.auto.idf1:.1f} | {lost:+.1f} |"
                for s, lost in zip(v.samples, v.lost, strict=True)
            ]
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of real sequences")
    parser.add_argument("--seeds", type=int, default=20, help="of TUD-Stadtmitte; 0: without it (default: 20)")
    parser.add_argument("--clip-seeds", type=int, nargs="*", default=list(range(10)), help="default: 0 to 9")
    parser.add_argument("--clip-drops", type=int, default=3, help="seeds a clip (default: %(default)s)")
    parser.add_argument("--clip-duration", type=float, default=DURATION_S, help="seconds (default: %(default)s)")
    parser.add_argument("--clips", type=Path, default=Path("bench-accuracy/clips"), help="default: %(default)s")
    args = parser.parse_args(argv)
    if args.seeds < 0 or args.clip_drops < 1 or not (args.seeds or args.clip_seeds):
        print(
            "bench_demand: --seeds must be 0 or more, --clip-drops at least 1, and one kind asked for", file=sys.stderr
        )
        return 2
    try:
        verdicts = [real(args.data, args.seeds)] if args.seeds else []
    except ValueError as error:
        print(f"bench_demand: {error}", file=sys.stderr)
        return 2
    if args.clip_seeds:
        folders = ensure_all(args.clip_seeds, [CLIP_RATE_HZ], args.clip_duration, args.clips)
        verdicts.append(rendered(folders, args.clip_drops))
    print(report(verdicts))
    return int(not all(v.met for v in verdicts))


if __name__ == "__main__":
    sys.exit(main())

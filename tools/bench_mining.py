"""Time and memory of triplet mining and loss, forward and backward, side by side with pytorch-metric-learning.

    python tools/bench_mining.py [--batches 64 128 256 512 1024 2048 4096] [--repeats 9] [--budget-s 40]

Batches of K pictures an identity, embeddings of unit length that are neither untrained nor trained: positives and
negatives overlap. The two libraries take turns, step by step, in one process; a line gives both medians and the median
of the ratios. Memory is how far the peak of a process of its own rises over what it was before the first step. What
pytorch-metric-learning would need is foretold from its batch of half the size, and not run where it is more than the
limits allow; the reason stands in the line. Exits with 1 where a bar is missed:

    batch_hard at least 2x faster from B=256; semi_hard, batch_all, distance_weighted at least 5x from B=512;
    batch_all at B=2048 grows memory by less than 300 MB.

What is compared: `batch_hard` and `batch_all` are the same selection; `batch_all_soft` is batch_all with the soft
margin, for which there is no bar. pytorch-metric-learning's semi-hard miner lists all semi-hard triplets, FaceNet's and
ours takes the nearest negative of each pair. Its distance-weighted miner draws K triplets an anchor with random
positives, ours one for each of the K - 1 positives.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: threads that wait must not take the other's time

import torch  # after the setting
from torch import Tensor

from reid.learning.losses import TripletLoss
from reid.learning.mining import MiningName

MARGIN = 0.3
SOFT = "batch_all_soft"
KINDS = ("batch_hard", "semi_hard", "batch_all", SOFT, "distance_weighted")
LEAST_RATIO = {
    "batch_hard": (256, 2.0),
    "semi_hard": (512, 5.0),
    "batch_all": (512, 5.0),
    "distance_weighted": (512, 5.0),
}
MOST_GROWTH_MB = {("batch_all", 2048): 300.0}
PEER_MOST_MB = 8000.0
"""What pytorch-metric-learning may take before a batch is left out."""

Step = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    kind: str
    batch: int
    ours_ms: float
    ours_mb: float
    theirs_ms: float | None = None
    theirs_mb: float | None = None
    ratio: float | None = None
    reason: str = ""

    def text(self) -> str:
        """The line."""
        line = f"{self.kind:18s} {self.batch:5d} {self.ours_ms:10.2f} ms {self.ours_mb:8.0f} MB"
        if self.ratio is None:
            return f"{line}   {self.reason}"
        return f"{line} {self.theirs_ms:11.2f} ms {self.theirs_mb:8.0f} MB {self.ratio:7.1f}x"


def ours(kind: str) -> Step:
    """Loss of this project by the name of its mining."""
    if kind == SOFT:
        return TripletLoss("soft", "batch_all")
    return TripletLoss(MARGIN, cast("MiningName", kind))


def theirs(kind: str) -> Step:
    """Loss and miner of pytorch-metric-learning."""
    from pytorch_metric_learning import distances, losses, miners

    distance = distances.LpDistance(normalize_embeddings=False)
    if kind == SOFT:
        return losses.TripletMarginLoss(margin=0, smooth_loss=True, distance=distance)  # type: ignore[no-any-return]
    loss = losses.TripletMarginLoss(margin=MARGIN, distance=distance)
    if kind == "batch_all":
        return loss  # type: ignore[no-any-return]
    miner = {
        "batch_hard": lambda: miners.BatchHardMiner(distance=distance),
        "semi_hard": lambda: miners.TripletMarginMiner(margin=MARGIN, type_of_triplets="semihard", distance=distance),
        "distance_weighted": miners.DistanceWeightedMiner,
    }[kind]()
    return lambda embeddings, labels: loss(embeddings, labels, miner(embeddings, labels))


def draw(batch: int, per_identity: int, dimension: int) -> tuple[Tensor, Tensor]:
    """(B, D) unit vectors that want a gradient, and (B,) labels; the same for the same sizes."""
    generator = torch.Generator().manual_seed(batch)
    labels = torch.arange(batch // per_identity).repeat_interleave(per_identity)
    centres = torch.randn(len(labels) // per_identity, dimension, generator=generator)
    rows = torch.randn(batch, dimension, generator=generator) + 0.6 * centres[labels]
    return torch.nn.functional.normalize(rows, dim=1).requires_grad_(), labels


def step_ms(step: Step, embeddings: Tensor, labels: Tensor) -> float:
    """Milliseconds of one forward and backward."""
    embeddings.grad = None
    began = time.perf_counter()
    step(embeddings, labels).backward()  # type: ignore[no-untyped-call]
    return (time.perf_counter() - began) * 1e3


def peak_mb() -> float:
    """Largest resident size of this process since it was started or `forget_peak` was called; Linux alone says it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def forget_peak() -> None:
    """Count the peak from now on."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # proc(5): 5 sets the peak to the present size


def memory_child(args: argparse.Namespace) -> None:
    """In a process of its own: print how far two steps raise the peak, after a small one has loaded everything."""
    library, kind, batch = args.child
    step = ours(kind) if library == "ours" else theirs(kind)
    step_ms(step, *draw(16, args.per_identity, args.dimension))
    embeddings, labels = draw(int(batch), args.per_identity, args.dimension)
    embeddings.grad = torch.zeros_like(embeddings)  # the gradient itself is not the loss's
    forget_peak()
    before = peak_mb()
    for _ in range(2):
        step_ms(step, embeddings, labels)
    print(peak_mb() - before)


def growth_mb(library: str, kind: str, batch: int, args: argparse.Namespace) -> float:
    """Rise of the peak in a child process; infinite where it died of it."""
    sizes = [
        "--per-identity",
        str(args.per_identity),
        "--dimension",
        str(args.dimension),
        "--threads",
        str(args.threads),
    ]
    command = [sys.executable, __file__, *sizes, "--child", library, kind, str(batch)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return float(done.stdout.split()[-1]) if done.returncode == 0 else float("inf")


def why_not(batch: int, last: Row | None, budget_s: float) -> str:
    """Why pytorch-metric-learning is not run at this batch, empty where it is; a doubling costs up to eight times."""
    if last is None or last.batch * 2 != batch:
        return ""
    if last.ratio is None:
        return last.reason
    assert last.theirs_mb is not None, "there is a ratio"
    assert last.theirs_ms is not None, "there is a ratio"
    if last.theirs_mb * 5 > PEER_MOST_MB:
        return f"pytorch-metric-learning left out: took {last.theirs_mb:.0f} MB at B={last.batch}"
    if last.theirs_ms * 8 * 3 > budget_s * 1e3:
        return f"pytorch-metric-learning left out: took {last.theirs_ms / 1e3:.1f} s a step at B={last.batch}"
    return ""


def compare(kind: str, batch: int, last: Row | None, args: argparse.Namespace) -> Row:
    """Measure one kind at one batch."""
    embeddings, labels = draw(batch, args.per_identity, args.dimension)
    reason = why_not(batch, last, args.budget_s)
    mine, other = ours(kind), None if reason else theirs(kind)
    step_ms(mine, embeddings, labels)
    if other is not None:
        step_ms(other, embeddings, labels)
    pairs: list[tuple[float, float]] = []
    began = time.perf_counter()
    while len(pairs) < 3 or (len(pairs) < args.repeats and time.perf_counter() - began < args.budget_s):
        taken = step_ms(mine, embeddings, labels)
        pairs.append((taken, step_ms(other, embeddings, labels) if other is not None else float("nan")))
    ours_ms = statistics.median(a for a, _ in pairs)
    ours_mb = growth_mb("ours", kind, batch, args)
    if other is None:
        return Row(kind, batch, ours_ms, ours_mb, reason=reason)
    theirs_mb = growth_mb("theirs", kind, batch, args)
    theirs_ms = statistics.median(b for _, b in pairs)
    return Row(kind, batch, ours_ms, ours_mb, theirs_ms, theirs_mb, statistics.median(b / a for a, b in pairs))


def misses(rows: list[Row]) -> list[str]:
    """Bars that were not reached."""
    found: list[str] = []
    for row in rows:
        start, least = LEAST_RATIO.get(row.kind, (0, 0.0))
        if row.ratio is not None and row.batch >= start and row.ratio < least:
            found.append(f"{row.kind} at B={row.batch}: {row.ratio:.1f}x, must be at least {least:.0f}x")
        most = MOST_GROWTH_MB.get((row.kind, row.batch))
        if most is not None and row.ours_mb >= most:
            found.append(f"{row.kind} at B={row.batch}: {row.ours_mb:.0f} MB, must be below {most:.0f} MB")
    return found


def parse_arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Flags of the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, nargs="+", default=[64, 128, 256, 512, 1024, 2048, 4096])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--per-identity", type=int, default=4, help="K, pictures of an identity")
    parser.add_argument("--dimension", type=int, default=256, help="D of the embeddings")
    parser.add_argument("--repeats", type=int, default=9, help="steps of each library")
    parser.add_argument(
        "--budget-s", type=float, default=40.0, help="seconds for the steps of a line, 3 steps at least"
    )
    parser.add_argument("--threads", type=int, default=2, help="of torch, for both")
    parser.add_argument("--child", nargs=3, metavar=("LIBRARY", "KIND", "B"), help=argparse.SUPPRESS)
    return parser.parse_args(words)


def main() -> int:
    """Measure, print, judge."""
    args = parse_arguments()
    torch.set_num_threads(args.threads)
    if args.child:
        memory_child(args)
        return 0
    print(f"K={args.per_identity}, D={args.dimension}, {args.threads} threads, forward and backward, medians")
    print(f"{'mining':18s} {'B':>5s} {'ours':>13s} {'grows':>11s} {'theirs':>14s} {'grows':>11s} {'faster':>8s}")
    rows: list[Row] = []
    for kind in args.kinds:
        last = None
        for batch in sorted(args.batches):
            last = compare(kind, batch, last, args)
            rows.append(last)
            print(last.text(), flush=True)
    for miss in (missed := misses(rows)):
        print(f"MISSED {miss}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

"""Runs trackers over one crowd, timed frame by frame."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, field

import numpy as np
from crowd import CrowdFrame
from peers import Peer, Scene, Seen, Step

from association.identity import Counts

WARM_UP = 5
"""Frames at the start that are not in the medians."""
RATE_HZ = 30.0


@dataclass
class Contest:
    """One tracker's part in a run."""

    peer: Peer
    ms: list[float] = field(default_factory=list)
    """Processor time of each frame: on a shared machine the clock on the wall measures the others."""
    counts: Counts = field(default_factory=Counts)
    error: str = ""

    @property
    def median_ms(self) -> float:
        """Without the first frames, where there are more."""
        return float(np.median(self.ms[WARM_UP:] or self.ms)) if self.ms else float("nan")

    @property
    def p95_ms(self) -> float:
        """What 95 % of the frames stay below."""
        return float(np.percentile(self.ms[WARM_UP:] or self.ms, 95)) if self.ms else float("nan")


def run(
    peers: list[Peer], frames: list[CrowdFrame], size: tuple[int, int], *, interleaved: bool, budget_s: float
) -> list[Contest]:
    """Every tracker over the frames; whoever has used up `budget_s` stops there, with what it has.

    Interleaved: frame by frame, each tracker in turn, so that they meet the machine in the same state, with caches
    that the others have used; else one after the other.
    """
    contests = [Contest(peer) for peer in peers]
    steps = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of peers
        for contest in contests:
            steps[contest.peer.name] = _made(contest, size)
        turns = [contests] if interleaved else [[contest] for contest in contests]
        for turn in turns:
            for number, frame in enumerate(frames, 1):
                for contest in turn:
                    if not contest.error and sum(contest.ms) < budget_s * 1e3:
                        _take(contest, steps[contest.peer.name], number, frame)
    return contests


def _made(contest: Contest, size: tuple[int, int]) -> Step | None:
    try:
        return contest.peer.make(Scene(RATE_HZ, size))
    except Exception as error:  # noqa: BLE001 - whatever a peer dies of is a line of the table
        contest.error = f"{type(error).__name__}: {error}"[:200]
        return None


def _take(contest: Contest, step: Step | None, number: int, frame: CrowdFrame) -> None:
    """One frame, timed; the tracker gets copies, so that it cannot spoil the next one's input."""
    assert step is not None
    seen = Seen(number, frame.detections.copy(), frame.embeddings.copy())
    try:
        began = time.process_time()
        ids, boxes = step(seen)
        contest.ms.append((time.process_time() - began) * 1e3)
    except Exception as error:  # noqa: BLE001 - as above
        contest.error = f"{type(error).__name__}: {error}"[:200]
        return
    contest.counts.add(frame.identities, frame.detections[:, :4], np.asarray(ids), np.asarray(boxes))

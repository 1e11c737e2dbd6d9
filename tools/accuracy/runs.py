"""Runs trackers over inputs in parallel processes, and keeps what each run scored.

The store is a file of JSON lines. A run that it holds, by the same version of the tracker on the same input, is not
done again: peers are slow, and only this project's tracker changes from day to day.
"""

from __future__ import annotations

import json
import multiprocessing
import time
import warnings
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from peers import OURS, Peer, Scene, Seen, named

from accuracy.inputs import Input, Loaded, load
from tracker.evaluation import MotTracks, score_tracks

FIGURES = ("hota", "ass_a", "idf1", "mota", "switches")


@dataclass(frozen=True)
class Run:
    """One tracker on one input of one seed."""

    input: str
    seed: int | None
    """None: nothing dropped."""
    tracker: str
    version: str
    settings: str
    digest: str
    """Of the input."""
    scores: dict[str, float] = field(default_factory=dict)
    """By the names of `FIGURES`; empty where it failed."""
    error: str = ""
    """What it failed of."""

    @property
    def key(self) -> tuple[str, int | None, str, str, str, str]:
        """What must be the same for the scores to be the same."""
        return self.input, self.seed, self.tracker, self.version, self.settings, self.digest


class Store:
    """Runs that were done, in memory and in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._runs: dict[object, Run] = {}
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                run = Run(**json.loads(line))
                self._runs[run.key] = run

    def find(self, wanted: Run) -> Run | None:
        """The run that was done like this, if it succeeded."""
        done = self._runs.get(wanted.key)
        return done if done is not None and done.scores else None

    def add(self, run: Run) -> None:
        """Remember a run; on disk at once."""
        self._runs[run.key] = run
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(run)) + "\n")


def track(peer: Peer, loaded: Loaded) -> MotTracks:
    """What a fresh tracker makes of an input."""
    seen = loaded.seen
    step, rows = peer.make(Scene(seen.rate_hz, seen.size, loaded.embedder)), []
    order = np.argsort(seen.frame, kind="stable")
    ends = np.searchsorted(seen.frame[order], np.arange(1, seen.frames + 2))
    for frame in range(1, seen.frames + 1):
        here = order[ends[frame - 1] : ends[frame]]
        ids, boxes = step(Seen(frame, seen.detections[here], seen.embeddings[here]))
        rows.append(np.c_[np.full(len(ids), frame), ids, boxes])
    table = np.concatenate(rows)
    return MotTracks(table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2:])


def do(what: Input, wanted: Run) -> Run:
    """One run, scored; called in a worker."""
    peer = named(wanted.tracker)
    # Where input is simulated, what it drops is drawn from the very stream that the simulation begins with:
    # `default_rng(seed)` both times. It is the same for every tracker, and figures that were published are of it.
    loaded = load(what, wanted.seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of peers
        try:
            tracks = track(peer, loaded)
        except Exception as error:  # noqa: BLE001 - whatever a peer dies of is a line of the report
            return Run(*wanted.key, error=f"{type(error).__name__}: {error}"[:300])
    scores = score_tracks(loaded.truth, tracks, loaded.seen.frames)
    return Run(*wanted.key, scores={name: round(float(getattr(scores, name)), 4) for name in FIGURES})


def plan(inputs: list[Input], peers: list[Peer], seeds: int, reference: Peer = OURS) -> list[tuple[Input, Run]]:
    """All runs wanted, seed by seed, so that what is there after an interruption is balanced."""
    wanted: dict[object, tuple[Input, Run]] = {}  # suites may share inputs
    digests = {what: what.digest() for what in inputs}
    for seed in (None, *range(seeds)):
        for what in inputs:
            if seed is None and what.suite != "cached":
                continue  # the clean figure is customary for real detections alone
            with_peers = peers if what.suite != "random vectors" else []
            for peer in (reference, *(p for p in with_peers if p.runs_on(bool(what.embedder)))):
                run = Run(what.name, seed, peer.name, str(peer.version), peer.settings, digests[what])
                wanted.setdefault(run.key, (what, run))
    return list(wanted.values())


def known(wanted: list[tuple[Input, Run]], store: Store) -> list[Run]:
    """Those of the runs that the store holds."""
    return [run for _, one in wanted if (run := store.find(one)) is not None]


def do_all(wanted: list[tuple[Input, Run]], store: Store, jobs: int, say: Callable[[str], None]) -> list[Run]:
    """Every run, from the store where it is there. Stops early, with what there is, on Ctrl-C or a dead worker."""
    done = known(wanted, store)
    left = [(what, one) for what, one in wanted if store.find(one) is None]
    say(f"{len(wanted)} runs, {len(done)} of them known, {len(left)} to do in {jobs} processes")
    if not left:
        return done
    began = time.perf_counter()
    pool = ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"))
    futures: list[Future[Run]] = [pool.submit(do, what, one) for what, one in left]
    try:
        for count, future in enumerate(as_completed(futures), 1):
            run = future.result()
            store.add(run)
            done.append(run)
            rest_s = (time.perf_counter() - began) / count * (len(left) - count)
            result = f"IDF1 {run.scores['idf1']:.1f}" if run.scores else f"failed: {run.error}"
            seed = "clean" if run.seed is None else f"seed {run.seed}"
            say(f"{count}/{len(left)} {run.tracker} on {run.input}, {seed}: {result}; {rest_s:.0f} s left")
    except KeyboardInterrupt:
        say("stopped: the report is of what was done until here; run again to go on")
    except BrokenProcessPool:
        say("a worker died (out of memory?): the report is of what was done until here; run again with fewer --jobs")
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return done

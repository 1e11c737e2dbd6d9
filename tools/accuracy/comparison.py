"""Means over seeds, and paired differences to each peer with their 95 % intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from peers import OURS
from scipy import stats

from accuracy.runs import FIGURES, Run

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Difference:
    """How much better one is than another, on the same inputs."""

    mean: float
    half_width: float | None
    """Half of the 95 % interval (Student's t over seeds); None where there are too few seeds."""

    def __str__(self) -> str:
        return self.wording(1)

    def wording(self, digits: int) -> str:
        """Mean and interval with so many decimals."""
        mean, half = self.mean, self.half_width
        if half is None:
            return f"{mean:+.{digits}f}"
        return f"{mean:+.{digits}f} [{mean - half:+.{digits}f}, {mean + half:+.{digits}f}]"


@dataclass(frozen=True)
class Standing:
    """One tracker over the inputs of one table."""

    tracker: str
    means: dict[str, float]
    """By the names of `FIGURES`: over inputs, then over seeds."""
    half_width: float | None
    """Of the 95 % interval of the mean IDF1."""
    by_input: dict[str, float]
    """Mean IDF1 over seeds of each input."""
    ahead: dict[str, Difference]
    """The reference minus this one, by figure; empty for the reference."""


class Comparison:
    """The runs of one table, of every tracker that managed all of its inputs.

    After an interruption the last seed is in the table for nobody: it counts where all have done it.
    """

    def __init__(self, runs: list[Run], inputs: list[str], seeds: list[int | None], reference: str = OURS.name) -> None:
        runs = [r for r in runs if r.input in inputs and r.seed in seeds]
        cells = {(r.tracker, r.seed, r.input): r.scores for r in runs if r.scores}
        trackers = list(dict.fromkeys(r.tracker for r in runs))
        whole = {t: [s for s in seeds if all((t, s, i) in cells for i in inputs)] for t in trackers}
        self.failures = sorted({(r.tracker, r.error) for r in runs if r.error})
        failed = {tracker for tracker, _ in self.failures}
        compared = [t for t in trackers if whole[t] and t not in failed]
        self.inputs = inputs
        self.reference = reference
        """Who is compared with all others."""
        self.seeds = [s for s in seeds if compared and all(s in whole[t] for t in compared)]
        self.incomplete = [t for t in trackers if t not in compared and t not in failed]
        """Trackers that were not run on every input."""
        self._scores = {
            t: np.array([[[cells[t, s, i][f] for f in FIGURES] for i in inputs] for s in self.seeds])  # (S, I, F)
            for t in compared
            if self.seeds
        }

    def standings(self) -> list[Standing]:
        """The reference first, then the others, best mean IDF1 first."""
        found = [self._standing(name) for name in self._scores]
        return sorted(found, key=lambda s: (s.tracker != self.reference, -s.means["idf1"]))

    def falls(self, tracker: str, full: list[str], less: list[str]) -> np.ndarray:
        """(S,) how much lower its mean IDF1 is on some inputs than on others, seed by seed."""
        idf1 = self._scores[tracker][:, :, FIGURES.index("idf1")]  # (S, I)
        of = [idf1[:, [self.inputs.index(n) for n in names]].mean(axis=1) for names in (full, less)]
        return np.asarray(of[0] - of[1])

    def _standing(self, name: str) -> Standing:
        scores = self._scores[name]  # (S, I, F)
        per_seed = scores.mean(axis=1)  # (S, F)
        idf1 = FIGURES.index("idf1")
        ahead = {}
        if name != self.reference and self.reference in self._scores:
            paired = self._scores[self.reference].mean(axis=1) - per_seed  # (S, F)
            ahead = {f: difference(paired[:, k]) for k, f in enumerate(FIGURES)}
        return Standing(
            name,
            dict(zip(FIGURES, per_seed.mean(axis=0).tolist(), strict=True)),
            half_width(per_seed[:, idf1]),
            dict(zip(self.inputs, scores[:, :, idf1].mean(axis=0).tolist(), strict=True)),
            ahead,
        )


def difference(values: np.ndarray) -> Difference:
    """Of paired differences (S,), a seed each."""
    return Difference(float(values.mean()), half_width(values))


def half_width(values: np.ndarray) -> float | None:
    """Half of the 95 % interval of the mean of (S,) values; None for fewer than two."""
    n = len(values)
    if n < 2:
        return None
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * values.std(ddof=1) / np.sqrt(n))

"""The gate: whether a candidate is better than the embedder that is live, on objects that it was not trained on."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from reid.checks import check_number, check_whole, is_number
from reid.data import Crops
from reid.errors import InputError
from reid.evaluation import EvaluationConfig, Report, evaluate
from reid.evaluation.bootstrap import Estimate
from reid.evaluation.collection import Collection

NUMBERS: Final = "numbers in the replay"
"""Name of a figure: how many numbers a tracker gave. Whoever is lost and not known again gets another one."""
BREAKS: Final = "breaks in the replay"
"""Name of a figure: how many tracks began under whatever number, or turned out to be another's."""
CONFUSION: Final = "confusion in the replay"
"""Name of a figure: the share of others in the picture who look more like somebody than the own track does."""
LATENCY: Final = "ms a crop"
"""Name of a figure: how long the embedder takes, see `reid.online.latency`."""
SINCE_BASE: Final = ", since the beginning"
"""Ends the names of the same figures where not the live embedder but the one that the site began with is compared."""


class Replay(Protocol):
    """What came of a burst of detections that was tracked again; `tracker.replay.Replay` is one."""

    @property
    def births(self) -> int:
        """How many numbers were given."""

    @property
    def breaks(self) -> int:
        """How many tracks broke."""

    @property
    def confusion(self) -> float:
        """The mean of `CONFUSION`, 0..1."""

    @property
    def crops(self) -> int:
        """Over how many crops."""


@dataclass(frozen=True, slots=True)
class GateConfig:
    """What a candidate must show."""

    enabled: bool = True
    """Whether it is judged at all; otherwise every candidate that could be calibrated goes live, which is for
    experiments alone."""
    gaps_s: tuple[float, ...] = (1.0, 2.0, 4.0)
    """How much later, in seconds, an object is to be found again: crops of it that are nearer in time do not count."""
    replicates: int = 2000
    """Bootstrap replicates behind the 95 % intervals."""
    most_canary_loss: float = 0.005
    """How much mAP it may lose on the fixed set of figures that comes with the package."""
    most_lost: float = 0.05
    """By what share more numbers a tracker may give, and by what share more tracks may break, than with the embedder
    that is live, and than with the one that the site began with, where what a detector gave a while ago is tracked
    again with each. One more number is always let pass, and as many more breaks as may be chance, which is more than
    the default share up to some 800 breaks. Tracklets that were followed elsewhere come without such a record."""
    most_confused: float = 0.005
    """By how much more of the others in the picture may look more like somebody there than the own track does, 0..1,
    compared with the same two."""
    most_slower: float = 0.05
    """By what share longer it may take for a crop than the embedder that the site began with, so that not every round
    adds a little, measured with both in turn on held-out crops, in one thread of the CPU, in time that it worked.
    Beyond, it is measured again, up to five times in all, and refused only where every measurement says so."""

    def __post_init__(self) -> None:
        if not self.gaps_s or not all(is_number(gap) and gap > 0 for gap in self.gaps_s):
            raise InputError(f"gaps_s must be numbers above 0, got {self.gaps_s!r}")
        check_whole("replicates", self.replicates, 100)
        check_number("most_canary_loss", self.most_canary_loss, least=0, most=1)
        check_number("most_lost", self.most_lost, least=0)
        check_number("most_confused", self.most_confused, least=0, most=1)
        check_number("most_slower", self.most_slower, least=0)


@dataclass(frozen=True, slots=True)
class Difference:
    """Candidate less live, by pairs, with its 95 % interval over people, which is too narrow, see `Resampling`."""

    live: float
    """The figure of the embedder that is live; on the canary, of `LATENCY`, and where the name ends with `SINCE_BASE`,
    of the one that the site began with."""
    candidate: float
    """That of the candidate."""
    low: float
    """Lower end of the interval of the difference."""
    high: float
    """Upper end."""

    @property
    def value(self) -> float:
        """The difference."""
        return self.candidate - self.live


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says."""

    admitted: bool
    """Whether the candidate may go live."""
    reason: str
    """Why, in a sentence."""
    figures: Mapping[str, Difference] = field(default_factory=dict)
    """By measure."""


def judge(
    live: NDArray[np.float32],
    candidate: NDArray[np.float32],
    crops: Crops,
    canary: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]],
    config: GateConfig | None = None,
    *,
    replays: tuple[Sequence[Replay | None], Sequence[Replay | None]] | None = None,
    base_replay: Sequence[Replay | None] | None = None,
    latency_ms: tuple[float, float] | None = None,
    seed: int = 0,
) -> Verdict:
    """Compare two embedders.

    The candidate is admitted where objects are found again better (mAP after several gaps), and more of their pairs
    pass where 1 in 1000 others does (AUC, where too few others are known to say that), both with a lower bound above
    zero; where it has not forgotten what it knew; where a tracker does not lose people more often with it; and where it
    is not slower.

    Args:
        live: (N, D) vectors of the crops by the embedder that is live.
        candidate: (N, E) by the candidate.
        crops: held-out pieces of tracklets.
        canary: of the fixed set: vectors of the embedder that the site began with (K, D) and of the candidate (K, E),
            and who it is (K,). So that not every round forgets a little, it is not compared with the one that is live.
        config: see `GateConfig`.
        replays: of the same bursts of detections, with the live embedder and with the candidate; those count that both
            went through, None is where one could not. None for all: nobody looked; where no burst is left, there was
            nothing to look at, which is said.
        base_replay: of these bursts, with the embedder that the site began with, so that not every round loses a
            little; None where that one is live.
        latency_ms: how long the embedder that the site began with takes for a crop, so that not every round adds a
            little, and the candidate; None: nobody measured.
        seed: of the bootstrap. Its intervals are too narrow: of candidates as good as the live embedder 1 to 2 % were
            admitted in simulations.

    Raises:
        InputError: nothing can be measured on these crops, or the replays are not of the same bursts.
    """
    c = config or GateConfig()
    figures = _figures([_reports(vectors, crops, c, seed) for vectors in (live, candidate)])
    kept = [map_of(vectors, canary[2]) for vectors in canary[:2]]
    figures["canary mAP"] = _without_interval(*kept)
    if replays is not None:
        figures |= _replayed(*replays)
        if base_replay is not None:
            figures |= {name + SINCE_BASE: of for name, of in _replayed(base_replay, replays[1]).items()}
    if latency_ms is not None:
        figures[LATENCY] = _without_interval(*latency_ms)
    if not c.enabled:
        return Verdict(admitted=True, reason="the gate is off", figures=figures)
    if refusal := _refusal(figures, crops, c):
        return Verdict(admitted=False, reason=refusal, figures=figures)
    untried = "" if replays is None or NUMBERS in figures else "; there were no detections to try it on"
    return Verdict(admitted=True, reason=f"found again: {_said(figures['found again'])}{untried}", figures=figures)


def _refusal(figures: Mapping[str, Difference], crops: Crops, config: GateConfig) -> str:
    """What speaks against the candidate; nothing where it may go live."""
    wanted = ("found again", "TPR at FPR 1e-3" if "TPR at FPR 1e-3" in figures else "AUC")
    missing = [name for name in wanted if name not in figures]
    if missing:
        return (
            f"{' and '.join(missing)} cannot be measured on {len(crops)} held-out crops of {len(crops.identities)} "
            f"pieces: some must be of {min(config.gaps_s):g} s or more, and seen beside others"
        )
    for name in wanted:
        if not figures[name].low > 0:
            return f"{name}: {_said(figures[name])}, not surely better"
    if figures["canary mAP"].value < -config.most_canary_loss:
        return f"it has forgotten: canary mAP {_said(figures['canary mAP'])}"
    # Each has its blind spot on painted clips: a dim embedder gave up to 10 % fewer numbers, a blind one broke 8 %
    # fewer tracks. Those that took nobody for another more often were below 4 % in either, and 0.001 in confusion.
    for compared in ("", SINCE_BASE):
        for name in (NUMBERS, BREAKS):
            lost = figures.get(name + compared)
            if lost is not None and lost.value > max(_chance(name, lost), config.most_lost * lost.live):
                return f"people are lost more often with it: {name}{compared} {lost.live:.0f} -> {lost.candidate:.0f}"
        confused = figures.get(CONFUSION + compared)
        if confused is not None and confused.value > config.most_confused:
            return f"people are taken for others more often with it: {CONFUSION}{compared} {_said(confused)}"
    slower = figures.get(LATENCY)
    if slower is not None and slower.value > config.most_slower * slower.live:
        return f"it is slower: {LATENCY} {slower.live:.3f} -> {slower.candidate:.3f}, the best of several measurements"
    return ""


def _chance(name: str, counted: Difference) -> float:
    """By how much one of the counts of a replay may be greater though nothing is worse.

    Breaks are rare events, told as such: by the standard deviation of the difference of two Poisson counts. An embedder
    that tells people apart also notices more tracks that have gone over to somebody else: one that found them again far
    better, 0.88 -> 0.99, broke 48 in a burst in which the one before it broke 41, and 264 for 263 in six.
    """
    return 1.0 if name == NUMBERS else math.sqrt(counted.live + counted.candidate)


def _replayed(before: Sequence[Replay | None], candidate: Sequence[Replay | None]) -> dict[str, Difference]:
    """Figures of the bursts that both went through, sums over different ones say nothing; none without such bursts."""
    if len(before) != len(candidate):
        raise InputError(f"replays must be of the same bursts, one entry each, got {len(before)} and {len(candidate)}")
    pairs = zip(before, candidate, strict=True)
    both = [(one, other) for one, other in pairs if one is not None and other is not None]
    if not both:
        return {}
    old, new = (_conduct(of) for of in zip(*both, strict=True))
    return {name: _without_interval(of, new[name]) for name, of in old.items()}


def _without_interval(live: float, candidate: float) -> Difference:
    return Difference(live, candidate, candidate - live, candidate - live)


def _conduct(replays: Sequence[Replay]) -> dict[str, float]:
    """Figures of a tracker over all bursts."""
    crops = sum(each.crops for each in replays)
    confused = sum(each.confusion * each.crops for each in replays)
    return {
        NUMBERS: float(sum(each.births for each in replays)),
        BREAKS: float(sum(each.breaks for each in replays)),
        CONFUSION: confused / max(crops, 1),
    }


def _reports(vectors: NDArray[np.float32], crops: Crops, config: GateConfig, seed: int) -> list[Report]:
    """One for each gap that some piece is long enough for."""
    unknown = Collection.of(crops).unknown()
    found = []
    for gap_s in sorted(config.gaps_s):
        settings = EvaluationConfig(
            protocol="single", min_gap_s=gap_s, later_s=(), replicates=config.replicates, seed=seed
        )
        with contextlib.suppress(InputError):  # no query has a match
            found.append(
                evaluate(
                    vectors, crops.identity, None, crops.time_s, group=crops.group, unknown=unknown,
                    drawn_as=crops.kin[crops.identity], config=settings,
                )
            )  # fmt: skip
    return found


def _figures(reports: Sequence[Sequence[Report]]) -> dict[str, Difference]:
    """What both have, of the live embedder and of the candidate, over all gaps; pairs are those of the shortest."""
    parts: dict[str, Sequence[Sequence[Estimate | None]]] = {
        "found again": [[report.mean_average_precision for report in of] for of in reports],
        "rank-1": [[report.rank_1 for report in of] for of in reports],
        "TPR at FPR 1e-3": [[report.tpr_at_fpr_1e3 for report in of[:1]] for of in reports],
        "AUC": [[report.auc for report in of[:1]] for of in reports],
    }
    out = {}
    for name, (mine, theirs) in parts.items():
        before, after = _mean(mine), _mean(theirs)
        if before is None or after is None:
            continue
        change = after.minus(before)
        if change.low is not None and change.high is not None:
            out[name] = Difference(before.value, after.value, change.low, change.high)
    return out


def _mean(parts: Sequence[Estimate | None]) -> Estimate | None:
    """Of the figures of several gaps, in the same replicates; None where one is missing."""
    known = [part for part in parts if part is not None]
    if not known or len(known) < len(parts):
        return None
    return Estimate.of(
        float(np.mean([part.value for part in known])), np.mean([part.replicates for part in known], axis=0)
    )


def map_of(vectors: NDArray[np.float32], identity: NDArray[np.int64]) -> float:
    """Mean average precision of labelled crops, (N, D) and (N,)."""
    settings = EvaluationConfig(later_s=(), replicates=0)
    return evaluate(vectors, identity, config=settings).mean_average_precision.value


def _said(difference: Difference) -> str:
    return (
        f"{difference.live:.3f} -> {difference.candidate:.3f} "
        f"({difference.value:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}])"
    )

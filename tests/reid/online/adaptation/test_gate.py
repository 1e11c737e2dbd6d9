"""The gate lets through what is surely better, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from reid.data import Crops
from reid.data.pictures import MemoryPictures
from reid.errors import InputError
from reid.online.gate import BREAKS, CONFUSION, LATENCY, NUMBERS, SINCE_BASE, GateConfig, judge

Vectors = NDArray[np.float32]
PEOPLE, EACH = 30, 12


def held_out() -> Crops:
    """Pieces of people in sixes, twelve crops of each, two a second."""
    pictures = MemoryPictures(1 << 20)
    for number in range(PEOPLE * EACH):
        pictures.add(np.zeros((4, 2, 3), np.uint8), str(number))
    groups = [range(first, first + 6) for first in range(0, PEOPLE, 6)]
    return Crops(
        pictures,
        np.repeat(np.arange(PEOPLE), EACH),
        [str(number) for number in range(PEOPLE)],
        labelled=False,
        time_s=np.tile(np.arange(EACH) / 2, PEOPLE) + 100 * np.repeat(np.arange(PEOPLE) // 6, EACH),
        group=np.zeros(PEOPLE * EACH, np.int64),
        together=[(a, b) for group in groups for a in group for b in group if a < b],
    )


def vectors(noise: float, seed: int = 0) -> Vectors:
    """Of everybody, the noisier the worse."""
    rng = np.random.default_rng([1, seed])
    means = np.random.default_rng(0).normal(size=(PEOPLE, 16))
    rows = means.repeat(EACH, axis=0) + noise * rng.normal(size=(PEOPLE * EACH, 16))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def canary(noise: float) -> Vectors:
    return vectors(noise, seed=9)[: 10 * EACH]


WHO = np.repeat(np.arange(10), EACH)
SAME = (canary(0.5), canary(0.5), WHO)


def test_a_better_one_is_admitted_and_its_figures_are_given() -> None:
    verdict = judge(vectors(2.5), vectors(1.0), held_out(), SAME)
    assert verdict.admitted
    assert set(verdict.figures) == {"found again", "rank-1", "TPR at FPR 1e-3", "AUC", "canary mAP"}
    found = verdict.figures["found again"]
    assert 0 < found.low <= found.value <= found.high
    assert found.value == pytest.approx(found.candidate - found.live)
    assert "found again" in verdict.reason


@pytest.mark.parametrize(("live", "candidate"), [(1.0, 2.5), (1.5, 1.5)], ids=["worse", "as good"])
def test_a_worse_one_and_one_that_is_as_good_are_refused(live: float, candidate: float) -> None:
    for seed in range(5):
        verdict = judge(vectors(live), vectors(candidate, seed + 1), held_out(), SAME, seed=seed)
        assert not verdict.admitted
        assert "not surely better" in verdict.reason


def test_one_that_has_forgotten_is_refused() -> None:
    verdict = judge(vectors(2.5), vectors(1.0), held_out(), (canary(0.5), canary(3.0), WHO))
    assert not verdict.admitted
    assert "forgotten" in verdict.reason


QUICK = GateConfig(replicates=100)


@dataclass(frozen=True)
class Tracked:
    births: int
    breaks: int
    confusion: float = 0.02
    crops: int = 500


@pytest.mark.parametrize(
    ("live", "candidate", "more"),
    [
        ([Tracked(40, 50), Tracked(60, 60)], [Tracked(40, 50), Tracked(60, 60)], ""),
        ([Tracked(40, 50), Tracked(60, 60)], [Tracked(50, 30, 0.0), Tracked(30, 60)], ""),
        ([Tracked(40, 50), Tracked(60, 60)], [Tracked(42, 52), Tracked(63, 63, 0.026)], ""),
        ([Tracked(40, 50), Tracked(60, 60)], [Tracked(43, 50), Tracked(63, 60)], "numbers in the replay 100 -> 106"),
        ([Tracked(40, 50), Tracked(60, 60)], [Tracked(38, 55), Tracked(60, 70)], ""),
        ([Tracked(40, 50), Tracked(60, 60)], [Tracked(38, 60), Tracked(60, 66)], "breaks in the replay 110 -> 126"),
        ([Tracked(40, 410)], [Tracked(40, 439)], ""),
        ([Tracked(40, 410)], [Tracked(40, 440)], "breaks in the replay 410 -> 440"),
        ([Tracked(40, 50), Tracked(60, 60)], [Tracked(40, 50, 0.2, 10), Tracked(60, 60)], ""),
        ([Tracked(40, 50), Tracked(60, 60)], [Tracked(40, 50, 0.5), Tracked(60, 60)], "the replay 0.020 -> 0.260"),
        ([Tracked(9, 9)], [Tracked(10, 10)], ""),
        ([Tracked(9, 9)], [Tracked(11, 9)], "numbers in the replay 9 -> 11"),
    ],
    ids=[
        "the-same", "less", "hardly-more", "numbers", "breaks-by-chance", "breaks", "many-breaks-by-chance",
        "many-breaks", "confused-for-a-moment", "confused", "one-of-few",
        "two-of-few",
    ],
)  # fmt: skip
def test_one_that_serves_a_tracker_worse_is_refused(live: list[Tracked], candidate: list[Tracked], more: str) -> None:
    verdict = judge(vectors(2.5), vectors(1.0), held_out(), SAME, QUICK, replays=(live, candidate))
    assert verdict.admitted == (not more)
    assert (more or "found again") in verdict.reason
    assert verdict.figures[NUMBERS].live == sum(each.births for each in live)
    assert verdict.figures[BREAKS].candidate == sum(each.breaks for each in candidate)
    assert verdict.figures[CONFUSION].live == pytest.approx(0.02)


def test_where_there_is_nothing_to_replay_the_others_decide() -> None:
    verdict = judge(vectors(2.5), vectors(1.0), held_out(), SAME, QUICK, replays=([], []))
    assert verdict.admitted
    assert verdict.reason.endswith("; there were no detections to try it on")
    assert NUMBERS not in verdict.figures
    assert not judge(vectors(1.0), vectors(2.5), held_out(), SAME, QUICK, replays=([], [])).admitted


def test_only_bursts_count_that_both_went_through() -> None:
    live = [Tracked(40, 50), Tracked(60, 60, 0.9), None, Tracked(9, 9)]
    candidate = [Tracked(41, 51), None, Tracked(90, 90, 0.9), Tracked(9, 9)]
    verdict = judge(vectors(2.5), vectors(1.0), held_out(), SAME, QUICK, replays=(live, candidate))
    assert verdict.admitted
    found = {name: (figure.live, figure.candidate) for name, figure in verdict.figures.items()}
    assert (found[NUMBERS], found[BREAKS]) == ((49, 50), (59, 60))
    assert found[CONFUSION] == pytest.approx((0.02, 0.02))
    worse = [Tracked(48, 50), None, None, Tracked(9, 9)]  # fewer numbers in all, since there are fewer bursts
    verdict = judge(vectors(2.5), vectors(1.0), held_out(), SAME, QUICK, replays=(live, worse))
    assert "numbers in the replay 49 -> 57" in verdict.reason
    verdict = judge(vectors(2.5), vectors(1.0), held_out(), SAME, QUICK, replays=(live[2:3], candidate[2:3]))
    assert verdict.reason.endswith("; there were no detections to try it on")


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (Tracked(104, 0), f"people are lost more often with it: {NUMBERS}{SINCE_BASE} 100 -> 108"),
        (Tracked(100, 12), f"people are lost more often with it: {BREAKS}{SINCE_BASE} 100 -> 124"),
        (Tracked(100, 0, 0.0249), f"people are taken for others more often with it: {CONFUSION}{SINCE_BASE} 0.020"),
    ],
    ids=["numbers", "breaks", "confused"],
)
def test_small_losses_do_not_add_up_from_round_to_round(step: Tracked, says: str) -> None:
    """Each candidate loses a little less than is let pass, compared with the one before it."""

    def after(rounds: int) -> list[Tracked | None]:
        births = 100 + rounds * (step.births - 100)
        return [Tracked(births, 100 + rounds * step.breaks, 0.02 + rounds * (step.confusion - 0.02)), None]

    better = vectors(2.5), vectors(1.0), held_out(), SAME, QUICK
    assert judge(*better, replays=(after(0), after(1))).admitted, "the first round, in which the base is live"
    assert judge(*better, replays=(after(1), after(2))).admitted, "nothing is said of the base"
    second = judge(*better, replays=(after(1), after(2)), base_replay=after(0))
    assert not second.admitted
    assert second.reason.startswith(says)
    assert second.figures[NUMBERS].live == after(1)[0].births
    assert second.figures[NUMBERS + SINCE_BASE].live == 100
    assert judge(*better, replays=(after(1), after(1)), base_replay=after(0)).admitted
    assert judge(*better, replays=(after(1), after(2)), base_replay=[None, None]).admitted


@pytest.mark.parametrize(("candidate_ms", "admitted"), [(1.0, True), (2.09, True), (2.11, False)])
def test_one_that_is_slower_is_refused(candidate_ms: float, admitted: bool) -> None:
    verdict = judge(vectors(2.5), vectors(1.0), held_out(), SAME, QUICK, latency_ms=(2.0, candidate_ms))
    assert verdict.admitted == admitted
    assert admitted or verdict.reason.startswith("it is slower: ms a crop 2.000 -> 2.110")
    figure = verdict.figures[LATENCY]
    assert (figure.live, figure.candidate, figure.low) == (2.0, candidate_ms, figure.value)
    more = GateConfig(replicates=100, most_slower=0.06)
    assert judge(vectors(2.5), vectors(1.0), held_out(), SAME, more, latency_ms=(2.0, candidate_ms)).admitted


def test_replays_of_other_bursts_are_refused() -> None:
    with pytest.raises(InputError, match="replays must be of the same bursts, one entry each, got 2 and 1"):
        judge(
            vectors(2.5), vectors(1.0), held_out(), SAME, QUICK,
            replays=([Tracked(9, 9), Tracked(9, 9)], [Tracked(9, 9)]),
        )  # fmt: skip


def test_people_are_drawn_and_not_their_pieces() -> None:
    """Pieces of one person are drawn together: the figure is the same, its interval another one."""
    rows = np.arange(12 * EACH)
    apart = held_out().subset(rows)
    kin = np.arange(PEOPLE) % 3
    joined = apart.regrouped(apart.identity, apart.names, labelled=False, together=apart.together, kin=kin)
    found = [
        judge(vectors(2.5)[rows], vectors(1.0)[rows], crops, SAME).figures["found again"] for crops in (apart, joined)
    ]
    assert found[0].value == found[1].value
    assert found[1].high - found[1].low != found[0].high - found[0].low


def test_with_few_pairs_all_of_them_count() -> None:
    rows = np.arange(12 * EACH)  # too few pairs for 1 in 1000
    few = held_out().subset(rows)
    verdict = judge(vectors(2.5)[rows], vectors(1.0)[rows], few, SAME)
    assert "TPR at FPR 1e-3" not in verdict.figures
    assert verdict.admitted
    worse = judge(vectors(1.0)[rows], vectors(2.5)[rows], few, SAME)
    assert not worse.admitted


def test_what_cannot_be_measured_is_refused() -> None:
    first = np.flatnonzero(held_out().time_s % 100 < 0.9)  # no crop of anybody a second later
    few = held_out().subset(first)
    verdict = judge(vectors(2.5)[first], vectors(1.0)[first], few, SAME)
    assert not verdict.admitted
    assert "cannot be measured on 60 held-out crops of 30 pieces: some must be of 1 s or more" in verdict.reason


def test_switched_off_it_lets_everything_through() -> None:
    verdict = judge(vectors(1.0), vectors(2.5), held_out(), SAME, GateConfig(enabled=False))
    assert verdict.admitted
    assert verdict.reason == "the gate is off"


def test_settings_are_checked() -> None:
    with pytest.raises(InputError, match="gaps_s must be numbers above 0"):
        GateConfig(gaps_s=())
    with pytest.raises(InputError, match="replicates must be a whole number of at least 100"):
        GateConfig(replicates=10)
    with pytest.raises(InputError, match="most_canary_loss"):
        GateConfig(most_canary_loss=2)
    with pytest.raises(InputError, match="most_lost"):
        GateConfig(most_lost=-0.1)
    with pytest.raises(InputError, match="most_slower must be a finite number of at least 0"):
        GateConfig(most_slower=-0.1)

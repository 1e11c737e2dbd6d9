"""A model that makes tracking worse is found, and one that does not is left alone: by simulated streams."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from scipy import signal, stats

from reid import InputError
from reid.online.significance import dispersion, lower, more_often
from reid.online.watch import Verdict, Watch, WatchConfig

STEP_S = 2.0
OBJECTS = 10
SHORT = WatchConfig(before_s=1200, after_s=1200, block_s=20)
STRICT = replace(SHORT, ratio=1.0, margin_loss=0.0, margin_loss_alone=0.0)


@dataclass(frozen=True)
class Stream:
    """What a camera sees; rates a minute."""

    births: float = 12.0
    breaks: float = 20.0
    traffic: float = 0.0
    """How much the number of objects goes up and down."""
    bunched: float = 0.0
    """Variance of the factor by which rates differ from one minute to another."""
    kept: float = 0.0
    """Correlation of margins from one moment to the next."""


def watched(
    seed: int, config: WatchConfig, stream: Stream, *, worse: float = 1.0, loss: float = 0.0, better: float = 1.0
) -> Verdict:
    """The verdict on a model that multiplies births and breaks by `worse`, and takes `loss` off the margins."""
    rng = np.random.default_rng(seed)
    before, after = round(config.before_s / STEP_S), round((config.after_s + config.settle_s + 60) / STEP_S)
    n = before + after
    time_s = STEP_S * np.arange(n)
    level = 1 + stream.traffic * np.sin(2 * np.pi * time_s / 1500)
    objects = np.maximum(1, rng.poisson(OBJECTS * level))
    factor = np.ones(n // 30 + 1) if not stream.bunched else rng.gamma(1 / stream.bunched, stream.bunched, n // 30 + 1)
    new = np.arange(n) >= before
    rate = STEP_S / 60 * objects / OBJECTS * np.repeat(factor, 30)[:n] * np.where(new, worse * better, 1.0)
    births, breaks = rng.poisson(stream.births * rate), rng.poisson(stream.breaks * rate)
    noise = signal.lfilter([(1 - stream.kept**2) ** 0.5], [1, -stream.kept], rng.normal(size=n))
    margins = 0.9 + 0.1 * noise - loss * new
    watch = Watch(config)
    rows = zip(time_s.tolist(), objects.tolist(), births.tolist(), breaks.tolist(), margins.tolist(), strict=True)
    for k, (now, seen, born, broke, margin) in enumerate(rows):
        if k == before:
            assert watch.verdict.phase == "calm"
            watch.swapped()
        verdict = watch.update(now, objects=seen, births=born, breaks=broke, margins=(margin,) if k % 5 == 0 else ())
        if verdict.phase == "worse":
            break
    return verdict


STATIONARY = {
    # what is not in the least tolerated is what the error rate of the tests themselves shows in
    "independent events, nothing tolerated": (STRICT, Stream()),
    "rush hours, events in bunches, slow changes": (SHORT, Stream(traffic=0.6, bunched=0.3, kept=0.9)),
}


@pytest.mark.parametrize("kind", STATIONARY)
def test_of_500_streams_in_which_nothing_changes_no_more_raise_an_alarm_than_promised(kind: str) -> None:
    config, stream = STATIONARY[kind]
    alarms = sum(watched(seed, config, stream).phase == "worse" for seed in range(500))
    assert alarms <= 500 * config.false_alarm


def test_twice_as_many_new_identities_are_found_within_minutes_where_margins_agree() -> None:
    verdicts = [watched(seed, SHORT, Stream(), worse=2.0, loss=0.15) for seed in range(40)]
    assert all(verdict.phase == "worse" for verdict in verdicts)
    assert np.median([verdict.watched_s for verdict in verdicts]) <= 5 * 60
    assert max(verdict.watched_s for verdict in verdicts) <= 10 * 60
    assert any("new identities" in verdict.reason for verdict in verdicts)
    assert any("broken tracks" in verdict.reason for verdict in verdicts)


def test_lower_margins_are_found() -> None:
    verdicts = [watched(seed, SHORT, Stream(kept=0.5), loss=0.35) for seed in range(20)]
    assert all(verdict.phase == "worse" for verdict in verdicts)
    assert all("own above others" in verdict.reason for verdict in verdicts)
    assert all(verdict.margins_alone and not verdict.doubt for verdict in verdicts)


def test_lower_margins_alone_may_be_the_light_and_leave_a_doubt() -> None:
    verdicts = [watched(seed, SHORT, Stream(kept=0.5), loss=0.15) for seed in range(20)]
    assert {verdict.phase for verdict in verdicts} == {"kept"}
    assert all("own above others: 0." in verdict.doubt for verdict in verdicts)
    assert not watched(0, SHORT, Stream(kept=0.5)).doubt
    assert not watched(0, SHORT, Stream(), worse=4.0).doubt


def test_neither_more_new_identities_nor_slightly_lower_margins_are_enough_alone() -> None:
    for more in ({"worse": 4.0}, {"loss": 0.05}):
        assert {watched(seed, SHORT, Stream(), **more).phase for seed in range(20)} == {"kept"}


def test_a_better_model_and_a_rush_hour_are_kept() -> None:
    for seed in range(10):
        verdict = watched(seed, SHORT, Stream(traffic=0.9), better=0.5, loss=-0.05)
        assert (verdict.phase, verdict.watched_s) == ("kept", 1200)


# ---- the course of watching ------------------------------------------------------------------------------------------


def feed(
    watch: Watch, seconds: float, *, start_s: float = 0.0, objects: int = 10, births: int = 0, margin: float = 0.9
) -> float:
    """`births` every 10 s; returns when it ended."""
    steps = round(seconds / STEP_S)
    for k in range(steps):
        margins = (margin,) if objects > 1 else ()
        watch.update(start_s + k * STEP_S, objects=objects, births=births if k % 5 == 0 else 0, margins=margins)
    return start_s + steps * STEP_S


def test_a_model_is_worse_until_it_is_rolled_back_and_what_it_did_is_no_measure() -> None:
    watch = Watch(SHORT)
    now = feed(watch, 1300, births=1)
    watch.swapped()
    now = feed(watch, 1500, start_s=now, births=4, margin=0.86)
    assert watch.verdict.phase == "worse"
    assert "new identities: 36 before, 14" in watch.verdict.reason
    assert "broken" not in watch.verdict.reason
    watch.rolled_back()
    assert watch.verdict == Verdict("calm")
    now = feed(watch, 100, start_s=now, births=1)
    watch.swapped()
    feed(watch, 1500, start_s=now, births=4, margin=0.86)
    assert watch.verdict.phase == "worse"
    assert "36 before" in watch.verdict.reason


def test_what_was_kept_is_what_the_next_one_is_compared_with() -> None:
    watch = Watch(SHORT)
    now = 0.0
    for births in (4, 2, 1, 1):
        now = feed(watch, 1300, start_s=now, births=births)
        assert watch.verdict.phase in ("calm", "kept")
        watch.swapped()
        assert watch.verdict.phase == "watching"
    now = feed(watch, 1300, start_s=now, births=4, margin=0.86)
    assert watch.verdict.phase == "worse"


def test_a_second_swap_while_watching_is_compared_with_what_was_found_good() -> None:
    watch = Watch(SHORT)
    now = feed(watch, 1300, births=1)
    watch.swapped()
    now = feed(watch, 70, start_s=now, births=4, margin=0.86)
    assert watch.verdict.phase == "watching", "too early to say that it is worse"
    watch.swapped()
    now = feed(watch, 1300, start_s=now, births=1)
    assert watch.verdict.phase == "kept"
    watch.swapped()
    feed(watch, 1300, start_s=now, births=4, margin=0.86)
    assert watch.verdict.phase == "worse"
    assert "36 before" in watch.verdict.reason


@pytest.mark.parametrize("restarted", [False, True])
def test_losses_that_are_told_as_doubts_add_up(restarted: bool) -> None:
    watch = Watch(SHORT)
    now = feed(watch, 1300, births=1, margin=0.97)
    phases = []
    for margin in (0.82, 0.67):
        if restarted:
            saved = json.loads(json.dumps(watch.saved()))
            watch = Watch(SHORT)
            watch.restore(saved)
        watch.swapped()
        now = feed(watch, 1300, start_s=now, births=1, margin=margin)
        phases.append((watch.verdict.phase, bool(watch.verdict.doubt)))
    assert phases == [("kept", True), ("worse", False)]
    assert "0.82 before, 0.67 after" in watch.verdict.reason


def test_light_that_stays_worse_makes_no_later_model_worse() -> None:
    watch = Watch(SHORT)
    now = feed(watch, 1300, births=1, margin=0.97)
    watch.swapped()
    now = feed(watch, 1300, start_s=now, births=1, margin=0.82)
    now = feed(watch, 1300, start_s=now, births=1, margin=0.6)  # more of it, and no other model
    for _ in range(2):
        watch.swapped()
        now = feed(watch, 1300, start_s=now, births=1, margin=0.6)
        assert watch.verdict.phase == "kept"
        assert not watch.verdict.doubt


def test_once_all_is_there_again_it_counts_from_there() -> None:
    watch = Watch(SHORT)
    now, phases = feed(watch, 1300, births=1, margin=0.9), []
    for margin in (0.8, 0.98, 0.8, 0.74):  # the last is by less than 0.2 lower than the first was
        watch.swapped()
        now = feed(watch, 1300, start_s=now, births=1, margin=margin)
        phases.append((watch.verdict.phase, bool(watch.verdict.doubt)))
    assert phases == [("kept", True), ("kept", False), ("kept", True), ("worse", False)]


def test_what_is_not_surely_lost_is_not_there_again_by_that() -> None:
    watch, rng = Watch(SHORT), np.random.default_rng(0)
    now, phases = 0.0, []
    for margin, noise in ((0.9, 0), (0.78, 0), (0.84, 0.2), (0.66, 0)):
        for level in rng.normal(margin, noise, 65).tolist():
            now = feed(watch, SHORT.block_s, start_s=now, births=1, margin=level)
        phases.append((watch.verdict.phase, bool(watch.verdict.doubt)))
        watch.swapped()
    assert phases == [("calm", False), ("kept", True), ("kept", False), ("worse", False)], "0.24 less than at first"


@pytest.mark.parametrize("at_s", [600, 1400, 1500, 2000, 2700])
def test_what_is_saved_goes_on_as_if_nothing_had_happened(at_s: int) -> None:
    def run(watch: Watch, first: int, last: int) -> Watch:
        for k in range(first, last):
            if k == 650:
                watch.swapped()
            bad = k > 650
            births, margin = int(k % 5 == 0) * (4 if bad else 1), 0.86 if bad else 0.9
            watch.update(2.0 * k, objects=10, births=births, margins=(margin,))
        return watch

    whole = run(Watch(SHORT), 0, 1000)
    before = run(Watch(SHORT), 0, at_s // 2)
    after = Watch(SHORT)
    after.restore(json.loads(json.dumps(before.saved())))
    assert after.verdict.phase == before.verdict.phase
    run(after, at_s // 2, 1000)
    assert after.verdict.phase == whole.verdict.phase == "worse"
    # the block that had not ended is lost
    assert after.verdict.comparisons[0].before == pytest.approx(whole.verdict.comparisons[0].before, rel=0.05)


def test_numbers_of_numpys_are_saved_too() -> None:
    watch = Watch(SHORT)
    for k in range(20):
        one = np.int64(1)
        watch.update(np.float32(2 * k), objects=one, births=one, breaks=one, margins=np.ones(1, np.float32))  # type: ignore[arg-type]
    assert json.loads(json.dumps(watch.saved()))["before"][0][2:4] == [11, 11]


def test_a_shorter_watch_than_the_one_that_was_saved_comes_to_an_end() -> None:
    before = Watch(SHORT)
    now = feed(before, 1300, births=1)
    before.swapped()
    now = feed(before, 900, start_s=now, births=1)
    assert before.verdict.phase == "watching"
    after = Watch(WatchConfig(before_s=1200, after_s=300, block_s=20))
    after.restore(before.saved())
    feed(after, 100, start_s=now, births=1)
    assert after.verdict.phase == "kept"


@pytest.mark.parametrize(
    "change",
    [
        {"phase": "asleep"},
        {"before": [[1.0]]},
        {"after": [[float("nan")] * 6]},
        {"before": None},
        {"after": [[20.0, 40.0, 1, 1, 0.0, 0]]},
        {"phase": "watching"},
    ],
    ids=["phase", "short", "nan", "none", "no margins", "nothing before"],
)
def test_what_nobody_saved_is_not_taken_up(change: dict[str, Any]) -> None:
    watch = Watch(SHORT)
    with pytest.raises((TypeError, ValueError)):
        watch.restore(watch.saved() | change)


def test_seconds_in_which_nobody_is_there_do_not_count() -> None:
    watch = Watch(SHORT)
    now = feed(watch, 1300, births=1)
    watch.swapped()
    now = feed(watch, 50_000, start_s=now, objects=0)
    assert watch.verdict == Verdict("watching")
    now = feed(watch, 300, start_s=now, births=4, margin=0.86)
    assert watch.verdict.watched_s > 0
    watch.update(now + 1e6, objects=1)  # a source that stood still
    watch.update(now - 1e6, objects=1)  # a clock that was set back
    assert watch.verdict.watched_s < 400


@pytest.mark.parametrize("before_s", [0, 230])
def test_with_little_before_nothing_is_found_and_the_next_one_is_compared(before_s: float) -> None:
    watch = Watch(SHORT)
    now = feed(watch, before_s, births=1)
    watch.swapped()
    now = feed(watch, 600, start_s=now, births=4, margin=0.7)
    assert watch.verdict == Verdict("calm"), "nothing is known of it, neither good nor bad"
    watch.swapped()
    feed(watch, 1300, start_s=now, births=8, margin=0.6)
    assert watch.verdict.phase == "worse"
    assert "own above others: 0.7 before" in watch.verdict.reason, "the two are not mixed"


def test_who_is_alone_says_nothing() -> None:
    watch = Watch(SHORT)
    now = feed(watch, 1300, births=1)
    watch.swapped()
    feed(watch, 50_000, start_s=now, objects=1, births=4)
    assert watch.verdict == Verdict("watching")


@pytest.mark.parametrize(
    "wrong",
    [
        {"before_s": 0}, {"after_s": float("inf")}, {"block_s": -1}, {"settle_s": -1}, {"false_alarm": 1.0},
        {"ratio": 0.9}, {"margin_loss": float("nan")}, {"before_s": 300, "block_s": 30},
        {"after_s": 120, "block_s": 30}, {"margin_loss_alone": 0.01},
    ],
)  # fmt: skip
def test_settings_are_checked(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=r"watch\."):
        WatchConfig(**wrong)


# ---- the tests themselves --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "later", "t0", "t1", "ratio"), [(40, 30, 60, 30, 1.0), (7, 3, 10, 5, 1.2), (0, 4, 9, 3, 1.0)]
)
def test_counts_are_compared_as_by_an_exact_binomial_test(
    before: int, later: int, t0: float, t1: float, ratio: float
) -> None:
    share = ratio * t1 / (t0 + ratio * t1)
    expected = stats.binomtest(later, before + later, share, alternative="greater").pvalue
    few_blocks = np.array([before - before // 2, before // 2], np.float64)
    assert more_often(few_blocks, np.full(2, t0 / 2), later, t1, ratio) == pytest.approx(expected, rel=1e-9)


def test_means_are_compared_as_by_students_t() -> None:
    rng = np.random.default_rng(4)
    before = np.sort(rng.normal(size=20))[np.argsort(np.tile([0, 1], 10), kind="stable").argsort()]  # neighbours differ
    later = rng.permutation(before) - 0.9  # of the same variance
    expected = stats.ttest_ind(later, before - 0.05, alternative="less").pvalue
    assert lower(before, later, 0.05) == pytest.approx(expected, rel=1e-6)


def test_values_that_go_together_say_less() -> None:
    even = np.tile([0.9, 1.0], 24)
    assert lower(np.repeat([0.9, 1.0, 0.9, 1.0], 12), even - 0.03, 0.0) > 30 * lower(even, even - 0.03, 0.0)


def test_counts_that_come_in_bunches_say_less() -> None:
    even, uneven = np.full(48, 5.0), np.repeat([0.0, 10.0, 0.0, 10.0], 12)
    time = np.full(48, 60.0)
    assert dispersion(even, time) == 1
    assert dispersion(uneven, time) > 15
    assert dispersion(np.zeros(48), time) == 1
    assert more_often(uneven, time, 130, 600, 1.0) > 100 * more_often(even, time, 130, 600, 1.0)


def test_nothing_to_compare_says_nothing() -> None:
    assert more_often(np.zeros(0), np.zeros(0), 5, 60, 1.0) == 1
    assert more_often(np.ones(5), np.ones(5), 0, 0, 1.0) == 1
    assert lower(np.ones(3), np.zeros(9), 0.0) == 1
    assert lower(np.ones(30), np.zeros(0), 0.0) == 1
    assert lower(np.ones(30), np.ones(1), 0.0) == 1
    assert lower(np.ones(30), np.ones(9), 0.0) == 1
    assert lower(np.ones(30), 0.9 * np.ones(9), 0.05) == 0

"""The clock by which things grow old: wrong after a start, set later, or seen in short runs alone."""

from __future__ import annotations

import math

import pytest

from reid.online.hours import HOUR_S, hour_name
from reid.online.proven_clock import ProvenClock, note_hour, noted_keep_s, noted_unix_s

DAY_S, YEAR_S = 86400.0, 86400.0 * 365


class Machine:
    """A machine that has been on for `steady_s`."""

    def __init__(self, now_s, before_s=-math.inf):
        self.now_s, self.steady_s = now_s, 5.0
        self.clock = ProvenClock(before_s, wall=lambda: self.now_s, steady=lambda: self.steady_s)

    def go_on(self, seconds):
        self.now_s += seconds
        self.steady_s += seconds
        return self.clock.passed_unix_s()


@pytest.fixture
def now_s(clock):
    return clock() // HOUR_S * HOUR_S


def test_it_is_believed_after_ten_even_minutes(now_s):
    machine = Machine(now_s)
    assert [machine.go_on(s) for s in (0, 300, 299)] == [-math.inf] * 3
    assert machine.go_on(1) == machine.now_s == now_s + 600


def test_one_that_is_set_right_within_them_never_was(now_s):
    machine = Machine(now_s + 5 * YEAR_S, before_s=now_s - DAY_S)
    assert machine.go_on(550) == now_s - DAY_S
    machine.now_s -= 5 * YEAR_S
    assert machine.go_on(50) == now_s - DAY_S
    assert machine.go_on(599) == now_s - DAY_S
    assert machine.go_on(1) == machine.now_s < now_s + DAY_S


def test_a_step_that_nobody_told_of_is_seen(now_s):
    machine = Machine(now_s)
    assert machine.go_on(3600) == machine.now_s
    machine.now_s += YEAR_S
    assert machine.go_on(60) == -math.inf
    assert machine.go_on(600) == machine.now_s


def test_short_runs_go_by_the_run_before(now_s):
    assert Machine(now_s, before_s=now_s - DAY_S).go_on(10) == now_s - DAY_S
    assert Machine(now_s, before_s=now_s + YEAR_S).go_on(10) == -math.inf, "the clock was ahead then"


def test_a_machine_that_always_starts_at_the_same_time_proves_nothing(now_s):
    wrong_s = now_s + 5 * YEAR_S
    for late_s in (0, 5, 3599):
        assert Machine(wrong_s + late_s, before_s=wrong_s).go_on(0) == -math.inf


def test_one_that_starts_long_ago_and_is_set_right_goes_by_the_run_before(now_s):
    machine = Machine(0.0, before_s=now_s - DAY_S)
    assert machine.go_on(20) == -math.inf
    machine.now_s = now_s
    assert machine.go_on(20) == now_s - DAY_S


def test_for_how_long_all_is_kept_is_noted_for_a_worker(tmp_path, now_s):
    path = tmp_path / "clock.json"
    assert noted_keep_s(path) == math.inf
    for days, kept_s in ((2.5, 2.5 * DAY_S), (math.inf, math.inf)):
        note_hour(path, hour_name(now_s), days)
        assert (noted_keep_s(path), noted_unix_s(path)) == (kept_s, now_s)
    for damaged in ("", "[]", "{}", '{"keep_days": "x"}', '{"keep_days": -1}', '{"keep_days": NaN}'):
        path.write_text(damaged)
        assert noted_keep_s(path) == math.inf


def test_the_hour_is_noted_for_the_next_run(tmp_path, now_s):
    path = tmp_path / "clock.json"
    assert noted_unix_s(path) == -math.inf
    note_hour(path, hour_name(now_s + 1800))
    assert noted_unix_s(path) == now_s
    for damaged in ("", "[]", "{}", '{"hour": 5}', '{"hour": "20261399-00"}'):
        path.write_text(damaged)
        assert noted_unix_s(path) == -math.inf

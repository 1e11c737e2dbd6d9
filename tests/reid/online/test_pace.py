"""A worker rests between its steps."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from reid.online.pace import Pace


@dataclass
class Machine:
    """Clocks that only move where something is done."""

    now_s: float = 100.0
    busy_s: float = 7.0
    rests_s: list[float] = field(default_factory=list)
    patience: int = 1000
    """Rests after which it is told to stop."""

    def work(self, seconds: float, threads: int = 1) -> None:
        self.now_s += seconds
        self.busy_s += seconds * threads

    def sleep(self, seconds: float) -> None:
        self.rests_s.append(seconds)
        self.now_s += seconds

    def pace(self, most_busy: float) -> Pace:
        return Pace(
            lambda: len(self.rests_s) >= self.patience,
            most_busy,
            busy=lambda: self.busy_s,
            steady=lambda: self.now_s,
            sleep=self.sleep,
        )


@pytest.mark.parametrize(("most_busy", "threads", "rest_s"), [(0.5, 1, 3.0), (0.25, 1, 9.0), (0.5, 2, 9.0), (1, 1, 0)])
def test_who_worked_rests_for_the_share_that_is_left_to_others(most_busy: float, threads: int, rest_s: float) -> None:
    machine = Machine()
    stop = machine.pace(most_busy)
    for _ in range(30):
        machine.work(0.1, threads)
        assert not stop()
    assert sum(machine.rests_s) == pytest.approx(rest_s)


def test_one_processor_is_no_limit_where_all_of_it_is_given() -> None:
    machine = Machine()
    stop = machine.pace(1.0)
    machine.work(1.0, threads=4)
    assert not stop()
    assert not machine.rests_s


def test_who_waited_for_an_hour_has_saved_nothing_up() -> None:
    machine = Machine()
    stop = machine.pace(0.5)
    machine.now_s += 3600
    assert not stop()
    machine.work(1.0)
    assert not stop()
    assert sum(machine.rests_s) == pytest.approx(1.0)


def test_a_long_rest_is_taken_in_pieces_between_which_other_things_may_be_asked() -> None:
    machine = Machine()
    stop = machine.pace(0.5)
    machine.work(10.0)
    rests_s = []
    for _ in range(12):
        before_s = machine.now_s
        assert not stop()
        rests_s.append(machine.now_s - before_s)
    assert max(rests_s) <= 1.1
    assert sum(rests_s) == pytest.approx(10.0, abs=0.01)


def test_a_rest_ends_at_once_where_it_is_told_to_stop() -> None:
    machine = Machine(patience=3)
    stop = machine.pace(0.5)
    machine.work(60.0)
    assert stop()
    assert len(machine.rests_s) == 3
    assert max(machine.rests_s) <= 0.1, "a long rest is not slept through"
    machine.work(60.0)
    assert stop()
    assert len(machine.rests_s) == 3, "who is to end does not rest before"

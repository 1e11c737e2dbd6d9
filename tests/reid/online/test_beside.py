"""The worker beside a run of the tracker is kept at work, and ends with it."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from reid.online.beside import WorkerBeside

LONG_S = 600.0


class Site:
    """A folder, workers that take down their number there, and what was said of them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.said: list[str] = []

    def beside(self, then: str, *, first_pause_s: float = 0.05, longest_pause_s: float = 0.2) -> WorkerBeside:
        """Workers that do this once they have taken themselves down."""
        words = f"import os, sys, time; os.chdir({str(self.path)!r}); print('hello', flush=True)"
        words += f"; open('began', 'a').write(f'{{os.getpid()}}\\n'); {then}"
        command = [sys.executable, "-S", "-c", words]
        return WorkerBeside(
            self.path, command, self.said.append, first_pause_s=first_pause_s, longest_pause_s=longest_pause_s,
            look_s=0.02,
        )  # fmt: skip

    @property
    def began(self) -> list[int]:
        """Processes of the workers."""
        path = self.path / "began"
        return [int(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def until(happens: Callable[[], bool]) -> None:
    began = time.monotonic()
    while not happens():
        assert time.monotonic() - began < 300, "it hangs"
        time.sleep(0.01)


def is_gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_worker_that_was_killed_is_told_once_and_another_one_is_started(site: Site) -> None:
    with site.beside("sys.stdin.read()"):
        until(lambda: len(site.began) == 1)
        os.kill(site.began[0], signal.SIGKILL)
        until(lambda: len(site.began) == 2)
        (said,) = site.said
    assert "ended by itself with exit code -9" in said
    assert f"{site.path / 'worker.log'} has what it said; another one is started in 0.05 s" in said
    assert len(site.said) == 1, "nothing of the one that was ended with the run"
    assert all(is_gone(process) for process in site.began)
    assert (site.path / "worker.log").read_text() == "hello\nhello\n"


def test_pauses_between_workers_that_die_again_and_again_grow_to_a_limit(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a busy machine may take longer for a worker than this limit
    monkeypatch.setattr("reid.online.beside.time", SimpleNamespace(monotonic=lambda: 0.0))
    with site.beside("sys.exit(3)", first_pause_s=0.015, longest_pause_s=0.05):
        until(lambda: len(site.said) >= 5)
    pauses = [float(match[1]) for said in site.said if (match := re.search(r"code 3,.* in ([\d.]+) s$", said))]
    assert pauses[:5] == [0.015, 0.03, 0.05, 0.05, 0.05]


def test_a_worker_that_lasted_is_followed_by_another_after_the_first_pause(site: Site) -> None:
    with site.beside("time.sleep(0.3)\nsys.exit(3)", first_pause_s=0.05, longest_pause_s=0.1):
        until(lambda: len(site.said) >= 3)
    assert all("started in 0.05 s" in said for said in site.said[:3])


@pytest.mark.parametrize("then", ["sys.exit(0)", "sys.exit(130)", "os.kill(os.getpid(), 15)"])
def test_a_worker_that_was_told_to_stop_stays_so(site: Site, then: str) -> None:
    with site.beside(then):
        until(lambda: len(site.said) == 1)
        time.sleep(0.3)
    assert len(site.began) == 1
    assert ["was told to stop" in said for said in site.said] == [True]


def test_a_run_that_ends_waits_for_no_pause(site: Site) -> None:
    began = time.monotonic()
    with site.beside("sys.exit(3)", first_pause_s=LONG_S, longest_pause_s=LONG_S):
        until(lambda: len(site.said) == 1)
    assert time.monotonic() - began < LONG_S / 2
    assert len(site.began) == 1
    assert site.said[1:] == [f"the worker ended by itself: {site.path / 'worker.log'} has what it said"]


def test_ctrl_c_ends_the_worker_as_well(site: Site) -> None:
    def run() -> None:
        with site.beside("sys.stdin.read()"):
            until(lambda: len(site.began) == 1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert is_gone(site.began[0])
    assert site.said == []


def test_a_worker_that_cannot_be_started_is_tried_again(site: Site) -> None:
    def times(words: str) -> int:
        return sum(words in said for said in site.said)

    with site.beside("sys.exit(3)"):
        until(lambda: times("ended by itself with exit code 3") >= 1)
        away = site.path.with_name("away")
        site.path.rename(away)
        until(lambda: times("cannot be started") >= 3)
        away.rename(site.path)
        before = len(site.began)
        until(lambda: len(site.began) > before)
    assert times("ended by itself with exit code 3") <= len(site.began), "once for each that there was"


def test_nobody_there_to_be_told_keeps_no_worker_from_being_started_again(site: Site) -> None:
    def gone(text: str) -> None:
        raise OSError(5, "Input/output error")

    beside = site.beside("sys.exit(3)")
    beside._say = gone
    with beside:
        until(lambda: len(site.began) >= 3)


def test_a_log_that_became_long_is_begun_anew_and_what_it_said_is_kept(site: Site) -> None:
    log, before = site.path / "worker.log", site.path / "worker.log.1"
    long = "".join(f"{number:063}\n" for number in range((1 << 14) + 1))
    for text in (long, long.replace("0", "x")):
        log.write_text(text)
        with site.beside("sys.stdin.read()"):
            until(lambda: log.read_text() == "hello\n")
        assert before.read_text() == text
    log.write_text("short\n" * 1000)
    with site.beside("sys.stdin.read()"):
        until(lambda: log.read_text().endswith("hello\n"))
    assert log.read_text() == "short\n" * 1000 + "hello\n"


def test_who_is_killed_while_a_log_is_begun_anew_loses_nothing_of_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    log, text = site.path / "worker.log", "it said this\n" * (1 << 17)
    log.write_text(text)
    monkeypatch.setattr("reid.online.beside.os.truncate", killed)
    with pytest.raises(KeyboardInterrupt), site.beside("sys.stdin.read()"):
        pass
    assert (log.read_text(), log.with_name("worker.log.1").read_text()) == (text, text)


def test_the_log_of_a_worker_that_lives_for_long_is_begun_anew_as_well(site: Site) -> None:
    log, go_on = site.path / "worker.log", site.path / "go on"
    talks = "print(('x' * 63 + chr(10)) * ((1 << 14) + 1), flush=True); open('said', 'w')"
    waits = "[time.sleep(.01) for _ in iter(lambda: os.path.exists('go on'), True)]"
    with site.beside(f"{talks}; {waits}; print('still here', flush=True); sys.stdin.read()"):
        until(lambda: (site.path / "said").exists() and log.stat().st_size < 1 << 20)
        go_on.touch()
        until(lambda: log.read_text().endswith("still here\n"))
    assert len(site.began) == 1
    assert (site.path / "worker.log.1").read_text().startswith("hello\nxxx")


def test_a_worker_keeps_to_one_thread_in_libraries_that_ask_the_environment(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "7")
    with site.beside("print(*(os.environ[name] for name in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS')))"):
        until(lambda: len(site.said) == 1)
    assert (site.path / "worker.log").read_text() == "hello\n1 1\n"

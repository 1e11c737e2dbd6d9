"""The worker beside a run of the tracker: it begins and ends with it, and is started again where it dies meanwhile."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from types import TracebackType

from reid.atomic import write_whole
from reid.online.config import LearnConfig, OnlineConfig

_STOP_S = 20.0
"""How long a worker may take to end its step."""
_MOST_LOG_BYTES = 1 << 20
_TOLD_TO_STOP = (0, 130, -signal.SIGINT, -signal.SIGTERM)
"""Exit codes of a worker that somebody ended, who wants it to stay so."""
_OF_A_WORKER = frozenset(field.name for field in fields(LearnConfig))


def worker_command(program: Sequence[str], folder: Path, config: OnlineConfig) -> list[str]:
    """The command of a worker with these settings, which are written into the folder.

    Args:
        program: what starts a worker, as far as the folder: its trackers try candidates on recorded bursts, and this
            package knows none.
        folder: the online folder.
        config: of it the worker gets what it has a use for.

    Raises:
        OSError: they cannot be written.
    """
    settings = folder / "worker.yaml"
    said = {name: value for name, value in asdict(config).items() if name in _OF_A_WORKER}
    write_whole(settings, json.dumps(said, indent=1).encode())  # JSON is YAML
    return [*program, str(folder), "--with-parent", "--config", str(settings)]


class WorkerBeside:
    """A worker that is at work as long as a run of the tracker. Use as a context manager around the run.

    One that ends by itself is started again. It stays ended where it was told to stop.

    Args:
        folder: the online folder; what the worker says is added to `worker.log` in it.
        command: of the worker, which ends with its standard input: however this process ends, none is left.
        say: is told, from another thread, when a worker ended by itself.
        first_pause_s: seconds before it is started again; twice as many each further time.
        longest_pause_s: at most so many; a worker that lasted for longer is followed by one after the first pause.
        look_s: seconds between two looks at whether it is still there.

    Raises:
        OSError: on entering: the worker cannot be started.
    """

    def __init__(
        self,
        folder: Path,
        command: Sequence[str],
        say: Callable[[str], None],
        *,
        first_pause_s: float = 60.0,
        longest_pause_s: float = 3600.0,
        look_s: float = 1.0,
    ) -> None:
        self._folder, self._log = folder, folder / "worker.log"
        self._command, self._say = list(command), say
        self._first_pause_s, self._longest_pause_s, self._look_s = first_pause_s, longest_pause_s, look_s
        self._ending = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="reidtrack-worker", daemon=True)
        self._began_s = 0.0

    def __enter__(self) -> WorkerBeside:
        self._worker = self._started()
        self._keeper.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        try:
            self._keeper.join()
        finally:
            self._end(self._worker)

    def _keep(self) -> None:
        """Look whether the worker is there, and start another one where it is not, until the run ends."""
        pause_s = self._first_pause_s
        while not self._ending.wait(self._look_s):
            _cut(self._log)
            code = self._worker.poll()
            if code is None:
                continue
            _close(self._worker)
            if code in _TOLD_TO_STOP:
                self._tell("the worker was told to stop: what is harvested from now on waits for the next one")
                return
            if time.monotonic() - self._began_s > self._longest_pause_s:
                pause_s = self._first_pause_s
            self._tell(
                f"the worker ended by itself with exit code {code}, {self._log} has what it said; another one is "
                f"started in {pause_s:g} s"
            )
            pause_s = self._start_again(pause_s)

    def _start_again(self, pause_s: float) -> float:
        """Start another worker after a pause, or after some where it cannot be started; returns the next pause."""
        while not self._ending.wait(pause_s):
            pause_s = min(2 * pause_s, self._longest_pause_s)
            try:
                self._worker = self._started()
            except OSError as error:
                self._tell(f"the worker cannot be started: {error}; it is tried again in {pause_s:g} s")
            else:
                break
        return pause_s

    def _tell(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # nobody may be there any more to be told
            self._say(text)

    def _started(self) -> subprocess.Popen[bytes]:
        self._began_s = time.monotonic()
        _cut(self._log)
        limits = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        with self._log.open("ab") as log:
            # a group of its own: Ctrl-C is for the tracker, which ends the worker in its own time
            return subprocess.Popen(  # noqa: S603 - this program
                self._command, stdout=log, stderr=log, stdin=subprocess.PIPE, start_new_session=True,
                env={**os.environ, **limits},
            )  # fmt: skip

    def _end(self, worker: subprocess.Popen[bytes]) -> None:
        """End the worker; the round that it was at goes on with the next one."""
        code = worker.poll()
        if code is None:
            worker.terminate()
            try:
                worker.wait(_STOP_S)
            except (subprocess.TimeoutExpired, KeyboardInterrupt):
                worker.kill()
                worker.wait()
        elif code not in _TOLD_TO_STOP:
            self._tell(f"the worker ended by itself: {self._log} has what it said")
        _close(worker)


def _close(worker: subprocess.Popen[bytes]) -> None:
    assert worker.stdin is not None, "a pipe"
    worker.stdin.close()


def _cut(log: Path) -> None:
    """Begin a log anew that became long, whether or not a worker is writing to it; `worker.log.1` is what it said.

    Nothing is lost where this process is killed in between, and nothing changes places; a line of the very moment
    between the two steps may go.
    """
    with contextlib.suppress(OSError):  # no worker waits for that
        if log.stat().st_size > _MOST_LOG_BYTES:
            write_whole(log.with_name(f"{log.name}.1"), log.read_bytes())
            os.truncate(log, 0)  # the same file: a worker goes on adding to what it has open

"""The command as a whole: help, exit codes, messages."""

from __future__ import annotations

import io
import logging
import signal
import sys
from types import SimpleNamespace

import pytest

import tracker.cli.main as cli
from reid.errors import DeviceError
from tracker.cli.context import Context
from tracker.errors import ConfigError, OutputError


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> object:
    """A stand-in for a sub-command: `command(action)` makes `reidtrack stub` do that."""

    def install(action: object) -> None:
        module = SimpleNamespace(run=action)
        monkeypatch.setitem(sys.modules, "tracker.cli.stub", module)
        monkeypatch.setitem(cli.COMMANDS, "stub", ("tracker.cli.stub", "a stub"))

    return install


def raising(error: BaseException) -> object:
    def action(argv: list[str], context: Context) -> int:
        raise error

    return action


def test_help_names_every_command_and_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {name}" in text for name in ("demo", "track", "eval", "doctor"))
    assert "examples:" in text


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("reidtrack 0.")


def test_nothing_at_all_is_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    assert "usage: reidtrack" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_every_command_has_help_with_examples(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: reidtrack {name}")
    assert "examples:" in text


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (OutputError("disk full"), 1, "reidtrack: disk full\n"),
        (DeviceError("no GPU"), 1, "reidtrack: no GPU\n"),
        (ConfigError("wrong key"), 2, "reidtrack: wrong key\n"),
        (KeyboardInterrupt(), 130, "reidtrack: interrupted\n"),
        (PermissionError(13, "Permission denied", "/root/x"), 1, "reidtrack: /root/x: Permission denied\n"),
    ],
)
def test_expected_errors_are_one_line_and_a_code(
    error: BaseException, code: int, message: str, command: object, capsys: pytest.CaptureFixture[str]
) -> None:
    command(raising(error))
    assert cli.main(["stub"]) == code
    assert capsys.readouterr().err == message


def test_a_missing_desktop_library_is_explained(command: object, capsys: pytest.CaptureFixture[str]) -> None:
    command(raising(ImportError("libGL.so.1: cannot open shared object file: No such file or directory")))
    assert cli.main(["stub"]) == 1
    text = capsys.readouterr().err
    assert "libGL.so.1" in text
    assert "apt-get install libgl1" in text
    assert "opencv-python-headless" in text


def test_bugs_are_not_swallowed(command: object) -> None:
    command(raising(ZeroDivisionError("a bug")))
    with pytest.raises(ZeroDivisionError):
        cli.main(["stub"])


def test_verbose_adds_the_traceback(command: object, capsys: pytest.CaptureFixture[str]) -> None:
    command(raising(OutputError("disk full")))
    assert cli.main(["stub", "-v"]) == 1
    text = capsys.readouterr().err
    assert "Traceback" in text
    assert text.endswith("reidtrack: disk full\n")


@pytest.mark.parametrize(
    ("words", "context"),
    [
        (["stub", "a"], Context()),
        (["-v", "stub", "a"], Context(verbose=True)),
        (["stub", "a", "--quiet"], Context(quiet=True)),
    ],
)
def test_verbosity_may_stand_anywhere(words: list[str], context: Context, command: object) -> None:
    seen: list[object] = []

    def action(argv: list[str], given: Context) -> int:
        seen.append((argv, given))
        return 0

    command(action)
    assert cli.main(words) == 0
    assert seen == [(["a"], context)]


def test_the_log_of_our_packages_is_shown_and_left_as_it_was(
    command: object, capsys: pytest.CaptureFixture[str]
) -> None:
    def action(argv: list[str], context: Context) -> int:
        logging.getLogger("tracker.x").warning("careful")
        logging.getLogger("tracker.x").debug("detail")
        return 0

    command(action)
    before = logging.getLogger("tracker").level, list(logging.getLogger("tracker").handlers)
    assert cli.main(["stub"]) == 0
    assert capsys.readouterr().err == "reidtrack: WARNING: careful\n"
    assert (logging.getLogger("tracker").level, logging.getLogger("tracker").handlers) == before


def test_sigterm_ends_a_run_like_ctrl_c(command: object, capsys: pytest.CaptureFixture[str]) -> None:
    def action(argv: list[str], context: Context) -> int:
        signal.raise_signal(signal.SIGTERM)
        return 0

    command(action)
    before = signal.getsignal(signal.SIGTERM)
    assert cli.main(["stub"]) == 130
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_name_that_the_terminal_cannot_show_does_not_end_the_run(
    command: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(shown, encoding="ascii"))

    def action(argv: list[str], context: Context) -> int:
        context.result("wrote été/tracks.txt")
        return 0

    command(action)
    assert cli.main(["stub"]) == 0
    sys.stdout.flush()
    assert shown.getvalue() == b"wrote \\xe9t\\xe9/tracks.txt\n"
    assert sys.stdout.errors == "strict"


def test_a_closed_pipe_is_quiet(command: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", sys.stdout)  # main replaces it
    command(raising(BrokenPipeError()))
    assert cli.main(["stub"]) == 1
    sys.stdout.close()

"""The command `reidtrack`: picks the sub-command, and turns whatever ends it into one clear line and an exit code.

0: done. 1: the run failed. 2: it was called wrongly, and nothing was run. 130: stopped by Ctrl-C or SIGTERM.
"""

from __future__ import annotations

import importlib.metadata
import io
import logging
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn, TextIO

from tracker.cli.commands import listing, run_command
from tracker.cli.context import Context
from tracker.errors import ConfigError, TrackerError

EXIT_DONE, EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130

COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("tracker.cli.demo", "render a clip with known truth, follow everybody in it, and score the result"),
    "track": ("tracker.cli.track", "follow objects through a video, pictures, a camera or a stream"),
    "train": ("tracker.cli.train", "train re-identification for your own objects, to one ONNX file"),
    "adapt": ("tracker.cli.adapt", "teach an embedder what a site looks like, from its videos, without labels"),
    "online": ("tracker.cli.online", "look after a folder in which an embedder learns while it is used"),
    "eval": ("tracker.cli.evaluate", "score MOT tracks against ground truth: HOTA, IDF1, MOTA and more"),
    "reid": ("tracker.cli.reid", "score, compare, search with, export and describe embedders"),
    "doctor": ("tracker.cli.doctor", "say what is installed, what works, what is missing and how to add it"),
}

_EXAMPLES = """\
examples:
  reidtrack demo --out demo-out
  reidtrack track street.mp4
  reidtrack track street.mp4 --detector yolox_nano.onnx --classes person --out runs/street
  reidtrack track rtsp://camera.example/stream --detector yolox_nano.onnx --save jsonl
  reidtrack eval --gt gt.txt --tracks runs/street/tracks.txt
  reidtrack doctor

`reidtrack COMMAND --help` explains each command."""

# What `import cv2` says on a machine without the libraries of a desktop, and what helps.
_DESKTOP_LIBRARIES = (
    "OpenCV cannot be loaded ({cause}). On Debian or Ubuntu: apt-get install libgl1 libglib2.0-0 libxcb1; "
    "or, without a display: pip uninstall -y opencv-python && pip install opencv-python-headless"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run `reidtrack` with these arguments (default: the process's own) and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    words, verbose = _take_flag(words, "-v", "--verbose")
    words, quiet = _take_flag(words, "-q", "--quiet")
    context = Context(verbose, quiet)
    try:
        with _logging(context), _signals(), _any_name_printable():
            return _dispatch(words, context)
    except SystemExit as stop:  # help was shown
        return stop.code if isinstance(stop.code, int) else EXIT_USAGE
    except KeyboardInterrupt:
        return _fail("interrupted", EXIT_INTERRUPTED, context)
    except BrokenPipeError:
        _close_stdout()
        return EXIT_FAILED
    except ConfigError as error:
        return _fail(str(error), EXIT_USAGE, context)
    except Exception as error:  # what was not expected is raised again
        message = _expected(error)
        if message is None:  # a bug: show where
            raise
        return _fail(message, EXIT_FAILED, context)


def _dispatch(words: list[str], context: Context) -> int:
    if words and words[0] == "--version":
        sys.stdout.write(f"reidtrack {importlib.metadata.version('reidtrack')}\n")
        return EXIT_DONE
    return run_command(COMMANDS, words, context, overview=_overview())


def _overview() -> str:
    return (
        "usage: reidtrack [-h] [--version] [-v] [-q] COMMAND ...\n\n"
        "Follow objects through video and keep their identity.\n\n"
        f"commands:\n{listing(COMMANDS)}\n\n"
        "options:\n"
        "  -h, --help     show this help; after a command, that command's\n"
        "  --version      show the version\n"
        "  -v, --verbose  more messages, and a traceback with an error\n"
        "  -q, --quiet    errors only\n\n"
        f"{_EXAMPLES}"
    )


def _take_flag(words: list[str], *names: str) -> tuple[list[str], bool]:
    """The words without any of these (up to `--`), and whether one was there."""
    end = words.index("--") if "--" in words else len(words)
    rest = [word for word in words[:end] if word not in names]
    return rest + words[end:], len(rest) < end


def _fail(message: str, code: int, context: Context) -> int:
    if context.verbose:
        traceback.print_exc()
    sys.stderr.write(f"reidtrack: {message}\n")
    return code


def _expected(error: Exception) -> str | None:
    """What to tell the user of an error that can happen without a bug; None for a bug."""
    if isinstance(error, TrackerError) or _is_reid_error(error):
        return str(error)
    if isinstance(error, ImportError) and ("cv2" in str(error) or ".so" in str(error)):
        return _DESKTOP_LIBRARIES.format(cause=error)
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)
    return None


def _is_reid_error(error: Exception) -> bool:
    # `import reid` loads OpenCV, which help must not wait for and which may be what is broken; an error of reid's
    # can only have been raised where reid is loaded already
    errors = sys.modules.get("reid.errors")
    return errors is not None and isinstance(error, errors.ReidError)


def _close_stdout() -> None:
    """The reader of our output went away; point stdout elsewhere so that the interpreter's last flush is quiet."""
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 lives until the process ends


class _StderrHandler(logging.StreamHandler[TextIO]):
    """Writes to what stderr is at that moment: a progress bar puts itself in its place to stay below the messages."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


@contextmanager
def _logging(context: Context) -> Iterator[None]:
    """Show the log of our packages on stderr for the time of the run."""
    handler = _StderrHandler()
    handler.setFormatter(logging.Formatter("reidtrack: %(levelname)s: %(message)s"))
    level = logging.DEBUG if context.verbose else logging.ERROR if context.quiet else logging.WARNING
    loggers = [logging.getLogger(name) for name in ("tracker", "reid")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(level)
    try:
        yield
    finally:
        for logger, old in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(old)


@contextmanager
def _any_name_printable() -> Iterator[None]:
    """A file name that stdout's encoding lacks is shown with escapes; it does not end a run that is done."""
    stream = sys.stdout
    if not isinstance(stream, io.TextIOWrapper):
        yield
        return
    before = stream.errors
    stream.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        stream.reconfigure(errors=before)


@contextmanager
def _signals() -> Iterator[None]:
    """SIGTERM stops a run like Ctrl-C: files are closed and valid. Only the main thread may set this up."""

    def stop(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # called from another thread, by a program that uses main() as a function
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


if __name__ == "__main__":
    sys.exit(main())

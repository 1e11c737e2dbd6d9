"""`reidtrack reid`: what is done with embedders, a sub-command each."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Sequence

from tracker.cli.context import Context
from tracker.cli.errors import UsageError

# name -> (module with `run(argv, context) -> int`, one line for the overview); modules are imported when called
COMMANDS: dict[str, tuple[str, str]] = {
    "eval": ("tracker.cli.reid_eval", "score an embedder: mAP, rank-k, AUC, re-association, robustness"),
    "verify": ("tracker.cli.reid_verify", "compare two pictures: same or different, and how sure"),
    "search": ("tracker.cli.reid_search", "rank the pictures of a folder by likeness to one"),
    "export": ("tracker.cli.reid_export", "write an embedder in float16 or int8, if it holds what it recognises"),
    "card": ("tracker.cli.reid_card", "show what a model file says of itself"),
}

_EXAMPLES = """\
examples:
  reidtrack reid eval people/ --model own.onnx --examples found.png
  reidtrack reid verify door.png street.png
  reidtrack reid search door.png pictures/ --out found.png

`reidtrack reid COMMAND --help` explains each command."""


def run(argv: Sequence[str], context: Context) -> int:
    """Hand over to the sub-command; its exit code.

    Raises:
        UsageError: there is no such sub-command.
    """
    if argv and argv[0] in ("-h", "--help", "help"):
        sys.stdout.write(_overview() + "\n")
        return 0
    if not argv:
        sys.stderr.write(_overview() + "\n")
        return 2
    name, *rest = argv
    if name not in COMMANDS:
        close = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise UsageError(f"unknown command 'reid {name}'{hint} (commands: {', '.join(COMMANDS)})")
    code: int = importlib.import_module(COMMANDS[name][0]).run(rest, context)
    return code


def _overview() -> str:
    width = max(len(name) for name in COMMANDS)
    commands = "\n".join(f"  {name:<{width}}  {summary}" for name, (_, summary) in COMMANDS.items())
    return (
        "usage: reidtrack reid [-h] COMMAND ...\n\n"
        "Measure embedders, use them on pictures, make them smaller. eval, verify, search and card need no torch.\n\n"
        f"commands:\n{commands}\n\n{_EXAMPLES}"
    )

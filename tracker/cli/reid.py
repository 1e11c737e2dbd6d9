"""`reidtrack reid`: what is done with embedders, a sub-command each."""

from __future__ import annotations

from collections.abc import Sequence

from tracker.cli.commands import run_group
from tracker.cli.context import Context

COMMANDS: dict[str, tuple[str, str]] = {
    "eval": ("tracker.cli.reid_eval", "score an embedder: mAP, rank-k, AUC, re-association, robustness"),
    "verify": ("tracker.cli.reid_verify", "compare two pictures: same or different, and how sure"),
    "search": ("tracker.cli.reid_search", "rank the pictures of a folder by likeness to one"),
    "export": ("tracker.cli.reid_export", "write an embedder in float16 or int8, if it holds what it recognises"),
    "card": ("tracker.cli.reid_card", "show what a model file says of itself"),
}

_ABOUT = "Measure embedders, use them on pictures, make them smaller. eval, verify, search and card need no torch."
_EXAMPLES = """\
  reidtrack reid eval people/ --model own.onnx --examples found.png
  reidtrack reid verify door.png street.png
  reidtrack reid search door.png pictures/ --out found.png"""


def run(argv: Sequence[str], context: Context) -> int:
    """Hand over to the sub-command; its exit code.

    Raises:
        UsageError: there is no such sub-command.
    """
    return run_group(COMMANDS, argv, context, name="reid", about=_ABOUT, examples=_EXAMPLES)

"""`reidtrack online history`: what happened to an online folder."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tracker.cli.context import Context
from tracker.cli.flags import parse_arguments
from tracker.cli.online_settings import open_folder
from tracker.cli.schema import argument, flag_only

_SUMMARY = "List what happened: rounds of learning, who was admitted or refused and why, what was rolled back from."
_EXAMPLES = """\
  reidtrack online history site
  reidtrack online history site --last 5 --json"""


@dataclass(frozen=True, slots=True)
class HistorySettings:
    """Settings of `reidtrack online history`."""

    folder: Path = field(metadata=argument("DIR"))
    """The online folder."""
    last: int = field(default=0, metadata=flag_only("NUMBER"))
    """Only so many of the latest events; 0 for all."""
    json: bool = field(default=False, metadata=flag_only())
    """One JSON object a line, with all figures."""

    def __post_init__(self) -> None:
        if self.last < 0:
            raise ValueError(f"last must be 0 or more, got {self.last}")


def run(argv: Sequence[str], context: Context) -> int:
    """Print the events."""
    settings = parse_arguments(HistorySettings, argv, command="online history", summary=_SUMMARY, examples=_EXAMPLES)
    for event in open_folder(settings.folder).history.read()[-settings.last :]:
        context.result(json.dumps(event) if settings.json else said(event))
    return 0


def said(event: Mapping[str, Any]) -> str:
    """An event in a line for people."""
    from reid.online.news import in_words

    when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(event.get("unix_s", 0)))
    return f"{when} UTC  {in_words(event)}"

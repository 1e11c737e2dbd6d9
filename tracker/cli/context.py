"""What every sub-command is told by `main`: how much to say, and where to."""

from __future__ import annotations

import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Context:
    """How talkative one run is. Results go to stdout; everything said about the run goes to stderr."""

    verbose: bool = False
    """Log messages of every module, and a traceback with an error."""
    quiet: bool = False
    """Errors only."""

    def say(self, message: str) -> None:
        """One line about the run, on stderr."""
        if not self.quiet:
            sys.stderr.write(message + "\n")

    def result(self, text: str) -> None:
        """What the command was asked for, on stdout."""
        if not self.quiet:
            sys.stdout.write(text + "\n")

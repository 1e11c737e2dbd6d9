"""What only the command line can get wrong."""

from __future__ import annotations

from tracker.errors import ConfigError


class UsageError(ConfigError):
    """The command was called in a way that cannot work: nothing was run, nothing was written, exit code 2."""

"""What can go wrong in `tracker`, as one small tree.

Every message says what was wrong, what was expected, and what to do.
"""


class TrackerError(Exception):
    """Base of all errors that this package raises on purpose."""


class InputError(TrackerError, ValueError):
    """An array or argument given to the library is not what its contract says."""


class ConfigError(TrackerError, ValueError):
    """A configuration file, key or flag is wrong."""


class SourceError(TrackerError):
    """A video, picture folder, camera or stream cannot be opened or read."""


class ModelError(TrackerError):
    """A detector model cannot be loaded or gives output that is not understood."""


class OutputError(TrackerError):
    """A result cannot be written."""


class DisplayError(TrackerError):
    """A window was asked for where there is no display."""


class MissingExtraError(TrackerError, ImportError):
    """An optional dependency is needed; the message names the extra that installs it."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f'{purpose} needs {package}, which is not installed: pip install "reidtrack[{extra}]"')

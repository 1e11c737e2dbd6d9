"""What can go wrong in `reid`, as one small tree. Every message says what was wrong, what was expected, what to do."""


class ReidError(Exception):
    """Base of all errors that this package raises on purpose."""


class InputError(ReidError, ValueError):
    """An array or argument given to the library is not what its contract says."""


class ModelError(ReidError):
    """A model file or its card cannot be loaded or does not fit."""


class DataError(ReidError):
    """Data to learn from or to measure on is missing, broken, or of another kind than was asked for."""


class DeviceError(ReidError):
    """The device that was asked for cannot be used; nothing falls back silently."""


class MissingExtraError(ReidError, ImportError):
    """An optional dependency is needed; the message names the extra (or each that would do) that installs it."""

    def __init__(self, package: str, extra: str | tuple[str, ...], purpose: str) -> None:
        extras = (extra,) if isinstance(extra, str) else extra
        cures = " or ".join(f'pip install "reidtrack[{name}]"' for name in extras)
        super().__init__(f"{purpose} needs {package}, which is not installed: {cures}")

"""Command-line flags made from a settings dataclass: every key of a configuration file is a flag too."""

from __future__ import annotations

import argparse
import itertools
import typing
from collections.abc import Callable, Sequence
from dataclasses import MISSING
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from tracker.cli.config_file import load_config
from tracker.cli.errors import UsageError
from tracker.cli.nearest import nearest
from tracker.cli.schema import Key, KeyPath, build, keys, sections
from tracker.cli.values import alternatives, describe, parse, render

T = TypeVar("T")

_SHARED_EPILOG = "-v, --verbose (more messages, tracebacks) and -q, --quiet (errors only) may stand anywhere."


def parse_arguments(
    settings: type[T],
    argv: Sequence[str],
    *,
    command: str,
    summary: str,
    examples: str,
    config: bool | type[Any] = False,
) -> T:
    """Settings from defaults, then the file of `--config` (where the command takes one), then flags.

    Args:
        settings: the dataclass.
        argv: the words of the command line.
        command: what is run, for messages.
        summary: what it does, for the help.
        examples: lines for the help.
        config: whether it takes `--config`; a dataclass where a file may hold the keys of others as well, which are
            checked and left alone.

    Raises:
        UsageError: a flag, a value or the file is wrong.
        SystemExit: help was asked for; status 0.
    """
    everything = "--help-all" in argv
    parser = _Parser(command, summary, examples)
    if sections(settings):
        parser.add_argument("--help-all", action="store_true", help="show every configuration key as a flag, and exit")
    if config:
        parser.add_argument("--config", type=Path, metavar="FILE", help="a YAML file; flags override its keys")
    for title, members in _grouped(settings).items():
        group = parser.add_argument_group(f"{title} options") if title else parser
        for key in members:
            _add_flag(group, key, hidden=bool(title) and not everything)
    if everything:
        parser.print_help()
        raise SystemExit(0)
    given = vars(parser.parse_strictly(argv))
    values: dict[KeyPath, Any] = {}
    file = given.pop("config", None)
    if file is not None:
        known = {key.path for key in keys(settings)}
        held = load_config(file, config if isinstance(config, type) else settings)
        values |= {path: value for path, value in held.items() if path in known}
    values |= {tuple(name.split(".")): value for name, value in given.items() if name != "help_all"}
    try:
        return build(settings, values)
    except ValueError as error:  # a check that a dataclass makes of its own values
        raise UsageError(str(error)) from error


class _Parser(argparse.ArgumentParser):
    """argparse that raises UsageError, and suggests the nearest flag for an unknown one."""

    def __init__(self, command: str, summary: str, examples: str) -> None:
        super().__init__(
            prog=f"reidtrack {command}",
            description=summary,
            epilog=f"examples:\n{examples}\n\n{_SHARED_EPILOG}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,  # an abbreviation that works today may be ambiguous tomorrow
            argument_default=argparse.SUPPRESS,  # only what was given overrides the file
        )

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see {self.prog} --help)")

    def parse_strictly(self, argv: Sequence[str]) -> argparse.Namespace:
        """Parse all of `argv`, or raise UsageError."""
        words = itertools.takewhile(lambda word: word != "--", argv)  # what follows is given by its place
        unknown = next((word for word in words if word.startswith("--") and not self._knows(word)), None)
        if unknown is not None:
            name = unknown.split("=")[0]
            self.error(f"unknown option {name}{nearest(name, self._option_string_actions)}")
        given, rest = self.parse_known_args(argv)
        if rest:
            hint = "; quote a glob, so that the shell leaves it alone" if Path(rest[0]).exists() else ""
            self.error(f"unexpected argument {rest[0]!r}{hint}")
        return given

    def _knows(self, word: str) -> bool:
        return word.split("=")[0] in self._option_string_actions


def _grouped(settings: type[Any]) -> dict[str, list[Key]]:
    groups: dict[str, list[Key]] = {"": []}
    for key in keys(settings):
        groups.setdefault(".".join(key.path[:-1]), []).append(key)
    return groups


def _add_flag(group: Any, key: Key, *, hidden: bool) -> None:
    help_text = argparse.SUPPRESS if hidden else _help(key)
    required = key.default is MISSING
    if key.metadata.get("positional") and key.hint == tuple[Path, ...]:
        group.add_argument(key.name, type=Path, nargs="+", metavar=key.metadata["metavar"], help=help_text)
    elif key.metadata.get("positional"):
        optional: dict[str, Any] = {} if required else {"nargs": "?"}
        group.add_argument(key.name, type=_converter(key), metavar=key.metadata["metavar"], help=help_text, **optional)
    elif key.hint is bool:
        group.add_argument(key.flag, dest=key.name, action=argparse.BooleanOptionalAction, help=help_text)
    elif key.metadata.get("many"):
        group.add_argument(
            key.flag,
            dest=key.name,
            action="extend",  # a second `--tracks` adds to the first
            type=Path,
            nargs="+",
            metavar=_metavar(key),
            help=help_text,
            required=required,
        )
    else:
        group.add_argument(
            key.flag,
            dest=key.name,
            action=_Add if _is_list(key.hint) else "store",
            type=_converter(key),
            metavar=_metavar(key),
            help=help_text,
            required=required,
        )


class _Add(argparse.Action):
    """A second `--save` adds to the first, and an empty one takes all back."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002 - as argparse calls it
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,  # noqa: ARG002
    ) -> None:
        before = getattr(namespace, self.dest, None) or ()
        setattr(namespace, self.dest, (*before, *values) if values else values)


def _is_list(hint: Any) -> bool:
    return any(typing.get_origin(option) is tuple and ... in typing.get_args(option) for option in alternatives(hint))


def _converter(key: Key) -> Callable[[str], Any]:
    def convert(text: str) -> Any:
        try:
            return parse(text, key.hint)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return convert


def _metavar(key: Key) -> str:
    given = key.metadata.get("metavar")
    if given:
        return str(given)
    text = describe(key.hint)
    if text.startswith("one of "):
        return "{" + text.removeprefix("one of ").replace(", ", ",").replace(" or none", ",none") + "}"
    return "LIST" if "list" in text else "NUMBER" if "number" in text else "TEXT"


def _help(key: Key) -> str:
    doc = key.doc.replace("%", "%%")
    if key.default is MISSING or key.metadata.get("positional"):
        return doc
    default = render(key.default).strip("[]").replace(", ", ",").replace("%", "%%")  # as a flag takes it
    return f"{doc} (default: {default})" if default and key.default is not None else doc

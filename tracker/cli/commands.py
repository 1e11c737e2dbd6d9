"""A table of commands: its overview, and handing over to the one that is called."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence

from tracker.cli.context import Context
from tracker.cli.errors import UsageError
from tracker.cli.nearest import nearest

Commands = Mapping[str, tuple[str, str]]
"""Name -> (module with `run(argv, context) -> int`, one line for the overview); modules are imported when called."""


def run_command(commands: Commands, words: Sequence[str], context: Context, *, overview: str, group: str = "") -> int:
    """Hand over to the command that the first word names, or show the overview; the exit code.

    Args:
        commands: the table.
        words: name and arguments of the command.
        context: what every command is given.
        overview: text of the help.
        group: words before the name, ended by a blank, for messages.

    Raises:
        UsageError: there is no such command.
    """
    if words and words[0] in ("-h", "--help", "help"):
        sys.stdout.write(overview + "\n")
        return 0
    if not words:
        sys.stderr.write(overview + "\n")
        return 2
    name, *rest = words
    if name not in commands:
        known = ", ".join(commands)
        raise UsageError(f"unknown command {group + name!r}{nearest(name, commands)} (commands: {known})")
    code: int = importlib.import_module(commands[name][0]).run(rest, context)
    return code


def run_group(
    commands: Commands, words: Sequence[str], context: Context, *, name: str, about: str, examples: str
) -> int:
    """Hand over to a command of a group, such as `reid`, or show the group's overview; the exit code.

    Args:
        commands: the table.
        words: name and arguments of the command.
        context: what every command is given.
        name: of the group.
        about: what the group is for.
        examples: calls, a line each.

    Raises:
        UsageError: there is no such command.
    """
    overview = (
        f"usage: reidtrack {name} [-h] COMMAND ...\n\n{about}\n\ncommands:\n{listing(commands)}\n\n"
        f"examples:\n{examples}\n\n`reidtrack {name} COMMAND --help` explains each command."
    )
    return run_command(commands, words, context, overview=overview, group=f"{name} ")


def listing(commands: Commands) -> str:
    """One line a command, for an overview."""
    width = max(len(name) for name in commands)
    return "\n".join(f"  {name:<{width}}  {summary}" for name, (_, summary) in commands.items())

"""YAML configuration files: every key is a field of the settings, anything else is refused with its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tracker.cli.errors import UsageError
from tracker.cli.nearest import nearest
from tracker.cli.schema import Key, KeyPath, build, keys
from tracker.cli.values import alternatives, describe, parse, parse_items

_NULL_TAG = "tag:yaml.org,2002:null"


def load_config(path: Path, settings: type[Any]) -> dict[KeyPath, Any]:
    """The keys that a YAML file gives, typed and checked against the settings dataclass.

    Raises:
        UsageError: the file cannot be read, is not a mapping, holds an unknown or doubled key, or a wrong value; the
            message names file, line, key and, for an unknown key, the nearest one that exists.
    """
    root = _compose(path)
    if root is None:
        return {}
    reader = _Reader(path, {key.path: key for key in keys(settings) if key.in_file})
    values = reader.read_mapping(root, ())
    try:
        build(settings, {**_placeholders(settings), **values})
    except ValueError as error:  # a check that a dataclass makes of its own values
        raise UsageError(f"{path}: {error}") from error
    return values


def _compose(path: Path) -> yaml.Node | None:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"config file {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"config file {path} must be UTF-8 text: {error}") from error
    try:
        node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise UsageError(f"config file {path} is not YAML: {' '.join(str(error).split())}") from error
    return node


def _placeholders(settings: type[Any]) -> dict[KeyPath, Any]:
    """Something for the keys that only the command line can give, so that the file can be checked alone."""
    return {key.path: None for key in keys(settings) if not key.in_file}


class _Reader:
    """Walks the nodes of one file."""

    def __init__(self, path: Path, known: dict[KeyPath, Key]) -> None:
        self._path = path
        self._known = known

    def read_mapping(self, node: yaml.Node, prefix: KeyPath) -> dict[KeyPath, Any]:
        if not isinstance(node, yaml.MappingNode):
            what = ".".join(prefix) or "the file"
            raise self._error(node, f"{what} must be a mapping of keys to values, got {_show(node)}")
        values: dict[KeyPath, Any] = {}
        seen: set[str] = set()
        for key_node, value_node in node.value:
            name = str(key_node.value)
            path = (*prefix, name)
            if name in seen:
                raise self._error(key_node, f"key {'.'.join(path)} is given twice")
            seen.add(name)
            values |= self._read_entry(key_node, value_node, path)
        return values

    def _read_entry(self, key_node: yaml.Node, value_node: yaml.Node, path: KeyPath) -> dict[KeyPath, Any]:
        if path in self._known:
            return {path: self._read_value(value_node, self._known[path])}
        if any(known[: len(path)] == path for known in self._known):
            return self.read_mapping(value_node, path)
        siblings = sorted({known[len(path) - 1] for known in self._known if known[: len(path) - 1] == path[:-1]})
        hint = nearest(path[-1], siblings) or f"; known here: {', '.join(siblings)}"
        raise self._error(key_node, f"unknown key {'.'.join(path)}{hint}")

    def _read_value(self, node: yaml.Node, key: Key) -> Any:
        try:
            if isinstance(node, yaml.ScalarNode):
                quoted = node.style in ("'", '"')
                if node.tag == _NULL_TAG and not quoted:
                    return _null(key)
                return parse(node.value, key.hint)
            if isinstance(node, yaml.SequenceNode) and all(isinstance(item, yaml.ScalarNode) for item in node.value):
                return parse_items([item.value for item in node.value], key.hint)
            raise ValueError(f"must be {describe(key.hint)}, got {_show(node)}")
        except ValueError as error:
            raise self._error(node, f"{key.name} {error}") from error

    def _error(self, node: yaml.Node, message: str) -> UsageError:
        return UsageError(f"{self._path}:{node.start_mark.line + 1}: {message}")


def _null(key: Key) -> None:
    if type(None) not in alternatives(key.hint):
        raise ValueError(f"must be {describe(key.hint)}, got nothing")


def _show(node: yaml.Node) -> str:
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    return repr(node.value)

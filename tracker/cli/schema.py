"""Settings as a tree of frozen dataclasses, seen as a flat list of keys: the one source of flags, files and reference.

A field is documented once, by the string below it; `--help`, the YAML loader's messages and docs/configuration.md all
read it here.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import sys
import textwrap
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")
D = TypeVar("D", bound="DataclassInstance")
KeyPath = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Key:
    """One setting that a user may give, in a file or as a flag."""

    path: KeyPath
    """Names from the root, such as `("tracker", "max_age_s")`."""
    hint: Any
    """The type its value must have, resolved."""
    default: Any
    """What it is where nobody says anything; MISSING where it must be given."""
    doc: str
    """What it means, in one paragraph."""
    metadata: Mapping[str, Any]
    """How it may be given: see `argument` and `flag_only`."""

    @property
    def name(self) -> str:
        """As written in messages and in the reference: `tracker.max_age_s`."""
        return ".".join(self.path)

    @property
    def flag(self) -> str:
        """As written on the command line: `--tracker.max-age-s`."""
        return "--" + self.name.replace("_", "-")

    @property
    def in_file(self) -> bool:
        """Whether a configuration file may hold it."""
        return not (self.metadata.get("positional") or self.metadata.get("flag_only"))


def argument(metavar: str) -> Mapping[str, Any]:
    """Metadata of a field that is given by its place on the command line, not by a flag."""
    return {"positional": True, "metavar": metavar}


def flag_only(metavar: str | None = None, *, many: bool = False) -> Mapping[str, Any]:
    """Metadata of a field that belongs to one call, so not into a file; `many`: the flag takes several words."""
    return {"flag_only": True, "metavar": metavar, "many": many}


def keys(settings: type[Any]) -> tuple[Key, ...]:
    """Every key of a settings dataclass in the order of the source, nested dataclasses opened up."""
    found: list[Key] = []
    hints = typing.get_type_hints(settings)
    docs = attribute_docs(settings)
    for field in dataclasses.fields(settings):
        if not field.init:
            continue
        hint = hints[field.name]
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            below = keys(hint)
            found += [dataclasses.replace(key, path=(field.name, *key.path)) for key in below]
            continue
        found.append(Key((field.name,), hint, _default(field), docs.get(field.name, ""), field.metadata))
    return tuple(found)


def sections(settings: type[Any]) -> dict[str, type[Any]]:
    """The fields that are groups of keys: their names and dataclasses."""
    hints = typing.get_type_hints(settings)
    return {
        field.name: hints[field.name]
        for field in dataclasses.fields(settings)
        if dataclasses.is_dataclass(hints[field.name])
    }


def build(settings: type[T], values: Mapping[KeyPath, Any]) -> T:
    """Make the settings from the keys that were given; all others keep their defaults.

    Raises:
        ValueError: a dataclass refused a value (its own check), or a key without a default is missing.
    """
    nested = sections(settings)
    given: dict[str, Any] = {path[0]: value for path, value in values.items() if len(path) == 1}
    for name, kind in nested.items():
        inner = {path[1:]: value for path, value in values.items() if path[0] == name and len(path) > 1}
        if inner:
            given[name] = _build_section(name, kind, inner)
    return settings(**given)


def _build_section(name: str, kind: type[T], values: Mapping[KeyPath, Any]) -> T:
    try:
        return build(kind, values)
    except ValueError as error:  # a check that names the field alone: `conf` may be that of another section
        text = str(error)
        raise ValueError(text if text.startswith(f"{name}.") else f"{name}.{text}") from error


def part_of(settings: object, base: type[D]) -> D:
    """The fields that settings inherit from a dataclass, alone: what the library is told."""
    return base(**{field.name: getattr(settings, field.name) for field in dataclasses.fields(base)})


def attribute_docs(cls: type[Any]) -> dict[str, str]:
    """The strings below the fields of a dataclass and of its bases, white space folded.

    Python drops them when compiling, so they are read from the source.
    """
    docs: dict[str, str] = {}
    for kind in reversed(cls.__mro__):
        if not dataclasses.is_dataclass(kind) or kind.__module__ not in sys.modules:
            continue
        body = _class_body(kind)
        for statement, below in itertools.pairwise(body):
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                text = _string(below)
                if text is not None:
                    docs[statement.target.id] = " ".join(text.split())
    return docs


def _class_body(cls: type[Any]) -> list[ast.stmt]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    node = tree.body[0]
    assert isinstance(node, ast.ClassDef)
    return node.body


def _string(statement: ast.stmt) -> str | None:
    value = statement.value if isinstance(statement, ast.Expr) else None
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return field.default

"""What an ONNX file would do beyond its own bytes, found by reading it: other files it names, operators of others.

The package `onnx` is no runtime dependency, so the few fields that matter are read off the protobuf wire format
(protobuf.dev, "Encoding"; field numbers from onnx.proto3 of ONNX 1.16). Nothing of the content is interpreted further:
onnxruntime checks the rest when it loads the file.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath

from reid.errors import ModelError

# Domains whose operators onnxruntime brings itself; "" is ONNX's own.
_KNOWN_DOMAINS = frozenset(
    (
        *("", "ai.onnx", "ai.onnx.ml", "ai.onnx.preview", "ai.onnx.training", "ai.onnx.preview.training"),
        *("com.microsoft", "com.microsoft.nchwc", "com.microsoft.experimental", "com.ms.internal.nhwc"),
    )
)
_DEEPEST = 64  # graphs inside graphs (If, Loop): deeper is no model but an attack on the stack
_EXTERNAL = 1  # TensorProto.DataLocation
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types; the others have been out of use for 20 years


@dataclass(slots=True)
class OnnxContents:
    """What `read_contents` found."""

    external_files: set[str] = field(default_factory=set)
    """Names of other files, as the model has them, in which it keeps weights."""
    custom_operators: set[str] = field(default_factory=set)
    """`domain::name` of operators that neither ONNX, nor onnxruntime, nor the file itself defines."""


def read_contents(path: Path) -> OnnxContents:
    """Walk over a model file.

    Raises:
        ModelError: the file is no ONNX model, or is cut off.
    """
    with path.open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)  # freed with the last view of it
    walk = _Walk()
    try:
        walk.model(memoryview(data))
    except (_MalformedError, UnicodeDecodeError) as error:
        raise ModelError(
            f"model {path} is not an ONNX file, or is cut off: export, copy or download it again"
        ) from error
    return walk.contents()


def external_paths(path: Path, names: set[str]) -> tuple[Path, ...]:
    """The files of these names beside the model at `path`, sorted.

    Raises:
        ModelError: one is missing, or lies outside the model's folder.
    """
    folder = path.parent.resolve()
    found = []
    for name in sorted(names):
        file = (folder / name).resolve()
        anchored = PurePosixPath(name).anchor or PureWindowsPath(name).anchor
        if anchored or not file.is_relative_to(folder):
            raise ModelError(f"model {path} must keep its weights beside itself, it names the file {name!r}")
        if not file.is_file():
            raise ModelError(f"model {path} keeps its weights in {name!r}, and there is no such file beside it")
        found.append(file)
    return tuple(found)


class _MalformedError(Exception):
    """The bytes are no protobuf message of this kind."""


class _Walk:
    """One pass over a model: remembers what is used and what is defined."""

    def __init__(self) -> None:
        self._external: set[str] = set()
        self._used: set[tuple[str, str]] = set()
        self._defined: set[tuple[str, str]] = set()

    def contents(self) -> OnnxContents:
        foreign = {(d, n) for d, n in self._used - self._defined if d not in _KNOWN_DOMAINS}
        return OnnxContents(self._external, {f"{domain}::{name}" for domain, name in foreign})

    def model(self, view: memoryview) -> None:
        graphs = 0
        for number, value in _fields(view):
            if number == 7:  # graph
                self._graph(_message(value), 0)
                graphs += 1
            elif number == 25:  # functions that the file defines itself
                self._function(_message(value))
        if not graphs:
            raise _MalformedError("no graph")

    def _graph(self, view: memoryview, depth: int) -> None:
        if depth > _DEEPEST:
            raise _MalformedError("too deep")
        for number, value in _fields(view):
            if number == 1:
                self._node(_message(value), depth)
            elif number == 5:  # initializer
                self._tensor(_message(value))
            elif number == 15:  # sparse_initializer
                self._sparse(_message(value))

    def _function(self, view: memoryview) -> None:
        name = domain = ""
        for number, value in _fields(view):
            if number == 1:
                name = _text(value)
            elif number == 10:
                domain = _text(value)
            elif number == 7:
                self._node(_message(value), 0)
            elif number == 11:  # attribute_proto: defaults
                self._attribute(_message(value), 0)
        self._defined.add((domain, name))

    def _node(self, view: memoryview, depth: int) -> None:
        name = domain = ""
        for number, value in _fields(view):
            if number == 4:
                name = _text(value)
            elif number == 7:
                domain = _text(value)
            elif number == 5:
                self._attribute(_message(value), depth)
        self._used.add((domain, name))

    def _attribute(self, view: memoryview, depth: int) -> None:
        for number, value in _fields(view):
            if number in (5, 10):  # t, tensors
                self._tensor(_message(value))
            elif number in (6, 11):  # g, graphs
                self._graph(_message(value), depth + 1)
            elif number in (22, 23):  # sparse_tensor, sparse_tensors
                self._sparse(_message(value))

    def _sparse(self, view: memoryview) -> None:
        for number, value in _fields(view):
            if number in (1, 2):  # values, indices
                self._tensor(_message(value))

    def _tensor(self, view: memoryview) -> None:
        location = ""
        outside = False
        for number, value in _fields(view):
            if number == 14:  # data_location
                outside = value == _EXTERNAL
            elif number == 13:  # external_data: pairs of key and value
                entry = {part: _text(text) for part, text in _fields(_message(value)) if part in (1, 2)}
                if entry.get(1) == "location":
                    location = entry.get(2, "")
        if outside or location:
            self._external.add(location)


def _fields(view: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Number and value of each field of a message; fixed-width values, which no field of interest has, as 0."""
    place, end = 0, len(view)
    while place < end:
        key, place = _varint(view, place)
        number, wire = key >> 3, key & 7
        if number == 0:
            raise _MalformedError("field 0")
        if wire == _VARINT:
            value, place = _varint(view, place)
            yield number, value
        elif wire == _BYTES:
            size, place = _varint(view, place)
            if size > end - place:
                raise _MalformedError("cut off")
            yield number, view[place : place + size]
            place += size
        elif wire in (_FIXED64, _FIXED32):
            place += 8 if wire == _FIXED64 else 4
            if place > end:
                raise _MalformedError("cut off")
            yield number, 0
        else:
            raise _MalformedError("wire type")


def _varint(view: memoryview, place: int) -> tuple[int, int]:
    """A number in 7 bits a byte, lowest first, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(view):
            raise _MalformedError("cut off")
        byte = view[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise _MalformedError("number of more than 10 bytes")


def _message(value: memoryview | int) -> memoryview:
    if isinstance(value, int):
        raise _MalformedError("a number where a message should be")
    return value


def _text(value: memoryview | int) -> str:
    return bytes(_message(value)).decode()

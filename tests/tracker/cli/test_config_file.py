from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from tracker.cli.config_file import load_config
from tracker.cli.errors import UsageError
from tracker.cli.schema import argument, attribute_docs, build, flag_only, keys


@dataclass(frozen=True, slots=True)
class Inner:
    """Nested settings."""

    max_age_s: float = 2.0
    """How long,
    in seconds."""
    mean: tuple[float, float, float] | None = None
    """Mean colour."""

    def __post_init__(self) -> None:
        if self.max_age_s < 0:
            raise ValueError(f"inner.max_age_s must be 0 or more, got {self.max_age_s}")


@dataclass(frozen=True, slots=True)
class Outer:
    """Settings."""

    source: str = field(metadata=argument("SOURCE"))
    """Where from."""
    out: Path | None = field(default=None, metadata=flag_only("DIR"))
    """Where to."""
    save: tuple[Literal["video", "mot"], ...] = ("video",)
    """What."""
    title: str = "a"
    """Text."""
    show: bool = False
    """Window."""
    inner: Inner = field(default_factory=Inner)
    """Group."""


def write(folder: Path, text: str) -> Path:
    path = folder / "job.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_keys_are_typed_and_nested(tmp_path: Path) -> None:
    path = write(tmp_path, "save: [mot]\nshow: yes\ntitle: 1:30\ninner:\n  max_age_s: 3\n  mean: [1, 2, 3]\n")
    values = load_config(path, Outer)
    settings = build(Outer, {**values, ("source",): "x"})
    assert settings == Outer("x", None, ("mot",), "1:30", True, Inner(3.0, (1.0, 2.0, 3.0)))


@pytest.mark.parametrize("text", ["", "# nothing but a comment\n"])
def test_an_empty_file_changes_nothing(tmp_path: Path, text: str) -> None:
    assert load_config(write(tmp_path, text), Outer) == {}


def test_null_and_a_comma_list_are_read_like_a_flag(tmp_path: Path) -> None:
    values = load_config(write(tmp_path, "save: video,mot\ninner: {mean: null}\n"), Outer)
    assert values == {("save",): ("video", "mot"), ("inner", "mean"): None}


BAD_FILES = [
    ("sav: [mot]\n", "job.yaml:1: unknown key sav; did you mean save?"),
    ("title: x\ninner:\n  max_age: 3\n", "job.yaml:3: unknown key inner.max_age; did you mean max_age_s?"),
    ("zzzz: 1\n", "job.yaml:1: unknown key zzzz; known here: inner, save, show, title"),
    ("source: x\n", "job.yaml:1: unknown key source"),  # an argument of one call, not a setting
    ("out: x\n", "job.yaml:1: unknown key out"),
    ("show: yes\nshow: no\n", "job.yaml:2: key show is given twice"),
    ("- a\n- b\n", "job.yaml:1: the file must be a mapping of keys to values, got a list"),
    ("text\n", "job.yaml:1: the file must be a mapping of keys to values, got 'text'"),
    ("inner: 3\n", "job.yaml:1: inner must be a mapping of keys to values, got '3'"),
    ("inner:\n  max_age_s: long\n", "job.yaml:2: inner.max_age_s must be a number, got 'long'"),
    ("inner:\n  max_age_s:\n", "job.yaml:2: inner.max_age_s must be a number, got nothing"),
    ("inner:\n  max_age_s: [1]\n", "job.yaml:2: inner.max_age_s must be a number, got [1]"),
    ("inner:\n  max_age_s: {a: 1}\n", "job.yaml:2: inner.max_age_s must be a number, got a mapping"),
    ("inner:\n  max_age_s: .nan\n", "job.yaml:2: inner.max_age_s must be a number, got '.nan'"),
    ("inner:\n  mean: [1, 2]\n", "job.yaml:2: inner.mean must be a list of 3 values or none, got [1, 2]"),
    ("save: [video, mp4]\n", "job.yaml:1: save must be a list (one of video, mot each), got [video, mp4]"),
    ("show: perhaps\n", "job.yaml:1: show must be true or false, got 'perhaps'"),
    ("inner:\n  max_age_s: -1\n", "job.yaml: inner.max_age_s must be 0 or more, got -1.0"),
    ("a: [1\n", "job.yaml is not YAML: while parsing a flow sequence"),
    ("a: 1\n\tb: 2\n", "job.yaml is not YAML: while scanning for the next token"),
]


@pytest.mark.parametrize(("text", "message"), BAD_FILES)
def test_bad_files_are_refused_with_line_and_cure(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_config(write(tmp_path, text), Outer)
    assert message in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nothing\.yaml cannot be read: No such file or directory"):
        load_config(tmp_path / "nothing.yaml", Outer)


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="must be UTF-8 text"):
        load_config(path, Outer)


def test_field_documentation_is_read_from_the_source() -> None:
    assert attribute_docs(Inner) == {"max_age_s": "How long, in seconds.", "mean": "Mean colour."}


def test_keys_know_their_place_flag_and_default() -> None:
    by_name = {key.name: key for key in keys(Outer)}
    assert list(by_name) == ["source", "out", "save", "title", "show", "inner.max_age_s", "inner.mean"]
    key = by_name["inner.max_age_s"]
    assert (key.flag, key.default, key.doc) == ("--inner.max-age-s", 2.0, "How long, in seconds.")
    assert [name for name, key in by_name.items() if not key.in_file] == ["source", "out"]

"""Which model is live, whatever happens to the files."""

from __future__ import annotations

import errno
import json
import logging
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from registries import MakeModels, again, check_whole, folder_of, numbers

from reid import ModelError
from reid.online.registry import ModelRegistry
from reid.online.registry_state import RegistryState, state_from_history

DAMAGE: dict[str, Callable[[str], str]] = {
    "empty": lambda text: "",
    "cut": lambda text: text[: len(text) // 2],
    "zeros": lambda text: "\0" * len(text),
    "no object": lambda text: "[1, 2]",
    "deep": lambda text: "[" * 100000,
    "other schema": lambda text: text.replace("reidtrack.online.models", "somebody.elses"),
    "unknown number": lambda text: text.replace('"number": 4', '"number": 7', 1),
    "no time": lambda text: text.replace('"since_unix_s": ', '"since_unix_s": NaN, "x": '),
}


@pytest.mark.parametrize("kind", [*DAMAGE, "missing", "folder"])
def test_without_current_json_the_history_says_who_was_live(
    registry: ModelRegistry, model: MakeModels, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    for number in (1, 2, 3):
        registry.admit(model(number))
    registry.roll_back("worse")
    registry.admit(model(4))
    path = registry.folder.current
    text = path.read_text()
    path.unlink()
    if kind == "folder":
        path.mkdir()
        with pytest.raises(OSError, match=r"current\.json"):
            registry.current()  # nothing can be made live there, and nobody pretends so
        path.rmdir()
    elif kind != "missing":
        path.write_text(DAMAGE[kind](text))
    with caplog.at_level(logging.WARNING):
        assert registry.current().number == 4
    assert "current.json" in caplog.text
    assert registry.folder.history.read()[-1]["event"] == "fell_back"
    assert [bad.number for bad in registry.quarantined] == [3]
    assert numbers(registry) == [0, 1, 2, 3, 2, 4]
    assert registry.admit(model(5)) == 5
    check_whole(again(registry))


@pytest.mark.parametrize("kind", ["missing", "other bytes", "another model"])
def test_a_damaged_file_falls_back_to_the_newest_sound_one_that_was_live(
    registry: ModelRegistry, model: MakeModels, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    for number in (1, 2, 3, 4):
        registry.admit(model(number))
    registry.roll_back("worse")  # 3 is live, then 2 was, 4 is quarantined
    for number in (3, 2):
        if kind == "missing":
            registry.path(number).unlink()
        else:
            registry.path(number).write_bytes(b"?" if kind == "other bytes" else model(9).read_bytes())
    with caplog.at_level(logging.WARNING):
        assert again(registry).current().number == 0  # 1 is not kept beside 4, 3, 2
    assert "model 0 is live" in caplog.text
    assert registry.folder.history.read()[-1]["event"] == "fell_back"
    assert registry.history[-1].why == "fell_back"
    assert registry.admit(model(5)) == 5
    assert registry.roll_back("worse") == 0


def test_a_base_that_is_damaged_is_copied_again_where_it_still_is(model: MakeModels, tmp_path: Path) -> None:
    base = model(0)
    registry = ModelRegistry(folder_of(tmp_path / "online", base), base=base)
    registry.path(0).write_bytes(b"?")
    assert registry.current().number == 0
    check_whole(registry)
    base.unlink()
    registry.path(0).unlink()
    with pytest.raises(ModelError, match="no sound model is left"):
        registry.current()


@pytest.mark.parametrize("base_is_there", [True, False])
def test_with_nothing_left_but_the_models_the_base_is_live(
    registry: ModelRegistry, model: MakeModels, base_is_there: bool
) -> None:
    for number in (1, 2):
        registry.admit(model(number))
    registry.folder.current.unlink()
    registry.folder.history.path.unlink()
    if base_is_there:
        opened = again(registry)
        assert opened.current().number == 0
        assert opened.admit(model(3)) == 3  # no number twice
    else:
        next(registry.folder.models.glob("0-*")).unlink()
        with pytest.raises(ModelError, match="needed again"):
            again(registry)


def test_a_history_that_forgot_its_beginning_still_leads_to_the_base(
    registry: ModelRegistry, model: MakeModels
) -> None:
    registry.admit(model(1))
    lines = registry.folder.history.path.read_text().splitlines(keepends=True)
    registry.folder.history.path.write_text("{half a line\n" + lines[1])
    registry.folder.current.unlink()
    next(registry.folder.models.glob("1-*")).unlink()
    assert registry.current().number == 0


def test_the_last_change_outlives_the_older_half_of_the_history(
    registry: ModelRegistry, model: MakeModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.admit(model(1))
    history = registry.folder.history
    told = history.read()[-1]
    monkeypatch.setattr(history, "_most_bytes", 3000)
    monkeypatch.setattr(history, "_clock", lambda: time.time() + 3600)
    for number in range(100):
        history.append("refused", round=number, reason="it was no better")
    known = history.read()
    assert [event for event in known if "change" in event] == [told], "at its own time"
    assert known[0] == told
    assert history.path.stat().st_size <= 3000
    assert again(registry).current().number == 1
    assert history.read() == known, "nothing is told twice"
    registry.folder.current.write_bytes(b"\0" * 100)
    assert again(registry).current().number == 1
    assert registry.path(1).exists()
    assert registry.admit(model(2)) == 2


def test_a_change_that_could_not_be_told_is_told_later_with_the_time_at_which_it_was(
    registry: ModelRegistry, model: MakeModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    registry.admit(model(1))
    history = registry.folder.history
    with monkeypatch.context() as patch:
        patch.setattr(history, "append", full)
        registry.roll_back("it was worse")
    ended = time.time()
    monkeypatch.setattr(history, "_clock", lambda: ended + 3600)
    history.append("refused", round=1, reason="it was no better")
    again(registry)
    last = history.read()[-1]
    assert last["event"] == "rolled_back"
    assert last["unix_s"] <= ended


def test_a_clock_that_steps_back_changes_no_order(model: MakeModels, tmp_path: Path) -> None:
    base, times = model(0), iter([1000.0 - 10 * k for k in range(100)])
    registry = ModelRegistry(folder_of(tmp_path / "online", base), base=base, clock=lambda: next(times))
    registry.admit(model(1))
    registry.admit(model(2))
    since = [period.since_unix_s for period in registry.history]
    assert since == sorted(since, reverse=True)
    assert registry.roll_back("worse") == 1
    registry.folder.current.unlink()
    assert registry.current().number == 1
    check_whole(registry)


def test_the_history_alone_tells_what_current_json_told(registry: ModelRegistry, model: MakeModels) -> None:
    for number in (1, 2):
        registry.admit(model(number), {"gain": number}, window=(0.0, number))
    registry.roll_back("worse")
    known, told = registry._state(), state_from_history(registry.folder.history.read())
    assert told is not None
    assert replace(told.kept(3), event={}) == replace(known, event={})
    assert RegistryState.from_json(known.to_json()) == known
    assert state_from_history([{"event": "harvested", "crops": 7}, {"event": "admitted"}]) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = ("schema", "version", "number", "change", "next_number", "models", "live", "quarantined", "event")


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.sampled_from(KEYS), inner=st.sampled_from(["number", "sha256", "window", "why", None]), value=JSON)
def test_any_content_is_read_or_refused(key: str, inner: str | None, value: Any) -> None:
    state = state_from_history([{"event": "begun", "change": 1, "reason": "", "since_unix_s": 1.0,
                                 "model": {"number": 0, "sha256": "ab" * 32}}])  # fmt: skip
    assert state is not None
    content = json.loads(state.to_json())
    if inner is None or key not in ("models", "live"):
        content[key] = value
    else:
        content[key][0][inner] = value
    try:
        read = RegistryState.from_json(json.dumps(content))
    except ModelError:
        return
    model = read.model(read.number)
    assert model is not None
    assert model.sha256 == read.live[-1].sha256
    assert "/" not in model.file


@pytest.mark.parametrize("write", range(8))
def test_a_full_disk_at_any_moment_leaves_what_was_or_what_shall_be(
    registry: ModelRegistry, model: MakeModels, monkeypatch: pytest.MonkeyPatch, write: int
) -> None:
    registry.admit(model(1))
    real, calls = os.fsync, iter(range(1000))

    def full(file: int) -> None:
        if next(calls) == write:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(file)

    monkeypatch.setattr(os, "fsync", full)
    try:
        number = registry.admit(model(2))
    except OSError:
        number = 1
    monkeypatch.setattr(os, "fsync", real)
    assert registry.current().number == number
    assert again(registry).current().number == number
    assert registry.admit(model(2)) == 2
    check_whole(registry)

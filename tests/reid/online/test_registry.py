"""Which model is live, whatever happens to the files and to those who write them."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reid import Card, InputError, ModelError
from reid.card import METADATA_KEY
from reid.online import BaseModel, OnlineFolder
from reid.online.registry import ModelRegistry, RegistryConfig
from reid.online.registry_state import RegistryState, state_from_history

sys.path.insert(0, os.path.dirname(__file__))  # noqa: PTH120
from changes import NAME, TEMPLATE, variant

MakeModels = Callable[[int], Path]


@pytest.fixture
def model(make_model: Any, tmp_path: Path) -> MakeModels:
    """`model(number)` is a sound model; each number is another one."""
    card = Card(NAME.decode(), 8, 4, 3, weights_hash=None)
    data = make_model(metadata={METADATA_KEY: card.to_json()}, name="template.onnx").read_bytes()

    def make(number: int) -> Path:
        path = tmp_path / f"candidate-{number}.onnx"
        path.write_bytes(variant(data, number))
        return path

    return make


def folder_of(path: Path, base: Path) -> OnlineFolder:
    return OnlineFolder.make(path, BaseModel("base", hashlib.sha256(base.read_bytes()).hexdigest()))


@pytest.fixture
def registry(model: MakeModels, tmp_path: Path) -> ModelRegistry:
    base = model(0)
    made = ModelRegistry(folder_of(tmp_path / "online", base), base=base)
    base.unlink()  # the registry must live on its own copy
    return made


def files(registry: ModelRegistry) -> list[str]:
    return sorted(path.name for path in registry.folder.models.iterdir() if path.name != "lock")


def numbers(registry: ModelRegistry) -> list[int]:
    return [period.number for period in registry.history]


def again(registry: ModelRegistry) -> ModelRegistry:
    """As another process finds it."""
    return ModelRegistry(OnlineFolder.open(registry.folder.path), config=registry.config)


def check_whole(registry: ModelRegistry) -> None:
    """What must hold at every moment at which somebody looks."""
    current, state = registry.current(), registry._state()
    assert hashlib.sha256(current.path.read_bytes()).hexdigest() == current.sha256
    assert numbers(registry)[-1] == current.number == state.number
    assert {record.number for record in registry.models} >= {0, current.number}
    bad = {each.number for each in registry.quarantined}
    assert current.number not in bad
    assert state.next_number > max(numbers(registry))
    changes = [event["change"] for event in registry.folder.history.read()]
    assert changes == list(range(1, state.change + 1))
    kept = {registry.path(record.number).stem for record in registry.models}
    assert {name.partition(".")[0] for name in files(registry)} == kept


def test_a_new_folder_has_its_base_live(registry: ModelRegistry, model: MakeModels) -> None:
    current = registry.current()
    assert (current.number, current.sha256) == (0, hashlib.sha256(model(0).read_bytes()).hexdigest())
    assert current.path.name == f"0-{current.sha256[:12]}.onnx"
    assert json.loads(registry.folder.current.read_text())["sha256"] == current.sha256
    check_whole(registry)


def test_the_base_must_be_the_one_that_the_folder_was_begun_with(registry: ModelRegistry, model: MakeModels) -> None:
    ModelRegistry(registry.folder, base=model(0))
    with pytest.raises(ModelError, match="was begun with base"):
        ModelRegistry(registry.folder, base=model(1))
    empty = OnlineFolder.make(registry.folder.path.parent / "other", BaseModel("other", "0" * 64))
    with pytest.raises(ModelError, match="needed again"):
        ModelRegistry(empty)


def test_an_admitted_model_is_live_under_the_next_number(registry: ModelRegistry, model: MakeModels) -> None:
    path = model(1)
    assert registry.admit(path, {"map_gain": 0.04}, window=(10.0, 20.0)) == 1
    path.unlink()
    current = again(registry).current()
    assert current.number == 1
    record = again(registry).models[1]
    assert (record.figures, record.window) == ({"map_gain": 0.04}, (10.0, 20.0))
    assert numbers(registry) == [0, 1]
    check_whole(registry)


def test_figures_may_be_of_any_kind_of_number(registry: ModelRegistry, model: MakeModels) -> None:
    figures = {"gain": np.float32(0.5), "low": float("nan"), "gaps": {"30": [1, np.int64(2)]}, "high": np.inf}
    registry.admit(model(1), figures)
    assert registry.models[1].figures == {"gain": 0.5, "low": None, "gaps": {"30": [1, 2]}, "high": None}
    with pytest.raises(InputError, match="figures must be what JSON can say"):
        registry.admit(model(2), {"model": object()})
    check_whole(registry)


def test_admitting_what_is_live_already_changes_nothing(registry: ModelRegistry, model: MakeModels) -> None:
    """As a worker does that was killed before it took down that it had admitted it."""
    assert [registry.admit(model(1)), registry.admit(model(1))] == [1, 1]
    assert numbers(registry) == [0, 1]
    check_whole(registry)


def test_the_card_beside_a_model_comes_along(registry: ModelRegistry, make_model: Any) -> None:
    path = make_model(name="without.onnx")
    path.with_suffix(".card.json").write_text(Card("beside", 8, 4, 3, colour="BGR").to_json())
    registry.admit(path)
    assert len(files(registry)) == 3
    check_whole(again(registry))
    next(registry.folder.models.glob("*.card.json")).write_text(Card("changed", 8, 4, 3).to_json())
    assert registry.current().number == 0


@pytest.mark.parametrize("kind", ["missing", "empty", "cut", "noise", "folder", "collapsed", "not finite"])
def test_what_is_not_sound_is_refused_and_nothing_has_changed(
    registry: ModelRegistry, model: MakeModels, make_model: Any, kind: str
) -> None:
    path = model(1)
    data = path.read_bytes()
    path.unlink()
    if kind in ("collapsed", "not finite"):
        path = make_model(gain=0.0 if kind == "collapsed" else np.inf, name="broken.onnx")
    elif kind == "folder":
        path.mkdir()
    elif kind != "missing":
        path.write_bytes({"empty": b"", "cut": data[: len(data) // 2], "noise": bytes(range(256)) * 8}[kind])
    before = registry.folder.current.read_bytes()
    with pytest.raises(ModelError):
        registry.admit(path)
    assert registry.folder.current.read_bytes() == before
    check_whole(registry)


def test_back_to_the_one_before_and_never_again_to_that_one(
    registry: ModelRegistry, model: MakeModels, caplog: pytest.LogCaptureFixture
) -> None:
    registry.admit(model(1))
    registry.admit(model(2), window=(5.0, 6.0))
    with caplog.at_level(logging.WARNING):
        assert registry.roll_back("more new identities") == 1
    assert "more new identities" in caplog.text
    assert registry.current().number == 1
    (bad,) = again(registry).quarantined
    assert (bad.number, bad.window, bad.reason) == (2, (5.0, 6.0), "more new identities")
    with pytest.raises(ModelError, match="never made live again"):
        registry.admit(model(2))
    assert registry.admit(model(3)) == 3
    assert registry.roll_back("again") == 1
    assert registry.roll_back("again") == 0
    with pytest.raises(ModelError, match="nothing was live before"):
        registry.roll_back("again")
    assert numbers(registry) == [0, 1, 2, 1, 3, 1, 0]
    check_whole(registry)


def test_the_same_weights_in_another_file_stay_in_quarantine(registry: ModelRegistry, make_model: Any) -> None:
    def with_date(day: str) -> Path:
        card = Card("again", 8, 4, 3, date=day, weights_hash="ab" * 32)
        return make_model(metadata={METADATA_KEY: card.to_json()}, name=f"{day}.onnx")

    registry.admit(with_date("2026-01-01"))
    registry.roll_back("worse")
    with pytest.raises(ModelError, match="never made live again"):
        registry.admit(with_date("2026-01-02"))


def test_a_model_that_is_live_no_more_is_quarantined_without_a_change_of_what_is(
    registry: ModelRegistry, model: MakeModels
) -> None:
    registry.admit(model(1))
    registry.admit(model(2))
    assert registry.roll_back("seen too late", number=1) == 2
    assert [bad.number for bad in registry.quarantined] == [1]
    assert registry.roll_back("worse") == 0
    assert numbers(registry) == [0, 1, 2, 0]
    with pytest.raises(ModelError, match="not kept"):
        registry.roll_back("?", number=9)
    check_whole(registry)


def test_the_last_three_and_the_base_are_kept(registry: ModelRegistry, model: MakeModels) -> None:
    (registry.folder.models / "notes.txt").write_text("mine")
    for number in range(1, 6):
        registry.admit(model(number))
    assert [record.number for record in registry.models] == [0, 3, 4, 5]
    assert [name.partition("-")[0] for name in files(registry)] == ["0", "3", "4", "5", "notes.txt"]
    assert numbers(registry) == [0, 1, 2, 3, 4, 5]
    for expected in (4, 3, 0):
        assert registry.roll_back("worse") == expected
    with pytest.raises(InputError, match="at least 2"):
        RegistryConfig(keep=1)


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


# ---- processes -------------------------------------------------------------------------------------------------------


def child(call: str, folder: Path, *arguments: int) -> subprocess.Popen[str]:
    command = [sys.executable, str(Path(__file__).with_name("changes.py")), call, str(folder), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def shelf(registry: ModelRegistry, model: MakeModels, tmp_path: Path) -> Path:
    """A folder in which child processes find their models and the online folder."""
    shutil.copy(model(0), tmp_path / TEMPLATE)
    return tmp_path


def test_killed_at_random_moments_twenty_times(registry: ModelRegistry, shelf: Path) -> None:
    rng = np.random.default_rng(5)
    for k in range(20):
        with child("admit_and_roll_back", shelf, 1 + 400 * k, 400) as process:
            assert process.stdout is not None
            for _ in range(rng.integers(1, 5)):
                assert process.stdout.readline() == "changing\n"
            time.sleep(rng.uniform(0, 0.03))
            process.send_signal(signal.SIGKILL)
        registry = again(registry)
        check_whole(registry)
    assert len(numbers(registry)) > 20  # much has happened
    assert not [event for event in registry.folder.history.read() if event["event"] == "fell_back"]


def test_killed_before_every_call_that_changes_a_file(registry: ModelRegistry, model: MakeModels, shelf: Path) -> None:
    registry.admit(model(1))
    registry.folder.path.rename(shelf / "before")
    with child("changes_killed_everywhere", shelf) as process:
        process.communicate()
    assert process.returncode == 0
    seen = []
    for path in sorted(shelf.glob("after-*")):
        found = ModelRegistry(OnlineFolder.open(path))
        check_whole(found)
        seen.append((len(found.history), found.current().number))
    assert len(seen) > 20
    assert seen == sorted(seen)  # the later it was killed, the more had happened, and nothing by half
    assert set(seen) == {(2, 1), (3, 2), (4, 1)}


def test_two_processes_take_turns(registry: ModelRegistry, shelf: Path) -> None:
    both = [child("admit_and_roll_back", shelf, first, 40) for first in (1, 101)]
    for process in both:
        process.communicate()
    assert [process.returncode for process in both] == [0, 0]
    check_whole(again(registry))
    admitted = [e["model"]["number"] for e in registry.folder.history.read() if e["event"] == "admitted"]
    assert admitted == list(range(1, len(admitted) + 1))
    assert len(admitted) > 40

"""Which model is live: what is admitted, what is refused, and the way back."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from registries import MakeModels, again, check_whole, files, numbers

from reid import Card, InputError, ModelError
from reid.card import METADATA_KEY
from reid.online import BaseModel, OnlineFolder
from reid.online.registry import ModelRegistry, RegistryConfig
from reid.online.smoke import open_checked


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


def test_a_model_is_tried_on_one_thread(
    registry: ModelRegistry, model: MakeModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = list[Any]()

    def open_noted(path: Path, **options: Any) -> Any:
        tried.append(options.get("threads"))
        return open_checked(path, **options)

    monkeypatch.setattr("reid.online.registry.open_checked", open_noted)
    registry.admit(model(1))
    registry.path(1).write_bytes(b"damaged")
    assert registry.current().number == 0
    assert tried == [1, 1], "when it was admitted, and the one that is live in its place"


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


def test_what_a_model_learned_from_is_kept_where_it_is_not_to_blame(registry: ModelRegistry, model: MakeModels) -> None:
    registry.admit(model(1), window=(10.0, 20.0))
    assert registry.roll_back("it could not be opened", keep_harvest=True) == 0
    (bad,) = again(registry).quarantined
    assert (bad.number, bad.window) == (1, None)


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


def test_who_rolls_back_deletes_no_model_that_may_be_needed(registry: ModelRegistry, model: MakeModels) -> None:
    many = ModelRegistry(registry.folder, config=RegistryConfig(keep=6))
    for number in range(1, 7):
        many.admit(model(number))
    ModelRegistry(registry.folder, config=RegistryConfig(keep=2)).roll_back("asked for")
    assert [each.number for each in registry.models] == [0, 1, 2, 3, 4, 5]
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

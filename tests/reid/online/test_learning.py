"""How far the learning is, as a worker notes it and others read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reid.embedder import DEFAULT_MODEL
from reid.online import BaseModel, HourTotal, OnlineFolder
from reid.online.config import CycleConfig
from reid.online.learning import WorkerNote, learning_of
from reid.online.news import in_words, verdict_in_words
from reid.online.registry import ModelRegistry
from reid.online.registry_files import sha256_of
from reid.tracklets import StoreSize


@pytest.fixture
def folder(tmp_path: Path) -> OnlineFolder:
    return OnlineFolder.make(tmp_path / "online", BaseModel("default.onnx", sha256_of(DEFAULT_MODEL)))


TOTALS = [HourTotal("door", "20260601-10", StoreSize(120, 9, 0)), HourTotal("door", "20260601-11", StoreSize(30, 2, 0))]


def state(folder: OnlineFolder, **fields: Any) -> None:
    folder.change_state(lambda state: {**state, **fields})


def test_without_a_worker_it_says_what_waits(folder: OnlineFolder) -> None:
    state(folder, learned_hours={"door/20260601-10": 100})
    found = learning_of(folder, ModelRegistry(folder), TOTALS, config=CycleConfig(least_new_crops=60))
    assert (found.new_crops, found.needed_crops, found.missing_crops) == (50, 60, 10)
    assert str(found) == "no worker, 50 of 60 crops for the next round"
    assert learning_of(folder, ModelRegistry(folder), TOTALS).needed_crops == CycleConfig().least_new_crops


def test_a_worker_says_how_far_it_is(folder: OnlineFolder) -> None:
    note = WorkerNote(folder, CycleConfig(least_new_crops=200))
    said = []
    with folder.lock_worker():
        for step in (note.waits, note.prepares, lambda: note.trained(120, 300), lambda: note.trained(300, 300)):
            step()
            state(folder, rounds=4)
            said.append(str(learning_of(folder, ModelRegistry(folder), TOTALS)))
        state(folder, paused=True)
        said.append(str(learning_of(folder, ModelRegistry(folder), TOTALS)))
        note.waits()
        said.append(str(learning_of(folder, ModelRegistry(folder), TOTALS)))
        state(folder, paused=False)
        said.append(str(learning_of(folder, ModelRegistry(folder), TOTALS[1:])))
        state(folder, learned_hours={})
        WorkerNote(folder, CycleConfig(least_new_crops=150)).waits()
        said.append(str(learning_of(folder, ModelRegistry(folder), TOTALS)))
    note.trained(30, 300)
    said.append(str(learning_of(folder, ModelRegistry(folder), TOTALS)))
    assert said == [
        "50 crops until the next round",
        "round 4 begins",
        "round 4 trains, 40%",
        "round 4 is judged",
        "learning is paused (round 4 is judged)",
        "learning is paused",
        "170 crops until the next round",
        "the next round is due",
        "no worker, 150 of 200 crops for the next round (round 4 goes on with the next one)",
    ]


@pytest.mark.parametrize("note", [b"{", b"[]", b'{"stage": 3, "trained": "x", "needed_crops": null}'])
def test_a_damaged_note_is_no_worse_than_none(folder: OnlineFolder, note: bytes) -> None:
    folder.worker_note.write_bytes(note)
    assert str(learning_of(folder, ModelRegistry(folder), TOTALS)) == "no worker, 150 of 500 crops for the next round"


def test_a_folder_that_takes_no_note_keeps_the_worker_from_nothing(folder: OnlineFolder) -> None:
    folder.worker_note.mkdir()
    WorkerNote(folder, CycleConfig()).prepares()


@pytest.mark.parametrize(
    ("event", "words", "verdict"),
    [
        ({"event": "refused", "round": 3, "reason": "worse"}, "round 3 refused: worse", "round 3 refused"),
        (
            {"event": "admitted", "number": 2, "model": {"figures": {"round": 4}}, "reason": "better"},
            "round 4 admitted as model 2: better",
            "round 4 admitted",
        ),
        ({"event": "admitted", "number": 2, "model": {"figures": {}}}, "admitted as model 2", "admitted"),
        ({"event": "admitted", "reason": "of another version"}, "admitted: of another version", None),
        ({"event": "swapped", "number": 2, "before": 0}, "model 2 is live in the place of model 0", None),
        (
            {"event": "rolled_back", "number": 0, "quarantined": {"number": 2}, "reason": "births"},
            "model 2 is rolled back from, to model 0: births",
            None,
        ),
        ({"event": "paused"}, "learning pauses", None),
        (
            {"event": "harvested", "crops": 9, "camera": "door", "hour": "20260601-10"},
            "9 crops of door are harvested, of the hour 20260601-10",
            None,
        ),
        (
            {"event": "paused", "by": "harvest", "camera": "door", "reason": "full"},
            "harvesting of door pauses: full",
            None,
        ),
        (
            {"event": "forgotten", "camera": "door", "identity": 17, "sessions": ["s"], "numbers": [17]},
            "17 of door, session s, is to be forgotten",
            None,
        ),
        (
            {"event": "forgotten", "camera": "door", "identity": 17, "sessions": ["s"], "numbers": [9, 12, 17]},
            "17 of door, session s, is to be forgotten, also as 9, 12",
            None,
        ),
        ({"event": "something_new"}, "something new", None),
    ],
)
def test_events_in_words(event: dict[str, Any], words: str, verdict: str | None) -> None:
    assert (in_words(event), verdict_in_words(event)) == (words, verdict)

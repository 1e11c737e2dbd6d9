"""A store that is put in order: what no longer counts leaves the disk, and nothing that is read changes."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess

import numpy as np
import pytest

from reid.errors import DataError
from reid.tracklets import TrackletWriter, measure_tracklets, read_tracklets, tidy_tracklets


@pytest.fixture
def store(tmp_path):
    """Tracklets 1, 2, 3 with 4 crops each; the end of 2 is in doubt, and 1 and 2 were seen together, and 2 and 3."""
    with TrackletWriter(tmp_path / "store") as writer:
        writer.begin_run("empty", session="a")
        writer.begin_run("street", rate_hz=25.0, began_unix_s=1000.5, session="b")
        for frame in (1, 2, 3, 4):
            for tracklet in (1, 2, 3):
                value = np.full((60, 30, 3), 20 * tracklet + frame, np.uint8)
                fields = {"identity": tracklet % 2, "time_s": frame, "box": (0, 0, 30, 60), "score": 1}
                writer.add_crop(tracklet, value, frame=frame, vector=np.ones(4, np.float32), model_hash="aa", **fields)
        writer.together(np.array([[1, 2], [2, 3]]), frame=1)
        writer.doubt(2, since_s=3)
    return tmp_path / "store"


def kinds(store):
    return [json.loads(line).get("kind") for line in (store / "store.jsonl").read_text().splitlines()]


def pictures(store):
    return sorted(path.relative_to(store).as_posix() for path in store.rglob("*") if path.is_file())


def test_what_is_in_doubt_leaves_the_disk(store):
    before = read_tracklets(store)
    left, dropped = tidy_tracklets(store)
    assert (left.crops, left.tracklets, dropped.crops) == (10, 3, 0)
    after = read_tracklets(store)
    assert after.frame.tolist() == before.frame.tolist()
    assert after.together.tolist() == [[1, 2], [2, 3]]
    assert (after.runs[-1].began_unix_s, after.runs[-1].session) == (1000.5, "b")
    assert len(after.vectors("aa")[0]) == 10
    assert kinds(store) == [None, "run", "model", *["crop"] * 10, "together"], "nothing of the empty run"
    assert len(pictures(store)) == 11


def test_what_is_in_order_stays_as_it_is(store):
    left, _ = tidy_tracklets(store)
    written = (store / "store.jsonl").stat().st_mtime_ns
    assert tidy_tracklets(store)[0] == left == measure_tracklets(store)
    assert (store / "store.jsonl").stat().st_mtime_ns == written


def test_measuring_changes_nothing(store):
    before = (store / "store.jsonl").read_bytes(), pictures(store)
    assert measure_tracklets(store).crops == 10
    assert ((store / "store.jsonl").read_bytes(), pictures(store)) == before


def test_the_size_is_what_the_disk_says(store):
    left, _ = tidy_tracklets(store)
    blocks = int(
        subprocess.run(["du", "-s", "-B1", store], capture_output=True, text=True, check=True).stdout.split()[0]
    )
    assert abs(left.disk_bytes - blocks) <= 2 * 4096, "but for the two folders that every store has"


def test_crops_that_are_not_chosen_go_and_so_does_what_was_said_of_them(store):
    def only_first_and_third(crops, runs):
        assert runs[2]["session"] == "b"
        return [crop for crop in crops if crop["tracklet"] != 2 and crop["frame"] < 3]

    left, dropped = tidy_tracklets(store, only_first_and_third)
    assert (left.crops, left.tracklets, dropped.crops, dropped.tracklets) == (4, 2, 6, 3)
    assert read_tracklets(store).together.shape == (0, 2)
    assert "together" not in kinds(store)
    assert pictures(store) == [
        "pictures/000001/00000001.jpg", "pictures/000001/00000002.jpg",
        "pictures/000003/00000001.jpg", "pictures/000003/00000002.jpg", "store.jsonl",
    ]  # fmt: skip


def test_of_a_crop_that_was_written_twice_the_last_counts(store):
    lines = (store / "store.jsonl").read_text().splitlines()
    again = json.loads(lines[4]) | {"score": 0.5}
    (store / "store.jsonl").write_text("\n".join([*lines, json.dumps(again)]) + "\n")
    tidy_tracklets(store)
    assert read_tracklets(store).scores.tolist().count(0.5) == 1
    assert kinds(store).count("crop") == 10


@pytest.mark.parametrize("damage", ["", "\x00" * 70, '{"schema":"reidtrack.trac', "[1]", '{"kind":"mood"}'])
def test_a_damaged_header_is_replaced(store, damage, caplog):
    lines = (store / "store.jsonl").read_text().splitlines()
    (store / "store.jsonl").write_text("\n".join([damage, *lines[1:]]) + "\n")
    assert tidy_tracklets(store)[0].crops == 10
    assert len(read_tracklets(store)) == 10
    assert not caplog.text


def test_damage_is_left_out_and_strangers_go(store, caplog):
    lines = (store / "store.jsonl").read_text().splitlines()
    lines[6] = lines[6][:20] + "\x00" + lines[6][21:]
    lines.insert(9, '{"kind": "together", "pairs": 7}')
    lines.append('{"kind":"mood","tracklet":1}')
    (store / "store.jsonl").write_text("\n".join(lines) + '\n{"kind": "cro')
    (store / "pictures/000001/00000004.jpg").write_bytes(b"short")
    (store / "pictures/000001/00000009.jpg").write_bytes(b"without a record")
    (store / "pictures/000003/00000004.part").write_bytes(b"half")
    (store / "pictures/000099").mkdir()
    (store / ".store.jsonl-draft").write_text("of a killed process")
    (store / "pictures/000003/notes.txt").write_text("mine")
    with caplog.at_level(logging.WARNING):
        left, _ = tidy_tracklets(store)
        assert left.crops == len(read_tracklets(store)) == 8
    assert not caplog.text
    assert kinds(store)[-1] == "mood", "what a later version says stays"
    assert len(pictures(store)) == 8 + 2
    assert not (store / ".store.jsonl-draft").exists()
    assert not (store / "pictures/000099").exists()


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ('{"schema":"reidtrack.tracks","version":1}', "must begin with a header of schema"),
        ('{"schema":"reidtrack.tracklets","version":2}', "must be of version 1 or lower"),
    ],
)
def test_what_is_not_ours_is_left_alone(store, header, message):
    lines = (store / "store.jsonl").read_text().splitlines()
    (store / "store.jsonl").write_text("\n".join([header, *lines[1:]]) + "\n")
    before = pictures(store)
    with pytest.raises(DataError, match=message):
        tidy_tracklets(store)
    assert pictures(store) == before


def test_a_store_that_is_written_is_left_alone(store):
    with TrackletWriter(store, append=True), pytest.raises(DataError, match="is being written by another process"):
        tidy_tracklets(store, wait_s=0.1)
    with pytest.raises(DataError, match=r"is no tracklet store: it has no store\.jsonl"):
        tidy_tracklets(store.parent)
    assert not (store.parent / "store.jsonl").exists()


def test_a_writer_goes_on_with_the_last_run(store):
    tidy_tracklets(store, lambda crops, runs: [])
    with TrackletWriter(store, append=True) as writer:
        crop = np.zeros((60, 30, 3), np.uint8)
        writer.add_crop(7, crop, identity=1, frame=9, time_s=9, box=(0, 0, 30, 60), score=1)
    assert read_tracklets(store).runs[0].session == "b"


def test_readers_do_not_warn_of_what_is_taken_out_while_they_read(store, caplog, monkeypatch):
    """The reader has read the records when crops, or the whole store, are taken out."""
    import reid.tracklets.reading as reading

    real = reading.picture_lengths
    for end in (lambda: tidy_tracklets(store, lambda crops, runs: crops[::2]), lambda: shutil.rmtree(store)):

        def lengths(folder, end=end):
            monkeypatch.undo()
            end()
            return real(folder)

        monkeypatch.setattr(reading, "picture_lengths", lengths)
        with caplog.at_level(logging.WARNING):
            left = len(read_tracklets(store))
        assert left == (5 if store.exists() else 0)
    assert not caplog.text

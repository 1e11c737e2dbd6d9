"""The tracklet store: what was written is read, whatever ended the writer."""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from reid.errors import DataError, InputError
from reid.tracklets import TrackletWriter, is_tracklet_store, read_tracklets, remove_tracklets


def crop(value=100, height_px=60, width_px=30):
    return np.full((height_px, width_px, 3), value, np.uint8)


def add(writer, tracklet, frame, value=100, **more):
    fields = {"identity": tracklet, "time_s": frame / 25, "box": (0, 0.125, 30, 60), "score": 0.75} | more
    writer.add_crop(tracklet, crop(value), frame=frame, **fields)


def write_some(folder, **options):
    with TrackletWriter(folder, **options) as writer:
        writer.begin_run("street.mp4", rate_hz=25.0)
        for frame in (3, 9):
            for tracklet in (1, 2):
                add(writer, tracklet, frame, 40 * tracklet + frame, identity=7, covered=0.25, class_number=tracklet)
            writer.together(np.array([[1, 2]]), frame=frame)
            writer.commit()
    return folder


def test_everything_comes_back(tmp_path):
    store = read_tracklets(write_some(tmp_path / "deep" / "store"))
    assert len(store) == 4
    assert store.tracklet.tolist() == [1, 2, 1, 2]
    assert store.frame.tolist() == [3, 3, 9, 9]
    assert store.identity.tolist() == [7] * 4
    assert store.classes.tolist() == [1, 2, 1, 2]
    np.testing.assert_allclose(store.time_s, store.frame / 25)
    np.testing.assert_allclose(store.boxes, [[0, 0.12, 30, 60]] * 4)
    assert store.scores.tolist() == [0.75] * 4
    assert store.covered.tolist() == [0.25] * 4
    assert store.together.tolist() == [[1, 2]]
    [run] = store.runs
    assert (run.number, run.source, run.rate_hz) == (1, "street.mp4", 25.0)
    assert run.began_unix_s > 1e9
    for row in range(4):
        image = cv2.imread(str(store.picture(row)))
        assert image.shape == (60, 30, 3)
        assert np.abs(image.astype(int) - (40 * store.tracklet[row] + store.frame[row])).max() <= 2


def test_an_empty_store_is_valid(tmp_path):
    TrackletWriter(tmp_path).close()
    store = read_tracklets(tmp_path)
    assert len(store) == 0
    assert store.boxes.shape == (0, 4)
    assert store.together.shape == (0, 2)


def test_a_later_run_goes_on_where_it_is_asked_to(tmp_path):
    write_some(tmp_path)
    with pytest.raises(DataError, match=r"store\.jsonl exists: choose another folder, or go on with it"):
        TrackletWriter(tmp_path)
    with TrackletWriter(tmp_path, append=True) as writer:
        assert writer.next_tracklet == 3
        assert writer.begin_run("other.mp4") == 2
        add(writer, writer.next_tracklet, 1)
        assert writer.next_tracklet == 4
    store = read_tracklets(tmp_path)
    assert store.run.tolist() == [1, 1, 1, 1, 2]
    assert store.tracklet.tolist() == [1, 2, 1, 2, 3]
    assert [run.source for run in store.runs] == ["street.mp4", "other.mp4"]
    assert store.runs[1].rate_hz is None


def test_every_beginning_of_the_file_is_a_valid_store(tmp_path):
    """A writer that was killed left some beginning of the file; a reader reads it, and a writer goes on."""
    whole = (write_some(tmp_path / "whole") / "store.jsonl").read_bytes()
    lengths = []
    for end in range(0, len(whole) + 1, 7):
        (tmp_path / "whole" / "store.jsonl").write_bytes(whole[:end])
        if b"\n" in whole[:end]:
            lengths.append(len(read_tracklets(tmp_path / "whole")))
        with TrackletWriter(tmp_path / "whole", append=True) as writer:
            writer.begin_run("again")
            add(writer, 50, 1)
        store = read_tracklets(tmp_path / "whole")
        assert store.tracklet[-1] == 50
        assert store.runs[-1].source == "again"
    assert lengths == sorted(lengths)
    assert set(lengths) == {0, 1, 2, 3, 4}


def test_a_killed_writer_leaves_a_valid_store(tmp_path):
    code = f"""
import numpy as np
from reid.tracklets import TrackletWriter
writer = TrackletWriter({str(tmp_path / "store")!r})
writer.begin_run("endless")
frame = 0
while True:
    frame += 1
    for tracklet in (1, 2, 3):
        crop = np.full((40, 20, 3), frame % 256, np.uint8)
        writer.add_crop(tracklet, crop, identity=1, frame=frame, time_s=frame, box=(0, 0, 20, 40), score=1)
    writer.together(np.array([[1, 2]]), frame=frame)
    writer.commit()
    print(frame, flush=True)
"""
    for enough in (5, 23):
        shutil.rmtree(tmp_path / "store", ignore_errors=True)
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        frames = next(int(line) for line in process.stdout if int(line) >= enough)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        store = read_tracklets(tmp_path / "store")
        assert len(store) >= 3 * frames, "what was committed is there"
        assert all(cv2.imread(str(store.picture(row))) is not None for row in range(len(store)))
        with TrackletWriter(tmp_path / "store", append=True) as writer:
            assert writer.next_tracklet == 4


def test_one_process_writes_at_a_time(tmp_path):
    with TrackletWriter(tmp_path) as writer:
        writer.begin_run("one")
        with pytest.raises(DataError, match="is being written by another process"):
            TrackletWriter(tmp_path, append=True)
        with pytest.raises(DataError, match="is being written by another process"):
            remove_tracklets(tmp_path)
        writer.commit()
        assert len(read_tracklets(tmp_path).runs) == 1, "reading is allowed"
    TrackletWriter(tmp_path, append=True).close()


class TestDamage:
    @pytest.fixture
    def lines(self, tmp_path):
        write_some(tmp_path)
        return (tmp_path / "store.jsonl").read_text().splitlines()

    def read(self, tmp_path, lines, caplog):
        (tmp_path / "store.jsonl").write_text("\n".join(lines) + "\n")
        with caplog.at_level(logging.WARNING):
            return read_tracklets(tmp_path)

    @pytest.mark.parametrize(
        "bad",
        [
            "not json", "[1, 2]", "\x00\x00\x00", '{"kind": "crop"}', '{"no": "kind"}',
            '{"kind": "together", "pairs": "x"}', '{"kind": "doubt", "tracklet": 1}',
        ],
    )  # fmt: skip
    def test_a_damaged_line_costs_itself_alone(self, tmp_path, lines, bad, caplog):
        store = self.read(tmp_path, [*lines[:3], bad, *lines[3:]], caplog)
        assert len(store) == 4
        assert "0 crops whose picture is gone or damaged, and 1 damaged records" in caplog.text

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("tracklet", "1"), ("tracklet", 1.5), ("frame", None), ("time_s", "soon"), ("box", [1, 2, 3]), ("box", 5),
            ("box", [0, 0, float("nan"), 1]), ("run", 9), ("score", None), ("vector", "AAAA"), ("bytes", True),
        ],
    )  # fmt: skip
    def test_a_field_that_is_none(self, tmp_path, lines, key, value, caplog):
        lines[2] = json.dumps(json.loads(lines[2]) | {key: value})
        assert len(self.read(tmp_path, lines, caplog)) == 3
        assert "1 damaged records" in caplog.text

    def test_kinds_of_later_versions_are_passed_over(self, tmp_path, lines, caplog):
        store = self.read(tmp_path, [*lines, '{"kind":"mood","tracklet":1,"mood":"good"}'], caplog)
        assert len(store) == 4
        assert not caplog.text

    def test_pictures_that_are_gone_or_cut_short(self, tmp_path, lines, caplog):
        pictures = sorted((tmp_path / "pictures").rglob("*.jpg"))
        pictures[0].unlink()
        pictures[3].write_bytes(pictures[3].read_bytes()[:-1])
        (tmp_path / "pictures" / "000099").write_text("a file in the way")
        store = self.read(tmp_path, lines, caplog)
        assert store.frame.tolist() == [3, 9]
        assert "2 crops whose picture is gone or damaged, and 0 damaged records" in caplog.text

    def test_no_picture_at_all(self, tmp_path, lines, caplog):
        shutil.rmtree(tmp_path / "pictures")
        assert len(self.read(tmp_path, lines, caplog)) == 0

    @pytest.mark.parametrize(
        ("header", "message"),
        [
            ('{"schema":"reidtrack.tracks","version":1}', "must begin with a header of schema 'reidtrack.tracklets'"),
            ("garbage", "must begin with a header of schema 'reidtrack.tracklets', got None: it is damaged"),
            ('{"schema":"reidtrack.tracklets","version":2}', "must be of version 1 or lower, got 2: .*update this one"),
        ],
    )
    def test_a_header_of_something_else(self, tmp_path, lines, header, message, caplog):
        with pytest.raises(DataError, match=message):
            self.read(tmp_path, [header, *lines[1:]], caplog)
        with pytest.raises(DataError, match=message):
            TrackletWriter(tmp_path, append=True)

    def test_no_store(self, tmp_path):
        assert not is_tracklet_store(tmp_path)
        with pytest.raises(DataError, match=r"is no tracklet store: it has no store\.jsonl"):
            read_tracklets(tmp_path)


class TestFullDisk:
    def test_a_half_written_line_is_taken_back(self, tmp_path, monkeypatch):
        writer = TrackletWriter(tmp_path)
        writer.begin_run("one")
        add(writer, 1, 1)
        writer.commit()
        before = (tmp_path / "store.jsonl").read_bytes()
        real = os.write

        def full(file, data):
            if len(data) > 20:
                return real(file, data[:20])
            raise OSError(errno.ENOSPC, "No space left on device")

        add(writer, 1, 2)
        monkeypatch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space left"):
            writer.commit()
        monkeypatch.undo()
        assert (tmp_path / "store.jsonl").read_bytes() == before
        add(writer, 1, 3)
        writer.close()
        assert read_tracklets(tmp_path).frame.tolist() == [1, 3]

    def test_half_a_picture_is_none(self, tmp_path, monkeypatch):
        def full(path, data):
            with path.open("wb") as file:
                file.write(data[:5])
            raise OSError(errno.ENOSPC, "No space left on device")

        with TrackletWriter(tmp_path) as writer:
            writer.begin_run("one")
            monkeypatch.setattr(Path, "write_bytes", full)
            with pytest.raises(OSError, match="No space left"):
                add(writer, 1, 1)
            monkeypatch.undo()
        assert not list((tmp_path / "pictures").rglob("*.*"))
        assert len(read_tracklets(tmp_path)) == 0


def test_what_became_doubtful_is_left_out(tmp_path):
    with TrackletWriter(tmp_path) as writer:
        writer.begin_run("one")
        for frame in (25, 50, 75):
            add(writer, 1, frame)
            add(writer, 2, frame)
        writer.doubt(1, since_s=2.0)
        writer.doubt(1, since_s=2.5)
    store = read_tracklets(tmp_path)
    assert store.frame[store.tracklet == 1].tolist() == [25]
    assert store.frame[store.tracklet == 2].tolist() == [25, 50, 75]


class TestVectors:
    def test_each_belongs_to_its_model(self, tmp_path):
        rng = np.random.default_rng(0)
        vectors = rng.normal(size=(3, 16)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        with TrackletWriter(tmp_path) as writer:
            writer.begin_run("one")
            add(writer, 1, 1, vector=vectors[0], model_hash="aa")
            add(writer, 1, 2)
            add(writer, 1, 3, vector=vectors[1, :8], model_hash="bb")
        with TrackletWriter(tmp_path, append=True) as writer:
            writer.begin_run("two")
            add(writer, 2, 4, vector=vectors[2], model_hash="aa")
        store = read_tracklets(tmp_path)
        assert store.models == ("aa", "bb")
        rows, got = store.vectors("aa")
        assert rows.tolist() == [0, 3]
        np.testing.assert_allclose(got, vectors[[0, 2]], atol=1e-3)
        rows, got = store.vectors("bb")
        assert rows.tolist() == [2]
        assert got.shape == (1, 8)
        assert store.vectors("cc")[1].shape == (0, 0)

    def test_none_comes_without_its_model(self, tmp_path):
        with TrackletWriter(tmp_path) as writer:
            writer.begin_run("one")
            with pytest.raises(InputError, match="must be given together"):
                add(writer, 1, 1, vector=np.ones(4, np.float32))


class TestMisuse:
    def test_crops_come_after_a_run(self, tmp_path):
        with TrackletWriter(tmp_path) as writer, pytest.raises(InputError, match="add_crop must come after begin_run"):
            add(writer, 1, 1)

    @pytest.mark.parametrize("bad", [np.zeros((0, 5, 3), np.uint8), np.zeros((5, 5), np.uint8), np.zeros((5, 5, 3))])
    def test_no_picture(self, tmp_path, bad):
        with TrackletWriter(tmp_path) as writer:
            writer.begin_run("one")
            with pytest.raises(InputError, match=r"crop must be \(H, W, 3\) uint8 and not empty, got"):
                writer.add_crop(1, bad, identity=1, frame=1, time_s=0, box=(0, 0, 1, 1), score=1)

    def test_a_frame_below_zero_whose_picture_nothing_would_delete(self, tmp_path):
        with TrackletWriter(tmp_path) as writer:
            writer.begin_run("one")
            with pytest.raises(InputError, match="frame must be 0 or more, got -1"):
                add(writer, 1, -1)
        assert not list(tmp_path.rglob("*.jpg"))

    def test_a_closed_store(self, tmp_path):
        writer = TrackletWriter(tmp_path)
        writer.close()
        writer.close()
        with pytest.raises(InputError, match="is closed"):
            writer.begin_run("one")

    def test_a_quality_out_of_range(self, tmp_path):
        with pytest.raises(InputError, match=r"jpeg_quality must be a whole number within 1\.\.100, got 0"):
            TrackletWriter(tmp_path, jpeg_quality=0)

    def test_numbers_that_are_none_never_reach_the_file(self, tmp_path):
        with TrackletWriter(tmp_path) as writer:
            writer.begin_run("one")
            with pytest.raises(ValueError, match="Out of range float"):
                add(writer, 1, 1, time_s=float("nan"))
        assert len(read_tracklets(tmp_path)) == 0


def test_removing_leaves_what_is_somebody_elses(tmp_path):
    write_some(tmp_path)
    (tmp_path / "pictures" / "000001" / "notes.txt").write_text("mine")
    (tmp_path / "readme.txt").write_text("mine")
    remove_tracklets(tmp_path)
    left = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file())
    assert left == ["pictures/000001/notes.txt", "readme.txt"]
    remove_tracklets(tmp_path)
    write_some(tmp_path)
    assert len(read_tracklets(tmp_path)) == 4


def test_the_outputs_page_shows_the_real_records(tmp_path):
    page = (Path(__file__).parents[3] / "docs" / "outputs.md").read_text(encoding="utf-8")
    text = page.split("## `tracklets/`")[1].split("```json\n")[1].split("```")[0]
    shown = [json.loads(line) for line in text.splitlines()]
    with TrackletWriter(tmp_path) as writer:
        writer.begin_run("clip.mp4", rate_hz=25.0)
        add(writer, 5, 12, identity=3, time_s=0.44, box=(10.25, 20.5, 60.0, 180.75), score=0.91, covered=0.1)
        writer.together(np.array([[4, 5]]), frame=12)
        writer.doubt(5, since_s=3.2)
        add(writer, 5, 13, vector=np.ones(192, np.float32), model_hash="9f86d081884c7d65")
    written = [json.loads(line) for line in (tmp_path / "store.jsonl").read_text().splitlines()]
    by_chance = ("program", "began_unix_s", "bytes")
    assert [{key: "" if key in by_chance else value for key, value in record.items()} for record in written[:-1]] == [
        {key: "" if key in by_chance else value for key, value in record.items()} for record in shown
    ]
    assert set(written[-1]) - set(written[2]) == {"vector", "model"}
    assert {record["kind"] for record in shown[1:]} <= set(re.findall(r"^\| `(\w+)` \|", page, flags=re.MULTILINE)) | {
        "crop"
    }


def test_a_source_by_any_name(tmp_path):
    name = os.fsdecode(b"caf\xe9.mp4")
    with TrackletWriter(tmp_path) as writer:
        writer.begin_run(name)
    assert read_tracklets(tmp_path).runs[0].source == name

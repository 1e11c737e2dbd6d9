"""The online folder: what it accepts, who may use it, and small files that are whole whatever happens."""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading

import pytest

from reid.errors import DataError
from reid.locking import is_locked
from reid.online import BaseModel, FileLock, OnlineFolder
from reid.online.files import read_json, write_json
from reid.online.folder import TrackerStart

BASE = BaseModel("default.onnx", "ab" * 32)


@pytest.fixture
def folder(tmp_path):
    return OnlineFolder.make(tmp_path / "online", BASE)


class TestMaking:
    def test_it_is_made_with_parents_and_found_again(self, tmp_path):
        OnlineFolder.make(tmp_path / "deep" / "online", BASE)
        again = OnlineFolder.make(tmp_path / "deep" / "online", BASE)
        assert again.base == OnlineFolder.open(tmp_path / "deep" / "online").base == BASE

    def test_an_empty_folder_and_one_of_a_killed_beginner_will_do(self, tmp_path):
        (tmp_path / ".online.json-draft").write_text("{")
        OnlineFolder.make(tmp_path, BASE)
        assert not (tmp_path / ".online.json-draft").exists()

    def test_a_folder_of_something_else_is_refused_and_left_alone(self, tmp_path):
        (tmp_path / "holiday.jpg").write_text("mine")
        with pytest.raises(DataError, match=r"must be an online folder, or empty; it has no .* but holds hol"):
            OnlineFolder.make(tmp_path, BASE)
        assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]

    def test_a_file_is_refused(self, tmp_path):
        (tmp_path / "file").write_text("mine")
        with pytest.raises(DataError, match="must be a folder, it is a file"):
            OnlineFolder.make(tmp_path / "file", BASE)

    def test_opening_makes_nothing(self, tmp_path):
        with pytest.raises(DataError, match=r"is no online folder: it has no online\.json; track with --online"):
            OnlineFolder.open(tmp_path / "missing")
        assert not (tmp_path / "missing").exists()

    def test_another_embedder_is_refused(self, folder):
        with pytest.raises(DataError, match=r"it was begun with, default\.onnx \(abababababab\), got other \(cdcdcd"):
            OnlineFolder.make(folder.path, BaseModel("other", "cd" * 32))

    @pytest.mark.parametrize(
        ("header", "message"),
        [
            ('{"schema": "reidtrack.tracks", "version": 1}', "must be of schema .*, got 'reidtrack"),
            (
                '{"schema": "reidtrack.online", "version": 2}',
                "must be of version 1 or lower, got 2: .* update",
            ),
            (
                '{"schema": "reidtrack.online", "version": 1}',
                "base must have a name and a sha256, got None",
            ),
            ('{"schema": "reidtr', r"online\.json is damaged: it must be JSON"),
            ("[1]", r"online\.json is damaged: it must be a JSON object, got list"),
        ],
    )
    def test_headers_that_are_none(self, folder, header, message):
        (folder.path / "online.json").write_text(header)
        with pytest.raises(DataError, match=message):
            OnlineFolder.make(folder.path, BASE)


class TestLostHeader:
    """The copy of the embedder that it was begun with says the same."""

    @pytest.fixture
    def begun(self, folder):
        folder.models.mkdir()
        sha256 = hashlib.sha256(b"model").hexdigest()
        (folder.models / f"0-{sha256[:12]}.onnx").write_bytes(b"model")
        base = BaseModel("default.onnx", sha256, default=True)
        header = json.loads((folder.path / "online.json").read_text())
        (folder.path / "online.json").write_text(json.dumps(header | {"base": dataclasses.asdict(base)}))
        return OnlineFolder.open(folder.path)

    @pytest.fixture(params=[None, '{"schema": "reidtr', "[1]", '{"schema": "reidtrack.online", "version": 1}'])
    def lost(self, begun, request):
        header = begun.path / "online.json"
        header.unlink() if request.param is None else header.write_text(request.param)
        return header

    def test_it_is_opened_by_that_copy_and_nothing_is_written(self, begun, lost, caplog):
        before = lost.exists()
        again = OnlineFolder.open(begun.path)
        assert (again.base.sha256, again.base.default) == (begun.base.sha256, False)
        assert f"known by its copy, models/0-{begun.base.sha256[:12]}.onnx" in caplog.text
        assert lost.exists() == before

    def test_it_is_written_anew_by_whoever_comes_with_that_embedder(self, begun, lost, caplog):
        with pytest.raises(DataError, match=rf"begun with, 0-\w+\.onnx \({begun.base.sha256[:12]}\), got default"):
            OnlineFolder.make(begun.path, BASE)
        assert OnlineFolder.make(begun.path, begun.base).base == begun.base
        caplog.clear()
        assert OnlineFolder.open(begun.path).base == begun.base
        assert not caplog.text

    def test_a_copy_that_is_damaged_as_well_says_nothing(self, begun, lost):
        (begun.models / f"0-{begun.base.sha256[:12]}.onnx").write_bytes(b"mode")
        for use in (lambda: OnlineFolder.open(begun.path), lambda: OnlineFolder.make(begun.path, begun.base)):
            with pytest.raises(DataError) as told:
                use()
            assert "delete it" not in str(told.value)
            assert ("put a copy back: until then" in str(told.value)) == lost.exists()


def test_who_deletes_damaged_notes_of_whom_was_held_out_is_told_what_that_costs(folder):
    assert folder.sides() is None
    folder.people.write_text("{half")
    with pytest.raises(DataError, match=r"people\.json is damaged: .* put a copy back\. Delete it only where there is"):
        folder.sides()


HOLD = """
import sys, time
from reid.online import OnlineFolder
folder = OnlineFolder.open(sys.argv[1])
lock = folder.lock_tracker()
print("held", flush=True)
time.sleep(60)
"""


class TestLocks:
    def test_one_tracker_and_one_worker_at_a_time(self, folder):
        with folder.lock_tracker(), folder.lock_worker():
            for again, kind in ((folder.lock_tracker, "tracker"), (folder.lock_worker, "worker")):
                with pytest.raises(
                    DataError,
                    match=rf"is in use by another {kind} \(process {os.getpid()} on machine .*, since 20.* UTC\): stop",
                ):
                    again()
        folder.lock_tracker().release()

    def test_a_killed_process_holds_nothing(self, folder):
        with subprocess.Popen([sys.executable, "-c", HOLD, folder.path], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "held\n"
            with pytest.raises(DataError, match=f"process {process.pid} on machine"):
                folder.lock_tracker()
            process.send_signal(signal.SIGKILL)
        folder.lock_tracker().release()

    @pytest.mark.parametrize("content", ["", "{", "[]", '{"process": 1, "machine": "m", "since_unix_s": 1e99}'])
    def test_a_lock_that_nobody_signed_holds_all_the_same(self, folder, content):
        with folder.lock_worker():
            (folder.path / "lock.worker").write_text(content)
            with pytest.raises(DataError, match=r"in use by another worker \(another process\)"):
                folder.lock_worker()

    def test_a_lock_whose_file_was_deleted_is_taken_anew(self, folder):
        with folder.lock_worker():
            (folder.path / "lock.worker").unlink()
            folder.lock_worker().release()

    def test_the_last_tracker_is_known_and_whether_it_runs(self, folder, monkeypatch):
        assert folder.last_tracker() is None
        with folder.lock_tracker(session="monday with a long name", camera="door"):
            assert folder.last_tracker() == TrackerStart("monday with a long name", "door", at_work=True)
        assert folder.last_tracker() == TrackerStart("monday with a long name", "door", at_work=False)
        with folder.lock_tracker(session="now", camera="yard"):
            assert folder.last_tracker() == TrackerStart("now", "yard", at_work=True)

        def full(*_args):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "pwrite", full)
        with folder.lock_tracker(session="new", camera="yard"):
            assert folder.last_tracker() == TrackerStart("", "", at_work=True), "none rather than another one"
        assert folder.last_tracker() is None

    def test_one_that_begins_just_now_is_not_taken_for_the_one_before(self, folder, monkeypatch):
        folder.lock_tracker(session="before", camera="door").release()
        sign, seen, synced = FileLock.sign, [], []

        def signs(lock, **more):
            seen.append(folder.last_tracker())
            sign(lock, **more)

        monkeypatch.setattr(FileLock, "sign", signs)
        monkeypatch.setattr(os, "fsync", lambda file: synced.append(os.pread(file, 500, 0)))
        folder.lock_tracker(session="now", camera="door").release()
        assert seen == [TrackerStart("", "", at_work=True)]
        assert [json.loads(content)["session"] for content in synced] == ["now"], "a power cut leaves it"

    def test_one_that_begins_while_somebody_asks_is_not_taken_for_none(self, folder, monkeypatch):
        folder.lock_tracker(session="before", camera="door").release()

        def begins(path):
            with FileLock.attempt(path) as lock:
                lock.unsign()
            return False

        monkeypatch.setattr("reid.online.folder.is_locked", begins)
        assert folder.last_tracker() == TrackerStart("before", "door", at_work=False)

    def test_asking_whether_a_file_is_locked_locks_nobody_out(self, folder):
        assert not is_locked(folder.harvest_lock), "nor does it make the file"
        assert not folder.harvest_lock.exists()
        with FileLock.attempt(folder.harvest_lock):
            assert is_locked(folder.harvest_lock)
        asking = os.open(folder.harvest_lock, os.O_RDWR)
        fcntl.flock(asking, fcntl.LOCK_SH)
        assert not is_locked(folder.harvest_lock)
        os.close(asking)

    def test_a_guard_that_hangs_is_named(self, folder, monkeypatch):
        monkeypatch.setattr("reid.online.folder._PATIENCE_S", 0.1)
        with folder.guard(), pytest.raises(DataError, match=r"locked by another process for 0\.1 s: look for"):
            folder.history.append("swapped")
        folder.history.append("swapped")


class TestJson:
    def test_a_full_disk_leaves_the_old_content(self, tmp_path, monkeypatch):
        write_json(tmp_path / "a.json", {"n": 1})

        def full(file):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            write_json(tmp_path / "a.json", {"n": 2})
        assert read_json(tmp_path / "a.json") == {"n": 1}
        assert [path.name for path in tmp_path.iterdir()] == ["a.json"]

    def test_a_missing_file_is_none(self, tmp_path):
        assert read_json(tmp_path / "a.json") is None

    def test_the_state_is_changed_by_one_at_a_time(self, folder, monkeypatch):
        monkeypatch.setattr("reid.online.folder._PATIENCE_S", 300)  # of threads that take turns in no order
        assert folder.state() == {}

        def count():
            for _ in range(10):
                folder.change_state(lambda state: {**state, "n": state.get("n", 0) + 1})

        threads = [threading.Thread(target=count) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert folder.state() == {"n": 30}


class TestHistory:
    def test_events_come_back_in_order(self, folder):
        assert folder.history.read() == []
        folder.history.append("cycle_started", number=1)
        folder.history.append("refused", number=1, reason="no better", figures={"map": 0.5})
        first, second = folder.history.read()
        assert (first["event"], first["number"]) == ("cycle_started", 1)
        assert second["figures"] == {"map": 0.5}
        assert 1e9 < first["unix_s"] <= second["unix_s"]

    def test_half_a_line_of_a_killed_writer_is_cut_off(self, folder):
        folder.history.append("one")
        whole = folder.history.path.read_bytes()
        for end in range(len(whole) + 1):
            folder.history.path.write_bytes(whole + whole[:end])
            assert len(folder.history.read()) == (2 if end == len(whole) else 1)
            folder.history.append("two")
            lines = folder.history.path.read_bytes().splitlines()
            assert [json.loads(line)["event"] for line in lines] == ["one"] * (1 + end // len(whole)) + ["two"]

    def test_damaged_lines_are_passed_over(self, folder):
        folder.history.append("one")
        with folder.history.path.open("ab") as file:
            file.write(b'\x00\xff\n[1]\n{"no": "event"}\n\n' + b"[" * 100_000 + b"\n")
        folder.history.append("two")
        assert [event["event"] for event in folder.history.read()] == ["one", "two"]

    def test_a_full_disk_leaves_no_half_line(self, folder, monkeypatch):
        folder.history.append("one")
        before, real = folder.history.path.read_bytes(), os.write
        monkeypatch.setattr(os, "write", lambda file, data: real(file, data[:9]))
        with pytest.raises(OSError, match="No space left"):
            folder.history.append("two")
        monkeypatch.undo()
        assert folder.history.path.read_bytes() == before

    def test_many_writers_lose_nothing(self, folder):
        code = "import sys; from reid.online import OnlineFolder; h = OnlineFolder.open(sys.argv[1]).history\n"
        code += "for k in range(15): h.append('tick', k=k, who=sys.argv[2])"
        writers = [subprocess.Popen([sys.executable, "-c", code, folder.path, str(k)]) for k in range(3)]
        assert [writer.wait() for writer in writers] == [0, 0, 0]
        events = folder.history.read()
        for who in "012":
            assert [event["k"] for event in events if event["who"] == who] == list(range(15))

    def test_whoever_follows_it_is_told_everything_once(self, folder):
        history = type(folder.history)(folder.history.path, folder.guard, most_bytes=2000)
        history.append("before")
        added = history.follow()
        assert added() == []
        seen = []
        for k in range(150):  # its older half goes now and then
            history.append("tick", k=k)
            if k % 3 == 2:
                seen += [event["k"] for event in added()]
        assert seen == list(range(150))
        assert added() == []

    def test_whoever_follows_it_reads_no_more_than_was_added(self, folder, monkeypatch):
        history, parsed, loads = folder.history, [], json.loads
        history.path.write_bytes(b"".join(b'{"event":"tick","k":%d}\n' % k for k in range(5000)))
        added = history.follow()
        monkeypatch.setattr(json, "loads", lambda line: parsed.append(line) or loads(line))
        for k in range(3):
            history.append("more", k=k)
            history.append("still more", k=k)
            assert [(event["event"], event["k"]) for event in added()] == [("more", k), ("still more", k)]
        assert len(parsed) == 6

    def test_whoever_follows_it_is_told_nothing_again_where_lines_are_damaged(self, folder):
        for k in range(4):
            folder.history.append("tick", k=k)
        added = folder.history.follow()
        lines = folder.history.path.read_bytes().split(b"\n")
        folder.history.path.write_bytes(b"\n".join([*lines[:2], bytes(9), b"[1]", b""]))
        folder.history.append("tick", k=4)
        assert [event["k"] for event in added()] == [4]
        folder.history.path.write_bytes(b"")
        assert added() == []
        folder.history.append("tick", k=5)
        assert [event["k"] for event in added()] == [5]

    def test_it_does_not_grow_for_ever(self, folder):
        history = type(folder.history)(folder.history.path, folder.guard, most_bytes=2000)
        for k in range(150):
            history.append("tick", k=k)
            assert history.path.stat().st_size <= 2000
        kept = [event["k"] for event in history.read()]
        assert kept == list(range(kept[0], 150))
        assert len(kept) > 10

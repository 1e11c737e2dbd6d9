from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tracker.errors import InputError, OutputError
from tracker.sinks import CsvSink, JsonlSink, MotSink
from tracker.sinks.text import LineFile
from tracker.types import TrackEvent


def test_mot_text(tmp_path, run, make_result):
    sink = MotSink(tmp_path / "out" / "tracks.txt")
    sink.open(run)
    sink.write(make_result(7))
    sink.write(make_result(9, ids=()))
    sink.write(make_result(12, ids=(1,)))
    sink.close()
    assert sink.path.read_text() == (
        "7,1,17.12,20.00,29.88,60.00,0.9124,-1,-1,-1\n"
        "7,2,100.00,-10.00,70.00,70.00,0.5000,-1,-1,-1\n"
        "12,1,22.12,20.00,29.88,60.00,0.9124,-1,-1,-1\n"
    )


def test_json_lines(tmp_path, run, make_result):
    sink = JsonlSink(tmp_path / "tracks.jsonl")
    sink.open(run)
    for index in (1, 2, 3):
        sink.write(make_result(index, detected=index != 2))
    sink.write(make_result(4, ids=()))
    sink.close()
    header, *lines = [json.loads(line) for line in sink.path.read_text().splitlines()]
    assert header["schema"] == "reidtrack.tracks"
    assert header["version"] == 1
    assert header["program"].startswith("reidtrack ")
    assert header["source"] == {"name": "clip.mp4", "width_px": 160, "height_px": 120, "rate_hz": 25.0, "live": False}
    assert header["classes"] == {"0": "person", "2": 'a "red", car'}
    assert [(line["frame"], line["time_s"], line["detected"]) for line in lines] == [
        (1, 0.0, True),
        (2, 0.04, False),
        (3, 0.08, True),
        (4, 0.12, True),
    ]
    assert lines[0]["tracks"][0] == {
        "id": 1,
        "box": [11.12, 20.0, 41.0, 80.0],
        "score": 0.9124,
        "class": 0,
        "class_name": "person",
        "coasted": False,
    }
    assert [[t["coasted"] for t in line["tracks"]] for line in lines] == [
        [False, False],
        [False, True],
        [False, True],
        [],
    ]
    assert lines[0]["events"] == [{"kind": "born", "id": 1, "time_s": 0.0}]
    assert lines[1]["events"] == []


def test_a_correction_names_the_number_that_it_replaces(tmp_path, run, make_result):
    result = make_result(2)
    events = (TrackEvent("recalled", 1, 0.04, replaces=7, since_s=0.01), TrackEvent("ended", 3, 0.04))
    sink = JsonlSink(tmp_path / "tracks.jsonl")
    sink.open(run)
    sink.write(replace(result, tracks=replace(result.tracks, events=events)))
    sink.close()
    assert json.loads(sink.path.read_text().splitlines()[1])["events"] == [
        {"kind": "recalled", "id": 1, "time_s": 0.04, "replaces": 7, "since_s": 0.01},
        {"kind": "ended", "id": 3, "time_s": 0.04},
    ]


def test_csv(tmp_path, run, make_result):
    sink = CsvSink(tmp_path / "tracks.csv")
    sink.open(run)
    sink.write(make_result(1))
    sink.write(make_result(3))
    sink.close()
    with sink.path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    assert rows[3] == {
        "frame": "3",
        "time_s": "0.080000",
        "id": "2",
        "x1": "100.00",
        "y1": "-10.00",
        "x2": "170.00",
        "y2": "60.00",
        "score": "0.5000",
        "class": "2",
        "class_name": 'a "red", car',
        "coasted": "1",
    }


@pytest.mark.parametrize("kind", [MotSink, JsonlSink, CsvSink])
def test_a_run_that_fails_before_there_is_a_result_leaves_no_file(tmp_path, run, make_result, kind):
    sink = kind(tmp_path / "tracks")
    sink.open(run)
    assert sink.path.exists(), "so that nobody else takes the name"
    if kind is not JsonlSink:  # which has a line for every frame
        sink.write(make_result(1, ids=()))
    sink.abort()
    sink.close()
    assert not sink.path.exists()


@pytest.mark.parametrize("kind", [MotSink, JsonlSink, CsvSink])
def test_a_run_that_fails_later_keeps_its_results(tmp_path, run, make_result, kind):
    ended, failed = kind(tmp_path / "ended"), kind(tmp_path / "failed")
    for sink in (ended, failed):
        sink.open(run)
        sink.write(make_result(1))
    ended.close()
    failed.abort()
    assert failed.path.read_text() == ended.path.read_text() != ""


@pytest.mark.parametrize("kind", [MotSink, JsonlSink, CsvSink])
def test_a_run_in_which_nobody_was_seen_has_files(tmp_path, run, make_result, kind):
    sink = kind(tmp_path / "tracks")
    sink.open(run)
    sink.write(make_result(1, ids=()))
    sink.close()
    assert sink.path.exists()


@pytest.mark.parametrize("kind", [MotSink, JsonlSink, CsvSink])
def test_what_is_to_be_replaced_stays_until_there_is_something_to_replace_it(tmp_path, run, make_result, kind):
    path = tmp_path / "tracks"
    earlier = "earlier results, which are longer\n" * 100
    path.write_text(earlier)
    failing = kind(path, overwrite=True)
    failing.open(run)
    failing.abort()
    assert path.read_text() == earlier
    working = kind(path, overwrite=True)
    working.open(run)
    assert path.read_text() == earlier
    working.write(make_result(1))
    working.close()
    assert "earlier" not in path.read_text()
    assert path.stat().st_size > 0
    nobody = kind(path, overwrite=True)
    nobody.open(run)
    nobody.close()
    assert len(path.read_text().splitlines()) == (kind is not MotSink), "a run that ended without a frame is one too"


def test_lines_reach_the_file_at_the_latest_after_a_second(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    file = LineFile(tmp_path / "a.txt", overwrite=False)
    file.write("one\n")
    assert file.path.read_text() == "one\n"
    now[0] += 0.9
    file.write("two\n")
    assert file.path.read_text() == "one\n"
    now[0] += 0.2
    file.write("three\n")
    assert file.path.read_text() == "one\ntwo\nthree\n"
    file.write("four\n")
    file.close()
    assert file.path.read_text() == "one\ntwo\nthree\nfour\n"
    with pytest.raises(InputError, match="is closed"):
        file.write("five\n")


def test_a_killed_program_leaves_whole_lines(tmp_path):
    code = """
import os, signal, sys
from pathlib import Path
import tracker.sinks.text as text
text._FLUSH_S = 0.001
file = text.LineFile(Path(sys.argv[1]), overwrite=False)
for index in range(20001):
    file.write(f"{index} " + "x" * 1000 + "\\n")
os.kill(os.getpid(), signal.SIGKILL)
"""
    path = tmp_path / "lines.txt"
    ended = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    data = path.read_bytes()
    assert data.endswith(b"x\n")
    assert data.count(b"\n") > 1
    assert [line.split()[0] for line in data.splitlines()] == [str(i).encode() for i in range(data.count(b"\n"))]


def test_a_full_disk_names_file_and_cause_and_leaves_whole_lines(tmp_path):
    code = """
import resource, sys
from pathlib import Path
from tracker.errors import OutputError
from tracker.sinks.text import LineFile
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
file = LineFile(Path(sys.argv[1]), overwrite=False)
try:
    for index in range(1000):
        file.write(f"{index} " + "x" * 90 + "\\n")
    file.close()
except OutputError as error:
    print(error)
"""
    path = tmp_path / "lines.txt"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == f"{path} cannot be written: File too large; its lines until then are kept\n"
    data = path.read_text()
    assert 9_000 < len(data) <= 10_000
    assert data.endswith("x\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_no_space_left():
    file = LineFile(Path("/dev/full"), overwrite=True)
    with pytest.raises(OutputError, match=r"^/dev/full cannot be written: No space left on device"):
        file.write("line\n")
    file.close()

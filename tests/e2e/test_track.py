"""`reidtrack track` from outside: real sequences, every output, interruption, and what goes wrong on the way."""

from __future__ import annotations

import json
import re
import signal
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from reid.data import open_crops

Command = Any  # the fixtures of conftest.py
Outputs = Any


def test_people_are_followed_through_a_street(
    reidtrack: Command, outputs: Outputs, shared_data: Path, tmp_path: Path
) -> None:
    sequence = shared_data / "seq" / "TUD-Stadtmitte"
    done = reidtrack(
        "track", sequence / "TUD-Stadtmitte.mp4", "--detector", shared_data / "models/light_person_detector_192.onnx",
        "--embedder", shared_data / "models/osnet_x0_25_msmt17.onnx", "--device", "cpu", "--classes", "0",
        "--start", "11", "--end", "40", "--save", "video,mot,jsonl,csv,crops,tracklets,explain", "--out", "out",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "30 frames" in done.stdout
    assert all(stage in done.stdout for stage in ("decode", "detect", "embed", "track", "write"))
    assert re.search(r"^100% of \d+ detections of high score embedded$", done.stdout, re.MULTILINE)
    out = tmp_path / "out"
    rows = outputs(out).mot()
    assert {int(row[0]) for row in rows} <= set(range(11, 41)), "the source's frame numbers"
    assert len({row[1] for row in rows}) >= 4, "several people"
    header, frames = outputs(out).jsonl()
    assert header["source"]["width_px"] == 640
    assert [frame["frame"] for frame in frames] == list(range(11, 41))
    assert frames[0]["time_s"] == pytest.approx(10 / 25, abs=0.001)
    assert len(rows) == sum(len(frame["tracks"]) for frame in frames) == len(outputs(out).csv())
    assert outputs(out).video_frames() == 30
    reasons = [json.loads(line) for line in (out / "explain.jsonl").read_text().splitlines()][1:]
    assert sum(reason["matched"] for reason in reasons) > 100
    assert f"{sum(reason['decided_by_appearance'] for reason in reasons)} decided by appearance" in done.stdout
    assert len(list((out / "crops").glob("*/*.jpg"))) >= 4
    tracklets = open_crops(out)
    assert len(tracklets.identities) >= 4
    assert len(tracklets.together) >= 3, "several people at once"
    assert tracklets.pixels(range(len(tracklets)), 64, 32).std() > 20
    scored = reidtrack("eval", "--gt", sequence, "--tracks", out / "tracks.txt")
    assert scored.returncode == 0, scored.stderr
    assert "IDF1" in scored.stdout


def test_a_passer_by_is_found_without_any_model(
    reidtrack: Command, outputs: Outputs, shared_data: Path, tmp_path: Path
) -> None:
    video = shared_data / "video" / "one-by-one-person-detection.mp4"
    done = reidtrack("track", video, "--embedder", "none", "--end", "150", "--save", "mot")
    assert done.returncode == 0, done.stderr
    out = tmp_path / "runs" / "one-by-one-person-detection"
    assert f"wrote {out.relative_to(tmp_path) / 'tracks.txt'}" in done.stdout
    assert len(outputs(out).mot()) > 30


def test_a_mot_sequence_with_its_own_detections(
    reidtrack: Command, outputs: Outputs, shared_data: Path, tmp_path: Path
) -> None:
    sequence = shared_data / "seq" / "MOT17-mini" / "train" / "MOT17-09-FRCNN"
    detections = next(sequence.rglob("det.txt"))
    done = reidtrack(
        "track", sequence / "img1", "--detector", detections, "--embedder", "none", "--save", "mot", "--out", "out"
    )
    assert done.returncode == 0, done.stderr
    assert outputs(tmp_path / "out").mot()


def test_every_second_frame_is_predicted(reidtrack: Command, outputs: Outputs, pictures: Path, tmp_path: Path) -> None:
    done = reidtrack("track", pictures, "--embedder", "none", "--every", "2", "--save", "jsonl", "--out", "out")
    assert done.returncode == 0, done.stderr
    _, frames = outputs(tmp_path / "out").jsonl()
    assert [frame["detected"] for frame in frames] == [number % 2 == 0 for number in range(len(frames))]


def test_results_are_replaced_only_when_asked(reidtrack: Command, pictures: Path, tmp_path: Path) -> None:
    words = ("track", pictures, "--embedder", "none", "--save", "mot,jsonl", "--out", "out")
    assert reidtrack(*words).returncode == 0
    before = (tmp_path / "out" / "tracks.txt").stat()
    again = reidtrack(*words)
    assert again.returncode == 2
    assert "out holds results already (tracks.jsonl, tracks.txt)" in again.stderr
    assert (tmp_path / "out" / "tracks.txt").stat().st_mtime_ns == before.st_mtime_ns
    assert reidtrack(*words, "--overwrite").returncode == 0


def test_quiet_says_nothing(reidtrack: Command, pictures: Path) -> None:
    done = reidtrack("track", pictures, "--embedder", "none", "--save", "mot", "--out", "out", "-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interruption_leaves_valid_files(
    number: signal.Signals, reidtrack: Command, shared_data: Path, outputs: Outputs, tmp_path: Path
) -> None:
    video = shared_data / "video" / "one-by-one-person-detection.mp4"
    process = reidtrack.start("track", video, "--embedder", "none", "--save", "video,mot,jsonl,explain", "--out", "out")
    lines = tmp_path / "out" / "tracks.jsonl"
    deadline_s = time.monotonic() + 120
    while not (lines.exists() and lines.read_text().count("\n") > 20):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted after" in err
    assert "Traceback" not in err
    assert "wrote out/tracks.jsonl" in out
    _, frames = outputs(tmp_path / "out").jsonl()
    assert [frame["frame"] for frame in frames] == list(range(1, len(frames) + 1))
    assert 20 < len(frames) < 1394
    reasons = [json.loads(line) for line in (tmp_path / "out" / "explain.jsonl").read_text().splitlines()]
    assert [reason["frame"] for reason in reasons[1:]] == [frame["frame"] for frame in frames]
    assert outputs(tmp_path / "out").video_frames() == len(frames)
    assert {int(row[0]) for row in outputs(tmp_path / "out").mot()} <= set(range(1, len(frames) + 1))


def test_a_full_disk_ends_the_run_with_whole_lines(
    reidtrack: Command, outputs: Outputs, pictures: Path, tmp_path: Path
) -> None:
    words = ("track", pictures, "--embedder", "none", "--save", "jsonl", "--out", "out")
    done = reidtrack(*words, largest_file_bytes=2000)
    assert done.returncode == 1
    assert "tracks.jsonl cannot be written: File too large" in done.stderr
    _, frames = outputs(tmp_path / "out").jsonl()
    assert frames


def test_a_frame_of_another_size_ends_the_run_with_what_came_before(
    reidtrack: Command, outputs: Outputs, pictures: Path, tmp_path: Path
) -> None:
    cv2.imwrite(str(pictures / "0031.png"), np.zeros((50, 50, 3), np.uint8))
    done = reidtrack("track", pictures, "--embedder", "none", "--save", "jsonl", "--out", "out")
    assert done.returncode == 1
    assert "frame 31 is 50x50, but the source began with 160x120" in done.stderr
    assert "is in out" in done.stderr
    _, frames = outputs(tmp_path / "out").jsonl()
    assert len(frames) == 30


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A bright square that walks over a textured ground for 40 pictures of 160x120."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    ground = np.random.default_rng(0).integers(60, 120, (120, 160, 3), dtype=np.uint8)
    for number in range(1, 41):
        image = ground.copy()
        if number > 10:
            image[40:90, 3 * number - 20 : 3 * number] = (40, 220, 240)
        cv2.imwrite(str(folder / f"{number:04}.png"), image)
    return folder

"""Our scores against TrackEval's own MotChallenge2DBox data set, which reads the same files its own way."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest

from tracker.evaluation import evaluate_files, read_mot_truth

trackeval = pytest.importorskip("trackeval")

FIELDS = {
    "hota": ("HOTA", "HOTA"),
    "det_a": ("HOTA", "DetA"),
    "ass_a": ("HOTA", "AssA"),
    "idf1": ("Identity", "IDF1"),
    "mota": ("CLEAR", "MOTA"),
}
COUNTS = {"switches": "IDSW", "fragments": "Frag", "misses": "CLR_FN", "false_positives": "CLR_FP"}


def write_tracks(truth_file: Path, target: Path, rng: np.random.Generator) -> None:
    """Tracks with every kind of fault, also on distractors and on ignored people: misses, jitter, switches, ghosts."""
    truth = read_mot_truth(truth_file)
    half = int(np.median(truth.frame))
    lines = []
    for frame, identity, (x1, y1, x2, y2) in zip(truth.frame, truth.id, truth.boxes, strict=True):
        if rng.random() < 0.15:
            continue
        size = np.array([x2 - x1, y2 - y1])
        x, y = np.array([x1, y1]) + rng.normal(0, 0.06, 2) * size
        label = identity + (1000 if frame > half and identity % 3 == 0 else 0)
        lines.append(f"{frame},{label},{x:.3f},{y:.3f},{size[0]:.3f},{size[1]:.3f},0.9,-1,-1,-1\n")
        if rng.random() < 0.05:
            lines.append(
                f"{frame},{5000 + identity},{x + 3 * size[0]:.3f},{y:.3f},{size[0]:.3f},{size[1]:.3f},0.4,-1,-1,-1\n"
            )
    target.write_text("".join(lines))


def oracle(gt: Path, tracks: Path, lengths: dict[str, int], benchmark: str) -> dict[str, dict[str, dict[str, float]]]:
    """TrackEval end to end; by sequence, with COMBINED_SEQ."""
    config = {
        "GT_FOLDER": str(gt), "TRACKERS_FOLDER": str(tracks.parent), "TRACKERS_TO_EVAL": [tracks.name],
        "TRACKER_SUB_FOLDER": "",
        "BENCHMARK": benchmark, "SKIP_SPLIT_FOL": True, "SEQ_INFO": lengths, "PRINT_CONFIG": False,
    }  # fmt: skip
    quiet = {"PRINT_RESULTS": False, "PRINT_CONFIG": False, "TIME_PROGRESS": False, "OUTPUT_SUMMARY": False}
    quiet |= {"OUTPUT_DETAILED": False, "PLOT_CURVES": False, "OUTPUT_EMPTY_CLASSES": False, "BREAK_ON_ERROR": True}
    silent = {"PRINT_CONFIG": False}
    metrics = [trackeval.metrics.HOTA(), trackeval.metrics.CLEAR(silent), trackeval.metrics.Identity(silent)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = trackeval.datasets.MotChallenge2DBox(config)
        result, _ = trackeval.Evaluator(quiet).evaluate([dataset], metrics)
    return {name: by_class["pedestrian"] for name, by_class in result["MotChallenge2DBox"][tracks.name].items()}


def assert_same(ours, theirs) -> None:
    for field, (family, key) in FIELDS.items():
        assert getattr(ours, field) == pytest.approx(100 * np.mean(theirs[family][key]), abs=1e-6), field
    for field, key in COUNTS.items():
        assert getattr(ours, field) == theirs["CLEAR"][key], field


@pytest.mark.shared_data
@pytest.mark.parametrize("benchmark", ["MOT17", "MOT16"])
def test_distractors_and_ignored_rows_as_trackeval_treats_them(shared_data, tmp_path, benchmark):
    rng = np.random.default_rng(7)
    gt, tracks = tmp_path / "gt", tmp_path / "tracks"
    tracks.mkdir()
    lengths = {}
    for sequence in sorted((shared_data / "seq/MOT17-mini/train").iterdir()):
        (gt / sequence.name / "gt").mkdir(parents=True)
        shutil.copy(sequence / "gt/gt.txt", gt / sequence.name / "gt/gt.txt")
        lengths[sequence.name] = int(read_mot_truth(sequence / "gt/gt.txt").frame.max())
        write_tracks(sequence / "gt/gt.txt", tracks / f"{sequence.name}.txt", rng)
    theirs = oracle(gt, tracks, lengths, benchmark)
    report = evaluate_files(gt, [tracks])
    assert set(report.sequences) == set(lengths)
    for name, scores in report.sequences.items():
        assert_same(scores, theirs[name])
    assert_same(report.combined, theirs["COMBINED_SEQ"])
    rows = sum(len(file.read_text().splitlines()) for file in tracks.iterdir())
    assert report.combined.tracked_boxes < rows  # some were on distractors


@pytest.mark.shared_data
def test_mot20_counts_non_motor_vehicles_as_distractors(shared_data, tmp_path):
    source = read_mot_truth(shared_data / "seq/MOT17-mini/train/MOT17-02-FRCNN/gt/gt.txt")
    gt, tracks = tmp_path / "MOT20-train", tmp_path / "tracks"
    (gt / "MOT20-01" / "gt").mkdir(parents=True)
    tracks.mkdir()
    file = gt / "MOT20-01" / "gt" / "gt.txt"
    rows = []
    for i, (frame, identity, (x1, y1, x2, y2)) in enumerate(zip(source.frame, source.id, source.boxes, strict=True)):
        kind = 6 if identity % 4 == 0 else 1
        rows.append(f"{frame},{identity},{x1:g},{y1:g},{x2 - x1:g},{y2 - y1:g},{i % 5 != 0:d},{kind},1\n")
    file.write_text("".join(rows))
    write_tracks(file, tracks / "MOT20-01.txt", np.random.default_rng(3))
    theirs = oracle(gt, tracks, {"MOT20-01": int(source.frame.max())}, "MOT20")
    assert read_mot_truth(file).benchmark == "MOT20"
    assert_same(evaluate_files(gt, [tracks / "MOT20-01.txt"]).combined, theirs["COMBINED_SEQ"])


@pytest.mark.shared_data
def test_mot15_with_ignored_rows(shared_data, tmp_path):
    gt, tracks = tmp_path / "gt", tmp_path / "tracks"
    tracks.mkdir()
    source = shared_data / "gt_text/MOT15/ETH-Sunnyday"
    (gt / "ETH-Sunnyday" / "gt").mkdir(parents=True)
    # TrackEval reads the world coordinates of MOT15 as classes only to reject them, so they are cut to -1
    rows = [",".join(line.split(",")[:7]) + ",-1,-1,-1\n" for line in (source / "gt/gt.txt").read_text().split()]
    (gt / "ETH-Sunnyday/gt/gt.txt").write_text("".join(rows))
    write_tracks(source / "gt/gt.txt", tracks / "ETH-Sunnyday.txt", np.random.default_rng(1))
    last = int(read_mot_truth(source / "gt/gt.txt").frame.max())
    theirs = oracle(gt, tracks, {"ETH-Sunnyday": last}, "MOT15")
    original = evaluate_files(source, [tracks / "ETH-Sunnyday.txt"]).combined
    assert_same(original, theirs["COMBINED_SEQ"])
    assert original.true_boxes < len(rows)


@pytest.mark.shared_data
def test_every_ground_truth_file_at_hand_is_read(shared_data):
    files = sorted(shared_data.rglob("gt.txt"))
    assert len(files) > 10
    for file in files:
        truth = read_mot_truth(file)
        assert truth.benchmark == ("MOT17" if "MOT17" in str(file) else "MOT15")
        assert len(truth.id) == len(file.read_text().split())

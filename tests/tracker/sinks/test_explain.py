from __future__ import annotations

import json

import numpy as np
import pytest

from tracker import Detections, Tracker
from tracker.errors import InputError
from tracker.sinks import ExplainSink
from tracker.types import Frame, FrameResult


@pytest.fixture
def street():
    """Ten frames: somebody walks, with looks; from the fourth on there is another one, and a weak box in the last."""
    tracker, results = Tracker(explain=True), []
    looks = np.eye(2, 8)
    for k in range(10):
        boxes = [[10 + 3 * k, 20, 40 + 3 * k, 100], [100, 20, 130, 100]][: 1 + (k >= 3)]
        seen = Detections(boxes, [0.9, 0.8][: len(boxes)], None, looks[: len(boxes)])
        if k == 9:
            seen = Detections([*boxes, [60, 20, 90, 100]], [0.9, 0.8, 0.4])
        frame = Frame(np.zeros((120, 160, 3), np.uint8), k + 1, k / 25)
        results.append(FrameResult(frame, seen, tracker.update(seen, time_s=k / 25)))
    return results


def written(path, run, results):
    sink = ExplainSink(path)
    sink.open(run)
    for result in results:
        sink.write(result)
    sink.close()
    header, *lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return header, lines


def test_one_line_a_frame_below_a_header(tmp_path, run, street):
    header, lines = written(tmp_path / "explain.jsonl", run, street)
    assert (header["schema"], header["version"]) == ("reidtrack.explanations", 1)
    assert header["source"]["name"] == "clip.mp4"
    assert [(line["frame"], line["time_s"]) for line in lines] == [(k + 1, round(k / 25, 6)) for k in range(10)]
    assert all(line["detected"] for line in lines)
    for line, result in zip(lines, street, strict=True):
        assert [seen["box"] for seen in line["detections"]] == result.detections.boxes.tolist()
        assert (line["matched"], line["decided_by_appearance"]) == (result.tracks.explanation.matched, 0)
        matched = {m["track_id"]: m["detection"] for m in line["matches"] if m["track_id"]}
        founded = {b["track_id"]: b["detection"] for b in line["births"] if b["track_id"]}
        assert matched | founded == dict(zip(result.tracks.ids, result.tracks.detections, strict=True))


def test_the_fields_are_those_of_the_decisions(tmp_path, run, street):
    _, lines = written(tmp_path / "explain.jsonl", run, street)
    (match,) = lines[2]["matches"]
    decision = street[2].tracks.explanation.matches[0]
    (candidate,) = match.pop("candidates")
    assert match == {
        "track_id": 1, "outcome": "matched", "stage": "confident", "detection": 0, "detection_by_motion": 0,
        "unseen_s": 0.04,
    }  # fmt: skip
    assert candidate == {
        "detection": 0, "score": 0.9, "overlap": round(decision.candidates[0].overlap, 4),
        "motion_nats": round(decision.candidates[0].motion_nats, 4), "class_nats": 0.0, "cosine": 1.0,
        "appearance_nats": round(decision.candidates[0].appearance_nats, 4),
        "total_nats": round(decision.candidates[0].total_nats, 4), "refused": None, "taken_by": None,
    }  # fmt: skip
    born = next(i for line in lines for i in line["identities"] if i["track_id"] == 2)
    assert (born["outcome"], born["replaces"], born["parted_nats"]) == ("born", None, None)
    assert lines[9]["births"] == [
        {"detection": 2, "score": 0.4, "track_id": None, "overlap": None, "overlap_with": None, "refused": "score"}
    ]
    assert lines[9]["matches"][0]["candidates"][0]["cosine"] is None  # a frame without vectors


def test_the_example_has_the_keys_that_are_written(tmp_path, run, street):
    text = ExplainSink.__doc__
    example = json.loads(text[text.index('{"frame"') : text.index("The keys of")])
    written_line = written(tmp_path / "explain.jsonl", run, street)[1][2]
    assert list(example) == list(written_line)
    assert list(example["detections"][0]) == list(written_line["detections"][0])
    (match,), (real,) = example["matches"], written_line["matches"]
    assert list(match) == list(real)
    assert list(match["candidates"][0]) == list(real["candidates"][0])


def test_a_predicted_frame_decides_nothing(tmp_path, run, make_result):
    _, lines = written(tmp_path / "explain.jsonl", run, [make_result(1, detected=False)])
    assert lines == [{"frame": 1, "time_s": 0.0, "detected": False}]


def test_a_tracker_that_keeps_no_reasons_is_refused(tmp_path, run, make_result):
    sink = ExplainSink(tmp_path / "explain.jsonl")
    sink.open(run)
    with pytest.raises(InputError, match=r"make it with Tracker\(explain=True\)"):
        sink.write(make_result(1))
    sink.close()

"""Reasons in the picture."""

from __future__ import annotations

import numpy as np
import pytest

from tracker import Detections, Tracker
from tracker.errors import InputError
from tracker.types import Frame, FrameResult
from tracker.video.annotator import Annotator

RATE_HZ = 25
IMAGE = np.zeros((240, 320, 3), np.uint8)
BELOW = slice(201, 240)  # rows of the picture below the box


@pytest.fixture(scope="module")
def return_of_somebody():
    """Somebody is seen for a second, away for two, and seen for two again; the results, and when the return was."""
    tracker, results = Tracker(explain=True), []
    looks = np.eye(3, 64)
    for k in range(5 * RATE_HZ):
        there = k < RATE_HZ or k >= 3 * RATE_HZ
        boxes = [[40, 100, 80, 200], [240, 20, 280, 90], [200, 20, 238, 90]][: 3 if there else 0] or np.zeros((0, 4))
        if k >= RATE_HZ and not there:
            seen = Detections([[240, 20, 280, 90], [200, 20, 238, 90]], embeddings=looks[1:])
        else:
            seen = Detections(boxes, embeddings=looks)
        frame = Frame(IMAGE, k + 1, k / RATE_HZ)
        results.append(FrameResult(frame, seen, tracker.update(seen, time_s=k / RATE_HZ)))
    (back,) = [k for k, r in enumerate(results) if any(e.kind == "recalled" for e in r.tracks.events)]
    return results, back


def drawn(results, *, reasons):
    annotator, pictures = Annotator({}, 0.0, reasons=reasons), []
    for result in results:
        annotator.follow(result)
        pictures.append(annotator.draw(result.frame.image, result))
    return pictures


def test_a_recall_is_explained_for_a_second(return_of_somebody):
    results, back = return_of_somebody
    spoken = [picture[BELOW].max() > 0 for picture in drawn(results, reasons=True)]
    assert spoken == [back <= k < back + RATE_HZ for k in range(len(results))]


def test_nothing_is_said_unasked(return_of_somebody):
    results, _ = return_of_somebody
    assert all(picture[BELOW].max() == 0 for picture in drawn(results, reasons=False))


def test_a_predicted_frame_goes_on_saying_it(return_of_somebody):
    results, back = return_of_somebody
    annotator = Annotator({}, 0.0, reasons=True)
    annotator.follow(results[back])
    tracks = results[back].tracks
    later = Frame(IMAGE, back + 2, (back + 1) / RATE_HZ)
    predicted = FrameResult(
        later,
        Detections.empty(),
        type(tracks)(tracks.ids, tracks.boxes, tracks.scores, tracks.classes, tracks.detections * 0 - 1, later.time_s),
        detected=False,
    )
    annotator.follow(predicted)
    assert annotator.draw(IMAGE, predicted)[BELOW].max() > 0


def test_a_tracker_that_keeps_no_reasons_is_refused():
    seen = Detections([[40, 100, 80, 200]])
    result = FrameResult(Frame(IMAGE, 1, 0.0), seen, Tracker().update(seen, time_s=0))
    Annotator({}, 0.0).follow(result)
    with pytest.raises(InputError, match=r"make it with Tracker\(explain=True\)"):
        Annotator({}, 0.0, reasons=True).follow(result)

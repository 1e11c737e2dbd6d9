"""The same input gives the same output, bit for bit, whatever ran before."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from tracker import Detections, Tracker

FRAMES, PEOPLE, DIMENSION = 90, 12, 32


def stream(seed: int, *, with_vectors: bool = True) -> list[Detections]:
    """People who walk about, are missed, hide, overlap, and have vectors that look alike."""
    rng = np.random.default_rng(seed)
    place, speed = rng.uniform(0, 500, (PEOPLE, 2)), rng.normal(0, 4, (PEOPLE, 2))
    own = rng.normal(size=(PEOPLE, DIMENSION)) + 1.0
    frames = []
    for frame in range(FRAMES):
        place = np.clip(place + speed, 0, 500)
        seen = (rng.random(PEOPLE) > 0.1) & ((frame + 7 * np.arange(PEOPLE)) % 40 > 8)
        boxes = np.c_[place, place + np.array([40, 100])] + rng.normal(0, 1.5, (PEOPLE, 4))
        vectors = own + rng.normal(0, 0.7, own.shape)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        scores = rng.uniform(0.3, 1, PEOPLE)
        given = vectors[seen] if with_vectors else None
        frames.append(Detections(boxes[seen], scores[seen], None, given, frame_size=(560, 600)))
    return frames


def digest(frames: list[Detections], tracker: Tracker) -> str:
    """Of every byte that a tracker reports."""
    told = hashlib.sha256()
    for index, seen in enumerate(frames):
        tracks = tracker.update(seen, time_s=index / 15, include_coasted=True)
        for array in (tracks.ids, tracks.boxes, tracks.scores, tracks.classes, tracks.detections):
            told.update(array.tobytes())
        told.update(repr(tracks.events).encode())
    return told.hexdigest()


def test_the_stream_is_worth_testing_on() -> None:
    """Identities end, are found again and are reported: nothing below compares empty outputs."""
    tracker, kinds, reported = Tracker(), set(), 0
    for index, seen in enumerate(stream(3)):
        tracks = tracker.update(seen, time_s=index / 15)
        kinds |= {event.kind for event in tracks.events}
        reported += len(tracks.ids)
    assert {"born", "ended"} <= kinds
    assert kinds & {"recovered", "recalled"}
    assert reported > FRAMES * PEOPLE / 3


@pytest.mark.parametrize("with_vectors", [True, False])
def test_a_fresh_tracker_repeats_itself_after_others_ran(with_vectors: bool) -> None:
    frames = stream(1, with_vectors=with_vectors)
    first = digest(frames, Tracker())
    np.random.seed(99)  # noqa: NPY002 - the global generator must not matter
    digest(stream(2), Tracker())
    assert digest(frames, Tracker()) == first


def test_reset_forgets_all_that_ran_before() -> None:
    tracker = Tracker()
    first = digest(stream(1), tracker)
    digest_of_other = digest(stream(2, with_vectors=False), Tracker())
    tracker.reset()
    assert digest(stream(2, with_vectors=False), tracker) == digest_of_other
    tracker.reset()
    assert digest(stream(1), tracker) == first


def test_trackers_that_take_turns_do_not_meet() -> None:
    frames, others = stream(1), stream(2)
    one, another = Tracker(), Tracker()
    alone = [one.update(seen, time_s=i / 15) for i, seen in enumerate(frames)]
    one = Tracker()
    for i, (seen, other, expected) in enumerate(zip(frames, others, alone, strict=True)):
        another.update(other, time_s=i / 15)
        tracks = one.update(seen, time_s=i / 15)
        assert tracks.ids.tobytes() == expected.ids.tobytes()
        assert tracks.boxes.tobytes() == expected.boxes.tobytes()


@pytest.mark.parametrize("hash_seed", ["0", "12345"])
def test_another_process_says_the_same(hash_seed: str) -> None:
    """Whatever the order of sets, which changes with the seed of hashes."""
    program = (
        f"import sys; sys.path.insert(0, {os.path.dirname(__file__)!r}); import test_determinism as t; "  # noqa: PTH120
        "print(t.digest(t.stream(1), t.Tracker()))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == digest(stream(1), Tracker())

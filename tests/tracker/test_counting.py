"""What a run has met."""

from __future__ import annotations

import numpy as np

from tracker import Detections, Tracker, Tracks
from tracker.counting import EmbeddedCount, IdentityCount, MatchCount


def test_every_number_counts_once_whenever_it_comes() -> None:
    count = IdentityCount()
    totals = []
    for ids in ([], [1, 2], [2], [], [2, 4, 3], [1], [4, 5]):
        n = len(ids)
        boxes = np.zeros((n, 4), np.float32)
        rows = np.arange(n)
        count.update(Tracks(np.array(ids, np.int64), boxes, np.ones(n, np.float32), rows, rows))
        totals.append(count.total)
    assert totals == [0, 2, 2, 2, 4, 4, 5]


def test_a_tracker_that_has_counted_before_is_not_counted_again() -> None:
    count = IdentityCount()
    one = np.zeros(1, np.int64)
    count.update(Tracks(one + 17, np.zeros((1, 4), np.float32), np.ones(1, np.float32), one, one))
    assert count.total == 1


def test_the_share_embedded_is_that_of_all_frames_together() -> None:
    count = EmbeddedCount()
    assert count.share == 0
    none = np.zeros(0, np.int64)
    for confident, embedded in ((3, 3), (0, 0), (5, 1)):
        boxes = np.zeros((0, 4), np.float32)
        count.update(Tracks(none, boxes, np.zeros(0, np.float32), none, none, confident=confident, embedded=embedded))
    assert (count.total, count.embedded, count.share) == (8, 4, 0.5)


def test_matches_that_appearance_decided_are_counted_where_the_tracker_explains_itself() -> None:
    """Two meet and part the way they came, which motion alone would take for passing each other."""
    looks, silent, told = np.eye(2, 16), MatchCount(), MatchCount()
    quiet, talking, by_appearance = Tracker(), Tracker(explain=True), 0
    for k, x in enumerate(np.r_[np.linspace(0, 150, 40), np.linspace(150, 0, 40)]):
        seen = Detections([[x, 0, x + 40, 100], [300 - x, 0, 340 - x, 100]], embeddings=looks)
        silent.update(quiet.update(seen, time_s=k / 25))
        tracks = talking.update(seen, time_s=k / 25)
        told.update(tracks)
        assert tracks.explanation is not None
        by_appearance += sum(match.decided_by_appearance for match in tracks.explanation.matches)
    assert (silent.total, silent.by_appearance) == (0, 0)
    assert (told.total, told.by_appearance) == (158, by_appearance)
    assert by_appearance > 0

"""Stores of which the truth is known: how pure they are, and what switches that are put in do to them."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from reid.tracklets import TrackletWriter, read_tracklets

PEOPLE, CROPS = 10, 12


def box_of(person: int) -> np.ndarray:
    """Everybody has a place."""
    return np.array([40.0 * person, 10.0, 40.0 * person + 20, 60.0])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tracklet for each person, one crop a second; everybody is there all the time."""
    folder = tmp_path_factory.mktemp("stores") / "pure"
    pairs = np.array([(a, b) for a in range(1, PEOPLE + 1) for b in range(a + 1, PEOPLE + 1)])
    with TrackletWriter(folder) as writer:
        writer.begin_run("camera", rate_hz=1.0)
        for frame in range(1, CROPS + 1):
            for person in range(1, PEOPLE + 1):
                picture = np.full((50, 20, 3), 20 * person, np.uint8)
                writer.add_crop(
                    person, picture, identity=person, frame=frame, time_s=frame - 1.0, box=box_of(person), score=0.9
                )
        writer.together(pairs, frame=1)
    return folder


@pytest.fixture(scope="module")
def clip() -> Any:
    """What is true of it."""
    frame, person = (grid.ravel() for grid in np.mgrid[1 : CROPS + 1, 1 : PEOPLE + 1])
    boxes = np.array([box_of(who) for who in person.tolist()])
    truth = SimpleNamespace(frame=frame, id=person, boxes=boxes, considered=np.ones(len(frame), bool))
    return SimpleNamespace(truth=truth)


def test_a_true_store_is_pure(store: Path, clip: Any) -> None:
    from online.purity import Purity, purity

    assert purity(clip, store) == Purity(PEOPLE * CROPS, PEOPLE, PEOPLE, 0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("share", [0.2, 0.4, 1.0])
def test_so_many_tracklets_are_corrupted_as_were_asked_for(
    store: Path, clip: Any, tmp_path: Path, share: float
) -> None:
    from online.corruption import corrupt, switched
    from online.purity import purity, store_identities

    out = corrupt(store, share, 3, tmp_path / "corrupted")
    changed, pure = read_tracklets(out), read_tracklets(store)
    found = purity(clip, out)
    assert found.mixed_tracklets == pytest.approx(share)
    assert len(changed) == len(pure)
    assert np.array_equal(changed.together, pure.together)  # what was noted stays
    who = store_identities(clip, changed)
    mixed = {t for t in range(1, PEOPLE + 1) if len(np.unique(who[changed.tracklet == t])) > 1}
    assert mixed == switched(pure, share, 3)
    for tracklet in mixed:  # one switch each: first somebody, then somebody else
        seen = who[changed.tracklet == tracklet][np.argsort(changed.time_s[changed.tracklet == tracklet])]
        assert np.count_nonzero(np.diff(seen)) == 1
    assert found.mixed_pairs > 0


def test_what_is_in_doubt_is_not_in_the_way_of_what_moves(store: Path, tmp_path: Path) -> None:
    from online.corruption import corrupt

    doubted = tmp_path / "doubted"
    shutil.copytree(store, doubted)
    with TrackletWriter(doubted, append=True) as writer:
        for person in range(1, PEOPLE + 1, 2):
            writer.doubt(person, since_s=CROPS / 2)
    before = {file: file.read_bytes() for file in doubted.rglob("*.jpg")}

    changed = read_tracklets(corrupt(doubted, 1.0, 3, tmp_path / "corrupted"))

    assert {file: file.read_bytes() for file in doubted.rglob("*.jpg")} == before
    assert all(changed.picture(row).is_file() for row in range(len(changed)))


def test_pictures_go_with_their_records(store: Path, clip: Any, tmp_path: Path) -> None:
    import cv2
    from online.corruption import corrupt
    from online.purity import store_identities

    changed = read_tracklets(corrupt(store, 0.4, 3, tmp_path / "corrupted"))
    who = store_identities(clip, changed)
    for row in range(0, len(changed), 5):
        picture = cv2.imread(str(changed.picture(row)))
        assert picture is not None
        assert abs(float(picture.mean()) - 20 * who[row]) < 3


def test_the_same_seed_corrupts_alike_and_another_one_otherwise(store: Path) -> None:
    from online.corruption import switched

    pure = read_tracklets(store)
    assert switched(pure, 0.4, 3) == switched(pure, 0.4, 3)
    assert len({frozenset(switched(pure, 0.4, seed)) for seed in range(6)}) > 1
    assert switched(pure, 0.0, 3) == set()


def test_nothing_is_unknown_any_more(store: Path, tmp_path: Path) -> None:
    from online.corruption import all_different

    alone = tmp_path / "alone"
    with TrackletWriter(alone) as writer:
        writer.begin_run("camera")
        for tracklet in (1, 2, 3):
            picture = np.zeros((50, 20, 3), np.uint8)
            writer.add_crop(tracklet, picture, identity=1, frame=tracklet, time_s=tracklet, box=box_of(1), score=0.9)
    out = read_tracklets(all_different(alone, tmp_path / "out"))
    assert len(read_tracklets(alone).together) == 0
    assert out.together.tolist() == [[1, 2], [1, 3], [2, 3]]
    assert len(out) == 3

"""Videos with hidden truth: who comes when, what is painted, and what is kept on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

HEIGHT_PX, WIDTH_PX, RATE_HZ = 180, 320, 5.0


@pytest.fixture(scope="module")
def crowd(tools_on_the_path: None) -> Any:
    from online.walks import Crowd

    return Crowd(people=8, duration_s=40.0, split_s=24.0, away_s=(1.0, 2.0))


@pytest.fixture(scope="module")
def made(crowd: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A rendered clip on disk."""
    from online.clips import ClipConfig, make_clip

    out = tmp_path_factory.mktemp("out")
    config = ClipConfig("rendered", 1200, crowd, WIDTH_PX, HEIGHT_PX, RATE_HZ)
    said: list[str] = []
    clip = make_clip(config, Path("nowhere"), out, said.append)
    again = make_clip(config, Path("nowhere"), out, said.append)
    assert len(said) == 1  # it was made once
    assert again.folder == clip.folder
    return clip


def test_people_come_in_their_part_and_come_back(crowd: Any) -> None:
    from online.walks import part_of, plan_walks

    spans = part_of(crowd)
    assert [spans.count(span) for span in ((0.0, 40.0), (0.0, 24.0), (24.0, 40.0))] == [3, 3, 2]
    walks = plan_walks([1.7] * crowd.people, 960.0, (300.0,), crowd, np.random.default_rng(3))
    for walk, (begin_s, end_s) in zip(walks, spans, strict=True):
        for visit in walk.visits:
            assert begin_s <= visit.start_s < visit.end_s <= end_s
            assert (np.diff(visit.time_s) > 0).all()
            # from outside to outside
            assert not any(0 < x < 960 for x in visit.x[[0, -1]].tolist())
        for one, following in zip(walk.visits, walk.visits[1:], strict=False):
            assert 1.0 <= following.start_s - one.end_s <= 2.0
    assert max(len(walk.visits) for walk in walks) >= 2


def test_a_street_is_the_same_for_the_same_seed_and_truth_lies_in_the_picture(crowd: Any) -> None:
    from online.street import street

    def first(seed: int, count: int) -> tuple[list[Any], Any]:
        play = street(seed, crowd, width_px=WIDTH_PX, height_px=HEIGHT_PX, rate_hz=RATE_HZ)
        frames = [frame for frame, _ in zip(play, range(count), strict=False)]
        return frames, play.truth

    frames, truth = first(1200, 40)
    again, same = first(1200, 40)
    other, _ = first(1201, 1)
    assert all(np.array_equal(a.image, b.image) for a, b in zip(frames, again, strict=True))
    assert np.array_equal(truth.box, same.box)
    assert not np.array_equal(frames[0].image, other[0].image)
    assert [frame.time_s for frame in frames[:3]] == [0.0, 0.2, 0.4]
    assert len(np.unique(truth.id)) >= 3
    assert (truth.box[:, :2] >= 0).all()
    assert (truth.box[:, 2:] <= (WIDTH_PX, HEIGHT_PX)).all()
    assert (truth.id <= crowd.people).all()


def test_a_clip_is_a_sequence_whose_parts_keep_their_numbers(made: Any) -> None:
    from online.clips import part_truth

    first, second = list(made.frames_of(1)), list(made.frames_of(2))
    assert (made.frames, made.split) == (200, 120)
    assert [first[0].index, first[-1].index, second[0].index, second[-1].index] == [1, 120, 121, 200]
    assert second[0].time_s == pytest.approx(24.0, abs=0.01)
    rows = np.loadtxt(made.detections, delimiter=",", ndmin=2)
    assert rows.shape[1] == 7
    assert 1 <= rows[:, 0].min() <= rows[:, 0].max() <= 200
    parts = [part_truth(made, part) for part in (1, 2)]
    assert sum(len(part.frame) for part in parts) == len(made.truth.frame)
    assert parts[0].frame.max() <= 120 < parts[1].frame.min()


def test_simulated_detections_serve_where_they_are_asked_for(crowd: Any, tmp_path: Path) -> None:
    from online.clips import ClipConfig, make_clip

    config = ClipConfig("rendered", 1200, crowd, WIDTH_PX, HEIGHT_PX, RATE_HZ, "simulated")
    clip = make_clip(config, Path("nowhere"), tmp_path, lambda _: None)
    rows = np.loadtxt(clip.detections, delimiter=",", ndmin=2)
    assert len(rows) > 0.6 * int(clip.truth.considered.sum())


def test_boxes_are_whom_they_show(made: Any) -> None:
    from online.parts import true_identities

    truth = made.truth
    rows = np.flatnonzero(truth.considered)[::7]
    who = true_identities(made, truth.frame[rows], truth.boxes[rows] + 1.0)
    assert (who == truth.id[rows]).mean() > 0.95  # two may stand at one place
    assert (true_identities(made, truth.frame[rows], truth.boxes[rows] + 1000.0) == -1).all()


def test_hidden_crops_are_of_the_second_part(made: Any, tmp_path: Path) -> None:
    from online.parts import hidden_crops

    crops = hidden_crops(made, tmp_path)
    assert len(crops.identities) >= 2
    assert (crops.time_s >= 23.9).all()
    assert crops.labelled.all()
    for identity in crops.identities.tolist():
        times = np.sort(crops.time_s[crops.identity == identity])
        assert (np.diff(times) >= made.spacing_s - 0.01).all()
    assert crops.pixels(np.arange(2), 64, 32).shape == (2, 64, 32, 3)


def test_composites_show_real_people(crowd: Any, shared_data: Path, tmp_path: Path) -> None:
    from online import composite as module
    from online import cutouts

    whole, sequences = shared_data / cutouts.PEOPLE, tmp_path / "data" / cutouts.PEOPLE
    sequences.mkdir(parents=True)
    for name in ("MOT17-09-FRCNN", "MOT17-11-FRCNN"):  # of all seven it takes half a minute
        (sequences / name).symlink_to(whole / name)
    (tmp_path / "data" / "video").symlink_to(shared_data / "video")
    people = cutouts.read_people(tmp_path / "data", tmp_path / "cache")
    again = cutouts.read_people(tmp_path / "nowhere", tmp_path / "cache")  # from the cache alone
    assert [person.name for person in again] == [person.name for person in people]
    assert len(people) >= 6
    for person, same in zip(people, again, strict=True):
        assert len(person.pictures) == len(person.masks) >= 3
        assert np.array_equal(person.masks[0], same.masks[0])
        assert 0.25 < (person.masks[0] > 128).mean() < 0.9  # neither nothing nor the whole box
    size = {"width_px": WIDTH_PX, "height_px": HEIGHT_PX, "rate_hz": RATE_HZ}
    play = module.composite(tmp_path / "data", tmp_path / "cache", 1200, crowd, **size)
    frames = [frame.image for frame, _ in zip(play, range(30), strict=False)]
    assert frames[0].shape == (HEIGHT_PX, WIDTH_PX, 3)
    assert len(np.unique(play.truth.id)) >= 2
    # where somebody is, the picture differs from the empty place
    empty = play._backdrop.image
    x1, y1, x2, y2 = play.truth.box[-1].astype(int)
    inside = np.abs(frames[-1][y1:y2, x1:x2].astype(int) - empty[y1:y2, x1:x2]).mean()
    assert inside > 15

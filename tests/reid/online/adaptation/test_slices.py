"""What is trained on and what the gate sees have nobody in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from reid.data import Crops, join_crops
from reid.data.config import DataConfig
from reid.data.stores import read_store_crops
from reid.errors import InputError
from reid.online.purity import PurityConfig, purify
from reid.online.slices import SliceConfig, accompanied, hold_out, of_pieces, seen_by_training, sides, still_told_of
from reid.tracklets import TrackletWriter

Film = Callable[..., Path]


def parted(crops: Crops, config: SliceConfig, before: Mapping[str, bool] | None = None) -> tuple[Crops, Crops]:
    held_out = hold_out(crops, config, before)
    return crops.subset(~held_out), crops.subset(held_out)


def test_those_who_were_there_last_are_held_out_with_their_company(film: Film) -> None:
    crops = read_store_crops(film(people=30), DataConfig())
    trained, held_out = parted(crops, SliceConfig(held_out_share=0.3))
    assert len(trained) + len(held_out) == len(crops)
    assert not set(crops.kin[trained.identity].tolist()) & set(crops.kin[held_out.identity].tolist())
    assert float(held_out.time_s.min()) > float(trained.time_s.max())
    assert 0.3 * len(crops) <= len(held_out) <= 0.35 * len(crops)
    assert len(accompanied(held_out)) == len(held_out.identities) >= 9


def test_whoever_the_tracker_takes_for_one_is_on_one_side(film: Film) -> None:
    crops = read_store_crops(film(people=12), DataConfig())
    names = [str(number) for number in range(len(crops.names))]
    # the first and the last tracklet are one person's
    kin = np.arange(len(names))
    kin[-1] = 0
    joined = crops.regrouped(crops.identity, names, labelled=False, together=crops.together, kin=kin)
    for share in (0.2, 0.4, 0.6):
        trained, held_out = parted(joined, SliceConfig(held_out_share=share))
        assert (0 in trained.identity) == (11 in trained.identity)
        assert (0 in held_out.identity) == (11 in held_out.identity)


def test_whoever_was_held_out_once_stays_so_and_nobody_trained_on_ever_is(film: Film) -> None:
    crops = read_store_crops(film(people=30), DataConfig())
    config = SliceConfig(held_out_share=0.3)
    earlier = crops.subset(crops.identity < 20)
    first = hold_out(earlier, config)
    before = sides(earlier, first)
    assert len(before) == 20
    second = hold_out(crops, config, before)
    known = crops.identity < 20
    np.testing.assert_array_equal(second[known], first)
    # of the newcomers as many as keep the share, and the latest of them
    assert 0.3 * len(crops) <= second.sum() <= 0.35 * len(crops)
    assert crops.time_s[second & ~known].min() > crops.time_s[~second].max()
    # alone they would be held out as the latest
    assert hold_out(earlier, config, dict.fromkeys(before, False)).sum() == 0


def test_followed_anew_nobody_is_held_out_who_was_trained_on(film: Film) -> None:
    """The second time names are others, a gap within the last trained on moves the share, and two are taken for one."""
    crops = read_store_crops(film(people=30), DataConfig())
    config = SliceConfig(held_out_share=0.3)
    first = hold_out(crops, config)
    until = seen_by_training(crops, first)
    trained = set(crops.identity[~first].tolist())
    fewer = crops.subset(crops.identity % 5 != 4)  # of those who are left, the share would take others
    again = fewer.regrouped(fewer.identity, [f"again {name}" for name in fewer.names], labelled=False, together=[])
    moved = hold_out(again, SliceConfig(held_out_share=0.5))
    assert trained & set(again.identity[moved].tolist())
    second = hold_out(again, SliceConfig(held_out_share=0.5), seen_until=until)
    held_out = set(again.identity[second].tolist())
    assert not trained & held_out
    assert len(held_out) >= 4
    joined = again.regrouped(
        again.identity, again.names, labelled=False, together=[],
        kin=np.where(np.arange(len(again.names)) == max(held_out), min(trained), np.arange(len(again.names))),
    )  # fmt: skip
    third = hold_out(joined, SliceConfig(held_out_share=0.5), seen_until=until)
    assert set(joined.identity[third].tolist()) == held_out - {max(held_out)}


def test_followed_anew_every_video_has_its_own_time(film: Film) -> None:
    one, two = (read_store_crops(film(name, people=12), DataConfig()) for name in ("one", "two"))
    one.unix_s[:] = two.unix_s[:] = np.nan
    videos = join_crops([one, two])
    held_out = hold_out(videos, SliceConfig(held_out_share=0.3))
    until = seen_by_training(videos, held_out)
    assert until[0] == np.inf, "of the first video nobody is held out"
    assert until[1] < 40
    again = hold_out(videos, SliceConfig(held_out_share=0.9), seen_until=until)
    assert not (again & (videos.group == 0)).any()
    assert (again & held_out).any()
    assert not (again & ~held_out).any()


def test_followed_anew_a_video_may_be_the_first_time_without_a_pure_piece(film: Film) -> None:
    videos = join_crops([read_store_crops(film(name, people=12), DataConfig()) for name in ("one", "two")])
    first = videos.subset(videos.group == 0)
    until = seen_by_training(first, hold_out(first, SliceConfig(held_out_share=0.3)))
    assert until[1] == -np.inf
    for known in (until, until[:1]):  # the second as of a run that was not there
        again = hold_out(videos, SliceConfig(), seen_until=known)
        assert again[videos.group == 1].all(), "nobody there was trained on"
        assert 0 < again[videos.group == 0].sum() < len(first)


def test_followed_anew_a_run_keeps_its_time_where_another_one_is_empty(tmp_path: Path, film: Film) -> None:
    def filmed(name: str, wide: tuple[bool, ...]) -> Crops:
        with TrackletWriter(tmp_path / name) as writer:
            for number, is_wide in enumerate(wide):
                writer.begin_run("street", rate_hz=2.0)
                writer.add_crop(
                    number, np.zeros((32, 16, 3), np.uint8), identity=number, frame=1, time_s=1.0 + number,
                    box=np.array([0.0, 0, 40 if is_wide else 1, 90]), score=0.9, covered=0.0, class_number=0,
                )  # fmt: skip
        return read_store_crops(tmp_path / name, DataConfig())

    assert filmed("all", (True, True, True)).group.tolist() == [0, 1, 2]
    one = filmed("one", (False, True, False))
    assert (one.group.tolist(), one.groups) == ([1], 3)
    assert join_crops([one, read_store_crops(film(people=3), DataConfig())]).group[[0, 1]].tolist() == [1, 3]
    assert hold_out(one, SliceConfig(), seen_until=(np.inf, 1.5, np.inf)).all(), "it was there at 2 s"


def test_sessions_of_which_nothing_is_left_are_forgotten(film: Film) -> None:
    crops = read_store_crops(film(people=12), DataConfig())
    names = sides(crops, hold_out(crops, SliceConfig()))
    assert still_told_of(names | {"door, long ago: 3": True}, crops) == names


def test_runs_that_overlap_are_put_in_order_by_the_clock(film: Film) -> None:
    both = join_crops([read_store_crops(film(name, people=6), DataConfig()) for name in ("a", "b")])
    both.unix_s = np.where(both.group == 0, 5000.0, 0.0) + both.time_s
    assert set(both.group[hold_out(both, SliceConfig(held_out_share=0.3))].tolist()) == {0}
    both.unix_s[:] = np.nan
    assert set(both.group[hold_out(both, SliceConfig(held_out_share=0.3))].tolist()) == {1}


def test_pieces_keep_pictures_times_and_kin(film: Film) -> None:
    crops = read_store_crops(film(people=6, crops=8), DataConfig())
    vectors = np.eye(8, dtype=np.float32)[crops.identity]
    pieces = purify(vectors, crops.identity, crops.time_s, crops.together, PurityConfig(least_crops=4))
    out = of_pieces(crops, pieces)
    assert len(out) == len(crops)
    assert not out.labelled.any()
    rows = np.arange(len(crops))
    np.testing.assert_array_equal(out.pixels(rows, 32, 16), crops.pixels(rows, 32, 16))
    np.testing.assert_array_equal(out.time_s, crops.time_s)
    np.testing.assert_array_equal(out.relations(rows), crops.relations(rows))
    np.testing.assert_array_equal(out.kin[out.identity], crops.kin[crops.identity])


def test_settings_are_checked() -> None:
    with pytest.raises(InputError, match="held_out_share must be above 0 and below 1"):
        SliceConfig(held_out_share=1)
    with pytest.raises(InputError, match="least_trained must be a whole number of at least 2"):
        SliceConfig(least_trained=1)

"""What the benchmark harvests of a clip: what `reidtrack track --online` does."""

from __future__ import annotations

import errno
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from reid.embedder import DEFAULT_MODEL
from reid.online import HarvestConfig, HarvestStore
from reid.online.burst_store import burst_files
from reid.tracklets import read_tracklets
from tracker import TrackerConfig
from tracker.video.writer import CODECS, VideoWriter

RATE_HZ, SECONDS = 5.0, 36


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Two who walk to and fro side by side, of clothes with a pattern, and what a detector sees of them."""
    folder = tmp_path_factory.mktemp("clips") / "walk"
    folder.mkdir()
    people = np.random.default_rng(0).integers(0, 256, (2, 15, 8, 3), np.uint8)
    codec = next(codec for codec in CODECS if codec.name == "VP8")
    writer = VideoWriter(folder / "video", (320, 240), RATE_HZ, codec=codec)
    rows, frames = [], round(SECONDS * RATE_HZ)
    for number in range(frames):
        image = np.full((240, 320, 3), 90, np.uint8)
        for who, begin in enumerate((20, 150)):
            x = begin + abs(number * 3 % 200 - 100)
            image[100:220, x : x + 40] = cv2.resize(people[who], (40, 120), interpolation=cv2.INTER_NEAREST)
            rows.append(f"{number + 1},-1,{x},100,40,120,0.9\n")
        writer.write(image)
    writer.close()
    (folder / "det.txt").write_text("".join(rows), encoding="ascii")
    video = next(folder.glob("video.*"))
    return SimpleNamespace(
        folder=folder, video=video, detections=folder / "det.txt", rate_hz=RATE_HZ, frames=frames, split=frames
    )


def test_it_is_harvested_as_on_site(clip: Any, tmp_path: Path) -> None:
    from online.harvesting import BEGIN_UNIX_S, harvest

    site = harvest(clip, DEFAULT_MODEL, tmp_path)
    store = read_tracklets(site.tracklets)
    (run,) = store.runs
    assert (run.source, run.began_unix_s) == ("walk", pytest.approx(BEGIN_UNIX_S))
    assert run.session  # only a harvest has one
    assert store.identity.size >= 40
    for track in np.unique(store.identity).tolist():
        assert np.diff(np.sort(store.time_s[store.identity == track])).min() >= HarvestConfig().spacing_s - 1e-6
    (burst,) = burst_files(site.bursts)
    assert harvest(clip, DEFAULT_MODEL, tmp_path) == site
    assert burst_files(site.bursts) == [burst]


def test_bursts_can_be_tracked_again_by_the_tracker_that_ran(clip: Any, tmp_path: Path) -> None:
    from online.harvesting import harvest

    from reid.embedder import Embedder
    from reid.online.burst import read_burst
    from tracker.cli.replaying import replays_of

    site = harvest(clip, DEFAULT_MODEL, tmp_path)
    assert read_burst(burst_files(site.bursts)[0]).info.tracker["high_score"] == TrackerConfig().high_score
    (replayed,) = replays_of(site.bursts, Embedder(DEFAULT_MODEL, device="cpu", threads=1))
    assert replayed is not None
    assert replayed.births == 2


def test_a_harvest_that_is_not_whole_is_none(clip: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from online.harvesting import harvest

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(HarvestStore, "add", full)
        with pytest.raises(RuntimeError, match=r"lost \d+ crops.*No space left"):
            harvest(clip, DEFAULT_MODEL, tmp_path)
    harvest(clip, DEFAULT_MODEL, tmp_path)  # nothing of it is taken for the whole

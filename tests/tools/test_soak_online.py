"""The soak of learning on site: what it would notice, and short ones of its parts."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from reid.embedder import DEFAULT_MODEL
from reid.online import BaseModel, Harvester, HarvestStore, HarvestStoreConfig, OnlineFolder
from reid.online.config import HarvestConfig
from reid.online.registry import ModelRegistry

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it looks into /proc")


@pytest.fixture
def site(tmp_path: Path) -> OnlineFolder:
    """An online folder with a model and a harvest."""
    base = BaseModel("default", hashlib.sha256(DEFAULT_MODEL.read_bytes()).hexdigest())
    folder = OnlineFolder.make(tmp_path / "site", base)
    ModelRegistry(folder)
    image = np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)
    config = HarvestConfig(least_age_s=0, least_sharpness=0)
    store = HarvestStore(folder, HarvestStoreConfig(least_free_mb=0), camera="door")
    with Harvester(store, config) as harvester:
        for number in range(6):
            boxes = [[10, 10, 60, 150], [110, 10, 160, 150]]
            harvester.observe(image, ids=[1, 2], boxes=boxes, scores=[0.9, 0.9], time_s=0.4 * number)
    return folder


@pytest.fixture
def commands(tmp_path: Path, site: OnlineFolder) -> Any:
    """The commands over that folder, without a clip."""
    from online.commands import Commands

    with Commands(tmp_path, SimpleNamespace()) as made:  # type: ignore[arg-type]
        yield made


def test_a_sound_folder_is_found_to_be_sound(site: OnlineFolder) -> None:
    from online.soundness import ASKED, examine, strangers

    assert examine(site.path) == {name: [] for name in ASKED}
    assert strangers(site.path) == []


def add_a_file(site: OnlineFolder) -> None:
    (site.path / "other.txt").write_text("?")


def leave_a_model(site: OnlineFolder) -> None:
    (site.models / "7-000000000000.onnx.part").write_bytes(b"half")


def cut_a_picture(site: OnlineFolder) -> None:
    path = next(iter(sorted(site.harvest.rglob("*.jpg"))))
    path.write_bytes(path.read_bytes()[:-9])


def spoil_a_picture(site: OnlineFolder) -> None:
    path = next(iter(sorted(site.harvest.rglob("*.jpg"))))
    path.write_bytes(bytes(path.stat().st_size))


def damage_the_registry(site: OnlineFolder) -> None:
    site.current.write_text("{")


def say_more_in_the_history(site: OnlineFolder) -> None:
    last = next(event for event in site.history.read() if "change" in event)
    site.history.append("admitted", **{k: v for k, v in last.items() if k not in ("event", "unix_s")} | {"number": 5})


def damage_the_header(site: OnlineFolder) -> None:
    (site.path / "online.json").write_text("{}")


def leave_two_rounds(site: OnlineFolder) -> None:
    for number in "12":
        (site.training / number).mkdir(parents=True)


@pytest.mark.parametrize(
    ("harm", "where", "says"),
    [
        (add_a_file, "files", "other.txt does not belong there"),
        (leave_a_model, "files", "is of no model that is kept"),
        (leave_two_rounds, "files", "2 rounds left their folders"),
        (cut_a_picture, "harvest", "left out 1 crops"),
        (spoil_a_picture, "harvest", "is no picture"),
        (damage_the_registry, "model", "current.json cannot be read"),
        (say_more_in_the_history, "model", "the history ends with"),
        (damage_the_header, "opens", "must be of schema"),
    ],
)
def test_what_is_wrong_is_noticed(site: OnlineFolder, harm: Any, where: str, says: str) -> None:
    from online.soundness import examine

    harm(site)
    assert says in "; ".join(examine(site.path)[where])


def test_a_lock_that_is_held_is_noticed(site: OnlineFolder) -> None:
    from online.soundness import examine

    with site.lock_worker():
        assert examine(site.path)["locks"] == ["lock.worker is held"]


def test_a_file_that_no_record_speaks_of_is_found(site: OnlineFolder) -> None:
    from online.soundness import strangers

    store = next(iter(site.harvest.glob("door/*")))
    cv2.imwrite(str(store / "pictures" / "000001" / "00000099.jpg"), np.zeros((8, 8, 3), np.uint8))
    assert strangers(site.path) == [f"harvest/door/{store.name}/pictures/000001/00000099.jpg"]


def test_a_moment_comes_after_what_is_seen_or_not_at_all(tmp_path: Path) -> None:
    from online.moments import WORKER_SIGHTS, Moment, Sight

    sight = Sight("writing", "training/*/candidate.onnx", 0.05)
    moment = Moment("writing", sight, 0.01)
    (tmp_path / "training" / "1").mkdir(parents=True)
    old = tmp_path / "training" / "1" / "candidate.onnx"
    old.write_text("of an earlier round")
    time.sleep(0.02)
    lives = iter([True] * 5)
    assert not moment.wait(tmp_path, lambda: next(lives, False)), "what was there before is not waited for"
    assert not moment.wait(tmp_path, lambda: True, longest_s=0.02), "nor is anything for ever"
    lives = iter([True] * 5)

    def writes() -> bool:
        if not next(lives, False):
            old.write_text("of this one")
        return True

    assert moment.wait(tmp_path, writes)
    rng = np.random.default_rng(0)
    drawn = [Moment.draw(WORKER_SIGHTS, 10.0, rng) for _ in range(200)]
    anything = [each.after_s for each in drawn if each.sight is None]
    assert 70 < len(anything) < 130
    assert max(anything) > 9
    assert {each.doing for each in drawn} == {"anything", *(each.doing for each in WORKER_SIGHTS)}


def test_what_commands_leave_is_found_and_killed(commands: Any, tmp_path: Path) -> None:
    from online.commands import is_alive, kill

    sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
    with subprocess.Popen(sleeper) as other:
        assert commands.start("online", "status", "DIR").wait(60) == 0
        assert "live: model 0" in commands.log_path.read_text()
        assert commands.running() == []
        assert commands.all_gone_s() < 60
        worker = commands.start("online", "worker", "DIR")
        while worker.pid not in commands.running():  # it is not itself before it has begun
            assert worker.poll() is None
        assert commands.running() == [worker.pid]
        assert kill(worker.pid)
        worker.wait()
        assert not is_alive(worker.pid)
        assert is_alive(other.pid)
        other.kill()


def test_settings_are_those_of_the_command_line(commands: Any) -> None:
    from reid.online.config import OnlineConfig
    from tracker.cli.config_file import load_config
    from tracker.cli.schema import build

    gated, open_ = (build(OnlineConfig, load_config(path, OnlineConfig)) for path in (commands.gated, commands.open))
    assert (gated.gate.enabled, open_.gate.enabled) == (True, False)
    assert gated.cycle.least_new_crops == open_.cycle.least_new_crops == 0
    plain = build(OnlineConfig, load_config(commands.settings("plain.yaml", defaults=True), OnlineConfig))
    assert plain == OnlineConfig()


def test_a_folder_survives_a_damaged_registry_and_clocks(commands: Any, site: OnlineFolder) -> None:
    pytest.importorskip("torch", reason="of the module that trains")
    from online.damage import corrupt_candidate, corrupt_current, flip, set_the_clock
    from online.soundness import ASKED, examine

    rng = np.random.default_rng(0)
    assert corrupt_current(commands, rng) == []
    assert corrupt_candidate(commands, rng) == []
    assert set_the_clock(commands) == []
    assert examine(site.path) == {name: [] for name in ASKED}
    path = site.path / "worker.log"
    path.write_bytes(bytes(100))
    flip(path, rng, first=90)
    assert path.read_bytes()[:90] == bytes(90)
    assert 0 not in path.read_bytes()[90:]


def test_models_go_live_and_are_gone_back_from_while_it_tracks(site: OnlineFolder, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="of models with other weights")
    from online.offers import Offers
    from online.soundness import ASKED, examine

    offers, numbers = Offers(tmp_path, 3), []
    for _ in range(6):
        with offers.within(site.path, 0.01):
            pass
        numbers.append(ModelRegistry(site).current().number)
    assert offers.problems == []
    assert max(numbers) >= 2
    assert any(later < before for before, later in pairwise(numbers))
    assert examine(site.path) == {name: [] for name in ASKED}


def test_a_killed_tracker_is_seen_to_leave_a_sound_folder(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="of models that go live meanwhile")
    from online.clips import ClipConfig, make_clip
    from online.commands import Commands, ended
    from online.kills import Killing
    from online.walks import Crowd

    crowd = Crowd(people=4, duration_s=20.0, split_s=20.0, all_along=1.0, away_s=(0.5, 1.0))
    clip = make_clip(
        ClipConfig("rendered", 2002, crowd, 320, 180, 5.0, "simulated"), tmp_path, tmp_path, lambda _: None
    )
    with Commands(tmp_path, clip) as commands:
        assert ended(commands.track(commands.gated)) == 0
        killing = Killing(commands, 0, lambda _: None)
        killing._track_s = 0.5  # it is still loading then
        while killing._kill_one("tracker") is None:
            pass
        assert killing._look() == []
        assert killing.tally.kills["tracker"] == 1
        assert commands.running() == []


@pytest.fixture(scope="module")
def week(tools_on_the_path: None, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Three "days" of two hours, with a cap that they reach."""
    from online.week import BEGIN_UNIX_S, Week, harvest_for

    store = HarvestStoreConfig(most_mb=2, keep_days=1.0, least_free_mb=0)
    path = tmp_path_factory.mktemp("week") / "site"
    simulated = Week(path, store, begin_unix_s=BEGIN_UNIX_S + 10 * 3600, day_s=2 * 3600)
    return simulated, harvest_for(3, simulated, lambda _: None)


def test_a_short_week(week: Any) -> None:
    from online.week_report import of_week

    simulated, found = week
    checks = {check.asked: check for check in of_week(simulated.folder, simulated.config, found, simulated.now_s)}
    # times are the machine's, and of so few crops an hour one more or less is much
    left_out = [asked for asked in checks if asked.startswith(("the time of", "hours of a camera"))]
    assert len(left_out) == 3
    assert [check.faults for asked, check in checks.items() if asked not in left_out] == [()] * 6
    assert len(found.days) == 3
    assert found.days[-1].most_mb > 1.8


def test_a_week_that_is_not_flat_is_noticed(week: Any) -> None:
    from online.week_report import of_week

    simulated, found = week
    last = found.days[-1]
    worse = replace(last, resident_mb=last.resident_mb + 50, most_mb=2.2, call_yardsticks=1e6)
    steep = replace(found, days=[*found.days[:-1], worse], lost=3)
    picture = min(simulated.folder.harvest.rglob("*.jpg"))
    data = picture.read_bytes()
    picture.unlink()
    faults = [fault for c in of_week(simulated.folder, simulated.config, steep, simulated.now_s) for fault in c.faults]
    picture.write_bytes(data)
    for says in ("3 crops were lost", "it grew by", "times as long", "2.200 MB", "left out 1 crops"):
        assert says in " ".join(faults)


def test_the_share_of_the_speed_is_that_of_medians() -> None:
    from online.speed import Run, report

    rates = {"alone": (50.0, 40.0, 60.0), "paused": (49.0, 50.0, 51.0), "training": (45.0, 41.0, 10.0)}
    runs = [Run(mode, rate, 10.0, 5.0, 1) for mode, several in rates.items() for rate in several]
    checks = report(runs)
    assert all(check.met for check in checks)
    assert "41.0 frames a second (10.0 to 45.0, 3 runs): 82%" in checks[2].found
    slow = [Run(run.mode, run.rate_hz * (0.9 if run.mode == "training" else 1), 10.0, 5.0, 0) for run in runs]
    assert report(slow)[2].faults[0] == "73.8%"
    assert "began no round" in report(slow)[2].faults[1]


def test_a_missed_bar_is_said_and_told_by_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    import soak_online
    from online.checks import Check

    good, bad = Check("a", "1"), Check("b", "2", tuple(f"wrong {number}" for number in range(7)))
    monkeypatch.setattr(soak_online, "week", lambda _args, _out: [good])
    assert soak_online.main(["--week", "--out", str(tmp_path)]) == 0
    assert "| a | 1 | met |" in capsys.readouterr().out
    monkeypatch.setattr(soak_online, "speed", lambda _args, _out: [bad])
    assert soak_online.main(["--week", "--speed", "--out", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "| b | 2 | MISSED |" in said
    assert "- b: and 2 more" in said
    with pytest.raises(SystemExit):
        soak_online.main([])

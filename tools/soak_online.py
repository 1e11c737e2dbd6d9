"""Whether learning on site lasts: kills, damage, a full disk, a week of harvesting, and how fast it tracks beside it.

    python tools/soak_online.py --kills [--worker-kills 50] [--tracker-kills 20] [--seed 0]
    python tools/soak_online.py --week [--days 7]
    python tools/soak_online.py --speed [--repeats 5]

--kills lets one online folder live through kill -9 of the worker and of `reidtrack track --online`, as processes, at
random moments, and through damaged files, a full disk, clocks that are set, and two trackers and two workers at once.
After each the folder must be sound. --week harvests for a simulated week of several cameras, days and nights: memory,
disk and time must stay flat. --speed compares the frames a second of tracking alone, with a worker that is paused and
with one that trains all the time.

Everything is rendered by the tool itself, and kept where --out says, so that another run of --kills goes on with the
same folder. Linux alone. Prints a table in Markdown for each; exit status 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy

import cv2
from online.checks import Check, markdown


def say(text: str) -> None:
    """A line of progress."""
    print(text, file=sys.stderr, flush=True)


def kills(args: argparse.Namespace, out: Path) -> list[Check]:
    """Processes that are killed, and all else that may befall a folder."""
    from online.clips import ClipConfig, make_clip
    from online.commands import Commands
    from online.kills import survive_kills
    from online.walks import Crowd

    crowd = Crowd(people=args.people, duration_s=args.clip_s, split_s=args.clip_s, all_along=1.0, away_s=(1.0, 4.0))
    config = ClipConfig("rendered", 2000, crowd, 480, 270, args.rate_hz, "simulated")
    clip = make_clip(config, out, out, say)
    work = out / "kills"
    work.mkdir(exist_ok=True)
    with Commands(work, clip) as commands:
        checks = survive_kills(commands, args.worker_kills, args.tracker_kills, args.seed, say)
    if args.no_damage:
        return checks
    from online.damage import survive_damage

    work = out / "damage"  # in which no hours are quarantined, as may have come of so many models
    work.mkdir(exist_ok=True)
    with Commands(work, clip) as commands:
        return [*checks, *survive_damage(commands, args.seed, say)]


def week(args: argparse.Namespace, out: Path) -> list[Check]:
    """A simulated week of harvesting."""
    from online.week import Week, harvest_for
    from online.week_report import of_week

    from reid.online import HarvestStoreConfig

    store = HarvestStoreConfig(most_mb=args.most_mb, keep_days=args.keep_days, least_free_mb=0)
    with tempfile.TemporaryDirectory(prefix="week-", dir=out) as path:
        simulated = Week(Path(path) / "site", store)
        found = harvest_for(args.days, simulated, say)
        return of_week(simulated.folder, store, found, simulated.now_s)


def speed(args: argparse.Namespace, out: Path) -> list[Check]:
    """Tracking alone, and beside a worker."""
    from online.clips import ClipConfig, make_clip
    from online.commands import Commands
    from online.speed import measure_speed
    from online.walks import Crowd

    crowd = Crowd(duration_s=args.speed_clip_s, split_s=args.speed_clip_s, all_along=1.0)
    clip = make_clip(ClipConfig("rendered", 2001, crowd), out, out, say)
    with tempfile.TemporaryDirectory(prefix="speed-", dir=out) as work, Commands(Path(work), clip) as commands:
        return measure_speed(commands, args.repeats, say)


def main(argv: Sequence[str] | None = None) -> int:
    """Run what was asked for; 1 where a bar is missed."""
    args = parse(argv)
    cv2.setNumThreads(1)
    wrong = False
    with tempfile.TemporaryDirectory() as temporary:
        out = args.out or Path(temporary)
        out.mkdir(parents=True, exist_ok=True)
        for part, asked, title in (
            (kills, args.kills, "What an online folder survives"),
            (week, args.week, f"{args.days} simulated days of harvesting"),
            (speed, args.speed, "Frames a second with learning beside it"),
        ):
            if asked:
                checks = part(args, out.resolve())
                print(markdown(title, checks), flush=True)
                wrong |= not all(check.met for check in checks)
    return int(wrong)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", action="store_true", help="kill, damage, fill the disk, set the clock")
    parser.add_argument("--worker-kills", type=int, default=50, help="default: %(default)s")
    parser.add_argument("--tracker-kills", type=int, default=20, help="default: %(default)s")
    parser.add_argument("--no-damage", action="store_true", help="kills alone")
    parser.add_argument("--people", type=int, default=14, help="in the clip that is tracked (default: %(default)s)")
    parser.add_argument("--clip-s", type=float, default=30.0, help="its length (default: %(default)s)")
    parser.add_argument("--rate-hz", type=float, default=10.0, help="its frames a second (default: %(default)s)")
    parser.add_argument("--week", action="store_true", help="harvest for a simulated week")
    parser.add_argument("--days", type=int, default=7, help="of it (default: %(default)s)")
    parser.add_argument("--most-mb", type=int, default=30, help="cap of its harvest (default: %(default)s)")
    parser.add_argument("--keep-days", type=float, default=2.0, help="and its time to live (default: %(default)s)")
    parser.add_argument("--speed", action="store_true", help="compare the speed with and without learning")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each (default: %(default)s)")
    parser.add_argument("--speed-clip-s", type=float, default=120.0, help="length of its clip (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of all that is drawn (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="what is made is kept here; a temporary folder without it")
    args = parser.parse_args(argv)
    if not (args.kills or args.week or args.speed):
        parser.error("give --kills, --week or --speed")
    return args


if __name__ == "__main__":
    sys.exit(main())

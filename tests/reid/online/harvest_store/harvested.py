"""What the tests of the harvest store ask of one."""

from __future__ import annotations

from reid.data.stores import find_stores
from reid.online.hours import hour_name
from reid.tracklets import read_tracklets


def hour_of(number):
    return hour_name(1_780_000_000 + 3600 * number)


def stores(folder):
    return {path.relative_to(folder.harvest).as_posix(): read_tracklets(path) for path in find_stores(folder.harvest)}

"""Files that are replaced as a whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reid.atomic import write_whole
from reid.locking import is_locked, open_locked


def test_a_file_that_is_replaced_keeps_its_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owners: list[tuple[int, int]] = []
    stat = Path.stat

    def of_somebody(path: Path, **options: bool) -> os.stat_result:
        fields = list(stat(path, **options))
        fields[4:6] = [1234, 567]  # st_uid, st_gid
        return os.stat_result(fields)

    write_whole(tmp_path / "a", b"old")
    monkeypatch.setattr(Path, "stat", of_somebody)
    monkeypatch.setattr(os, "fchown", lambda _file, owner, group: owners.append((owner, group)))
    write_whole(tmp_path / "a", b"new")
    assert owners == [(1234, 567)]
    assert (tmp_path / "a").read_bytes() == b"new"


def test_whoever_may_not_give_files_away_replaces_them_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_file: int, _owner: int, _group: int) -> None:
        raise PermissionError("Operation not permitted")

    monkeypatch.setattr(os, "fchown", refuse)
    for data in (b"old", b"new"):
        write_whole(tmp_path / "a", data)
        assert (tmp_path / "a").read_bytes() == data


def test_a_lock_that_may_only_be_read_can_be_asked_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lock"
    file = open_locked(path)
    assert file is not None
    plain = os.open

    def read_alone(path: Path, flags: int, mode: int = 0o777) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR):
            raise PermissionError("Permission denied")
        return plain(path, flags, mode)

    monkeypatch.setattr(os, "open", read_alone)
    assert is_locked(path)
    os.close(file)
    assert not is_locked(path)

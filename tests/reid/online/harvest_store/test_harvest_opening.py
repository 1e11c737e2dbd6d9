"""The store of a harvest opens again, whatever happened."""

from __future__ import annotations

import logging

import pytest
from harvested import hour_of, stores

from reid.errors import DataError
from reid.online import ledger
from reid.online.ledger import harvest_totals
from reid.tracklets.tidying import weigh_tracklets

pytestmark = pytest.mark.usefixtures("fast_disk")


class TestOpeningAgain:
    def test_what_a_killed_process_left_is_put_in_order(self, folder, make, sheaf, caplog):
        store = make()
        store.add(sheaf(hour_of(0)))
        store.close()
        path = folder.harvest / "door" / hour_of(0)
        with (path / "store.jsonl").open("ab") as file:
            file.write(b'{"kind":"crop","tracklet":1,"frame":9,"bytes":10}\n{"kind":"cr')
        (path / "pictures/000001/00000044.jpg").write_bytes(b"without a record")
        half_removed = folder.harvest / "door" / hour_of(1) / "pictures" / "000001"
        half_removed.mkdir(parents=True)
        (half_removed / "00000001.jpg").write_bytes(b"of a store whose records are gone")
        store = make()
        with caplog.at_level(logging.WARNING):
            assert [len(read) for read in stores(folder).values()] == [2]
        assert not caplog.text
        assert not half_removed.parent.parent.exists()
        assert [total.size.crops for total in store.totals()] == [2]

    def test_hours_that_did_not_change_are_not_read_again(self, folder, make, sheaf, monkeypatch):
        store = make()
        for hour in range(3):
            store.add(sheaf(hour_of(hour), number=hour))
        store.close()
        import reid.online.ledger as ledger

        real, read = ledger.tidy_tracklets, []
        monkeypatch.setattr(ledger, "tidy_tracklets", lambda path: read.append(path.name) or real(path))
        again = make()
        assert read == []
        assert again.totals() == store.totals()
        (folder.harvest / "door" / hour_of(1) / "store.jsonl").touch()
        make()
        assert read == [hour_of(1)]

    @pytest.mark.parametrize(
        "content", ["", "{", "[1]", '{"hours": 5}', '{"hours": {"door": {}}}', '{"hours": {"a/b": {"stamp": null}}}']
    )
    def test_totals_that_are_damaged_are_counted_anew(self, folder, make, sheaf, content):
        store = make()
        store.add(sheaf())
        store.close()
        (folder.harvest / "totals.json").write_text(content)
        assert make().totals() == store.totals() == harvest_totals(folder)

    def test_what_is_no_store_is_left_alone(self, folder, make, sheaf):
        (folder.harvest / "notes").mkdir(parents=True)
        (folder.harvest / "notes" / "readme.txt").write_text("mine")
        (folder.harvest / "door").write_text("a file in the way")
        store = make("yard")
        store.add(sheaf())
        store.close()
        assert (folder.harvest / "notes" / "readme.txt").read_text() == "mine"
        store = make("door")
        with pytest.raises(OSError, match="door"):
            store.add(sheaf())

    def test_a_store_of_a_later_version_is_left_alone(self, folder, make, sheaf, caplog):
        later = folder.harvest / "door" / "20260601-10"
        later.mkdir(parents=True)
        (later / "store.jsonl").write_text('{"schema":"reidtrack.tracklets","version":2}\n')
        store = make()
        assert "must be of version 1 or lower, got 2" in caplog.text
        with pytest.raises(DataError, match="version 1 or lower"):
            store.add(sheaf())
        store.add(sheaf(hour_of(5)))
        store.close()
        assert (later / "store.jsonl").read_text().endswith("2}\n")

    def test_an_hour_that_cannot_be_read_is_deleted_once_it_was_kept_for_long_enough(self, folder, make, sheaf, clock):
        store = make()
        for hour in range(2):
            store.add(sheaf(hour_of(hour), number=hour))
        store.close()
        damaged = folder.harvest / "door" / hour_of(0)
        records = damaged / "store.jsonl"
        records.write_bytes(records.read_bytes().replace(b'"version":1', b'"version":3', 1))
        assert [total.size.crops for total in harvest_totals(folder)] == [0, 2]
        store = make()
        clock.now_s += 30 * 86400
        store.sweep()
        assert damaged.exists()
        clock.now_s += 3600
        store.sweep()
        assert not damaged.exists()
        assert [total.hour for total in store.totals()] == [hour_of(1)]

    def test_an_hour_that_cannot_be_read_is_told_of_once_and_looked_at_again_when_it_changes(
        self, folder, make, sheaf, caplog, monkeypatch
    ):
        weighed = []

        def weigh(path):
            weighed.append(path)
            return weigh_tracklets(path)

        monkeypatch.setattr(ledger, "weigh_tracklets", weigh)
        store = make()
        store.add(sheaf())
        store.close()
        [records] = folder.harvest.rglob("store.jsonl")
        whole = records.read_bytes()
        records.write_bytes(whole.replace(b'"version":1', b'"version":3', 1))
        store = make()
        for _ in range(3):
            store.sweep()
            harvest_totals(folder)
        assert (caplog.text.count("left alone"), len(weighed)) == (1, 1)
        records.write_bytes(whole.replace(b'"version":1', b'"version":42', 1))
        for _ in range(3):
            store.sweep()
            harvest_totals(folder)
        assert (caplog.text.count("left alone"), len(weighed)) == (2, 2)
        make().sweep()
        assert caplog.text.count("left alone") == 3, "another start may be of another version, which can read it"
        records.write_bytes(whole)
        store.sweep()
        assert [total.size.crops for total in harvest_totals(folder)] == [2]

    def test_a_damaged_hour_costs_what_is_damaged(self, folder, make, sheaf):
        store = make()
        for frame in range(10):
            store.add(sheaf(frame=frame))
        store.close()
        path = folder.harvest / "door" / "20260601-10" / "store.jsonl"
        lines = path.read_bytes().split(b"\n")
        lines[0] = b"\x00" * len(lines[0])
        lines[5] = lines[5][:10]
        path.write_bytes(b"\n".join(lines))
        store = make()
        store.add(sheaf(frame=20))
        store.close()
        assert [len(read) for read in stores(folder).values()] == [21]

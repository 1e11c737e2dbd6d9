"""MOT sequences: which boxes become crops, by ground truth and by a tracker's output."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from reid.data import DIFFERENT, UNKNOWN, DataConfig, open_crops
from reid.data.mot_text import read_mot
from reid.errors import DataError

SMALL = DataConfig(least_height_px=10, least_width_px=5, least_visibility=0.0)


def text(tmp_path, *lines):
    path = tmp_path / "gt.txt"
    path.write_text("\n".join(lines))
    return path


class TestText:
    def test_mot15_knows_no_class_and_flags_what_is_ignored(self, tmp_path):
        rows = read_mot(text(tmp_path, "2,1,10,20,30,40,1,-1,-1,-1", "1,2,0,0,5,5,0,-1,-1,-1"), truth=True)
        assert rows.frame.tolist() == [1, 2], "in order of frames"
        assert rows.considered.tolist() == [False, True]
        assert rows.boxes[1].tolist() == [10, 20, 40, 60]
        assert rows.visibility.tolist() == [1, 1]

    def test_mot17_has_classes_and_visibility(self, tmp_path):
        lines = [f"1,{k},{40 * k},0,30,80,1,{k},0.{k % 10}" for k in range(1, 14)]
        rows = read_mot(text(tmp_path, *lines, "1,20,0,0,30,80,0,1,1"), truth=True)
        assert rows.id[rows.considered].tolist() == list(range(1, 8)), "no distractor, occluder, reflection, crowd"
        assert rows.visibility[2] == pytest.approx(0.3)

    def test_a_trackers_output_has_a_score_where_truth_has_a_flag(self, tmp_path):
        rows = read_mot(text(tmp_path, "1,1,0,0,30,80,0,-1,-1,-1", "1,-1,0,0,30,80,0.9,-1,-1,-1"), truth=False)
        assert rows.considered.tolist() == [False, True], "-1 is nobody"

    def test_unstated_visibility_is_what_no_nearer_box_covers(self, tmp_path):
        rows = read_mot(
            text(tmp_path, "1,1,0,0,20,40,1", "1,2,10,10,20,40,1", "1,3,100,0,20,40,1", "2,1,0,0,20,40,1"), truth=True
        )
        np.testing.assert_allclose(rows.visibility, [1 - 300 / 800, 1, 1, 1])

    def test_an_ignored_box_covers_nobody(self, tmp_path):
        rows = read_mot(text(tmp_path, "1,1,0,0,20,40,1", "1,2,0,0,20,50,0"), truth=True)
        assert rows.visibility[0] == 1

    @pytest.mark.parametrize(
        ("lines", "message"),
        [
            (["1,1,0,0,5"], r"gt\.txt:1: must be frame,id,left,top,width,height"),
            (["1,1,0,0,5,5"], "ground truth must have 7 columns or more, got 6"),
            (["", "1,1,0,0,5,5,1", "1,2,0,0,5,x,1"], r"gt\.txt:3: column 6 must be a number, got 'x'"),
            (["1,1,0,0,5,5,1", "1,2,0,0,5,5"], r"gt\.txt:2: every row must have 7 columns as the first, got 6"),
            (["0,1,0,0,5,5,1"], r"gt\.txt:1: frame \(column 1\) must be a whole number from 1"),
            (["1,1.5,0,0,5,5,1"], r"gt\.txt:1: id \(column 2\) must be a whole number"),
            (["1,1,0,0,-5,5,1"], r"gt\.txt:1: width and height \(columns 5 and 6\) must be 0 or more"),
            (["1,1,nan,0,5,5,1"], r"gt\.txt:1: columns 1 to 6 must be finite"),
            (["1,1,0,0,5,5,1", "2,1,0,0,5,5,1", "1,1,9,0,5,5,1"], r"gt\.txt:3: id 1 must appear once .* line 1 has"),
            ([""], "must hold boxes, got an empty file"),
        ],
    )
    def test_a_bad_row_is_named(self, tmp_path, lines, message):
        with pytest.raises(DataError, match=message):
            read_mot(text(tmp_path, *lines), truth=True)

    def test_files_that_are_no_text(self, tmp_path):
        (tmp_path / "gt.txt").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(DataError, match="must be MOT text, got a file that is not text"):
            read_mot(tmp_path / "gt.txt", truth=True)


class TestTruth:
    def test_crops_are_cut_from_their_frames(self, make_sequence):
        rows = [(frame, who, 60 * who - 50 + frame, 20, 30, 70, 1) for frame in (1, 2, 5) for who in (1, 2)]
        crops = open_crops(make_sequence(rows), config=SMALL)
        assert crops.names == ("SEQ-01/1", "SEQ-01/2")
        assert crops.identity.tolist() == [0, 1] * 3
        assert crops.time_s.tolist() == [0, 0, 0.1, 0.1, 0.4, 0.4]
        assert (crops.group == 0).all()
        assert (crops.camera == -1).all()
        assert crops.labelled.all()
        pixels = crops.pixels(np.arange(6), 35, 15)
        assert (pixels == (30 * (crops.identity + 1))[:, None, None, None]).all(), "nothing of the background"
        assert crops.picture_name(5) == "SEQ-01, frame 5, 2"

    def test_ignored_small_and_hidden_boxes_are_left_out(self, make_sequence):
        rows = [
            (1, 1, 10, 10, 30, 70, 1), (1, 2, 60, 10, 30, 70, 0),
            (1, 3, 100, 10, 30, 40, 1), (1, 4, 140, 10, 10, 70, 1),
            (2, 1, 10, 10, 30, 70, 1), (2, 5, 15, 12, 30, 70, 1),
            (2, 6, 180, 10, 60, 70, 1), (2, 7, 60, -60, 30, 90, 1),
        ]  # fmt: skip
        crops = open_crops(make_sequence(rows), config=DataConfig())
        kept = [(crops.names[k], t) for k, t in zip(crops.identity, crops.time_s, strict=True)]
        # 1 in frame 2 is behind 5; 6 and 7 are mostly outside
        assert kept == [("SEQ-01/1", 0.0), ("SEQ-01/5", 0.1)]

    def test_stated_visibility_decides(self, make_sequence):
        rows = [(1, 1, 10, 10, 30, 70, 1, 1, 0.39), (1, 2, 60, 10, 30, 70, 1, 1, 0.41)]
        assert open_crops(make_sequence(rows)).identity.tolist() == [1]
        assert len(open_crops(make_sequence(rows), config=DataConfig(least_visibility=0.0))) == 2

    def test_at_most_so_many_spread_over_time(self, make_sequence):
        rows = [(frame, 1, 10, 10, 30, 70, 1) for frame in range(1, 21)] + [(3, 2, 60, 10, 30, 70, 1)]
        crops = open_crops(make_sequence(rows), config=DataConfig(most_crops=4))
        np.testing.assert_allclose(crops.time_s[crops.identity == 0], [0, 0.5, 1, 1.5])
        assert (crops.identity == 1).sum() == 1
        assert len(open_crops(make_sequence(rows), config=DataConfig(most_crops=None))) == 21

    def test_boxes_in_frames_that_are_missing_are_passed_over(self, make_sequence):
        rows = [(frame, 1, 10, 10, 30, 70, 1) for frame in (1, 2, 3)]
        crops = open_crops(make_sequence(rows, frames=[2, 3]))
        np.testing.assert_allclose(crops.time_s, [0.1, 0.2])

    def test_several_sequences_below_a_folder(self, make_sequence, tmp_path):
        for name in ("train/SEQ-01", "train/SEQ-02"):
            make_sequence([(1, 1, 10, 10, 30, 70, 1)], name=name, info=False)
        crops = open_crops(tmp_path)
        assert crops.names == ("SEQ-01/1", "SEQ-02/1")
        assert crops.group.tolist() == [0, 1]
        assert crops.relations([0, 1])[0, 1] == DIFFERENT

    def test_the_three_copies_of_a_mot17_sequence_are_one(self, make_sequence, tmp_path):
        for name in ("MOT17-02-DPM", "MOT17-02-FRCNN", "MOT17-02-SDP", "MOT17-04-DPM"):
            make_sequence([(1, 1, 10, 10, 30, 70, 1)], name=name)
        assert open_crops(tmp_path).names == ("MOT17-02-DPM/1", "MOT17-04-DPM/1")

    def test_pictures_beside_the_truth(self, make_sequence):
        folder = make_sequence([(1, 1, 10, 10, 30, 70, 1)], text="gt.txt", info=False, folder=".")
        crops = open_crops(folder)
        assert crops.names == ("SEQ-01/1",)

    def test_frames_of_two_sizes_are_refused(self, make_sequence):
        folder = make_sequence([(1, 1, 10, 10, 30, 70, 1), (2, 1, 10, 10, 30, 70, 1)])
        cv2.imwrite(str(folder / "img1" / "000002.png"), np.zeros((50, 50, 3), np.uint8))
        with pytest.raises(DataError, match="SEQ-01: frame 2 is smaller than the first"):
            open_crops(folder)

    def test_a_damaged_frame_is_named(self, make_sequence):
        folder = make_sequence([(1, 1, 10, 10, 30, 70, 1), (2, 1, 10, 10, 30, 70, 1)])
        (folder / "img1" / "000002.png").write_bytes(b"x")
        with pytest.raises(DataError, match=r"frame .*000002\.png cannot be decoded"):
            open_crops(folder)

    def test_nothing_large_enough(self, make_sequence):
        with pytest.raises(DataError, match=r"at least 16x48 px and visibility 0\.4, found none in 1 sequences"):
            open_crops(make_sequence([(1, 1, 10, 10, 30, 30, 1)]))

    @pytest.mark.parametrize("line", ["frameRate=fast", "frameRate=0"])
    def test_a_rate_that_is_none(self, make_sequence, line):
        folder = make_sequence([(1, 1, 10, 10, 30, 70, 1)])
        (folder / "seqinfo.ini").write_text(f"[Sequence]\n{line}\n")
        with pytest.raises(DataError, match="frameRate must be a number above 0"):
            open_crops(folder)

    def test_a_seqinfo_of_another_kind(self, make_sequence):
        folder = make_sequence([(1, 1, 10, 10, 30, 70, 1)])
        (folder / "seqinfo.ini").write_text("hello")
        with pytest.raises(DataError, match=r"seqinfo\.ini must be a MOTChallenge seqinfo"):
            open_crops(folder)


class TestTrackersOutput:
    @staticmethod
    def rows():
        """1 walks by alone and comes back later; 2 and 3 are seen together; 4 comes when they are gone."""
        walk = [(f, 1, 5 * f, 10, 30, 70, 0.9, -1, -1, -1) for f in (*range(1, 5), *range(21, 25))]
        pair = [(f, k, 60 * k, 20, 30, 70, 0.9, -1, -1, -1) for f in range(8, 12) for k in (2, 3)]
        return sorted(walk + pair + [(30, 4, 60, 20, 30, 70, 0.9, -1, -1, -1)])

    def test_tracklets_are_cut_at_gaps_and_only_company_is_known(self, make_sequence):
        crops = open_crops(make_sequence(self.rows(), text="tracks.txt"))
        assert not crops.labelled.any()
        assert crops.names == ("SEQ-01/1 (0)", "SEQ-01/2 (1)", "SEQ-01/3 (2)", "SEQ-01/1 (3)", "SEQ-01/4 (4)")
        assert np.bincount(crops.identity).tolist() == [4, 4, 4, 4, 1]
        assert crops.together.tolist() == [[1, 2]]
        first = [int(np.flatnonzero(crops.identity == k)[0]) for k in range(5)]
        relations = crops.relations(first)
        assert relations[1, 2] == DIFFERENT
        assert (relations[0, 1:] == UNKNOWN).all()
        assert crops.kin.tolist() == [0, 1, 2, 0, 3], "the tracker takes the first and the fourth for one"

    def test_given_as_a_file_or_a_folder_beside_other_frames(self, make_sequence, tmp_path):
        folder = make_sequence([(1, 7, 10, 10, 30, 70, 1)], frames=range(1, 31))
        (tmp_path / "out").mkdir()
        tracks = tmp_path / "out" / "SEQ-01.txt"
        tracks.write_text("\n".join(",".join(map(str, row)) for row in self.rows()))
        for given in (tracks, tracks.parent):
            crops = open_crops(folder, config=DataConfig(tracks=given))
            assert len(crops.names) == 5
            assert not crops.labelled.any()

    def test_tracks_that_are_not_there(self, make_sequence, tmp_path):
        folder = make_sequence([(1, 7, 10, 10, 30, 70, 1)])
        with pytest.raises(DataError, match=r"there is no .*nope\.txt"):
            open_crops(folder, config=DataConfig(tracks=tmp_path / "nope.txt"))


class TestVideo:
    @pytest.fixture
    def video(self, tmp_path):
        writer = cv2.VideoWriter(str(tmp_path / "clip.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 20, (200, 120))
        for number in range(1, 11):
            writer.write(np.full((120, 200, 3), 20 * number, np.uint8))
        writer.release()
        (tmp_path / "gt").mkdir()
        rows = [f"{frame},1,10,10,30,70,1" for frame in (2, 7, 40)]
        (tmp_path / "gt" / "gt.txt").write_text("\n".join(rows))
        return tmp_path / "clip.avi"

    def test_the_frames_are_those_of_the_truth(self, video):
        for path in (video, video.parent):
            crops = open_crops(path)
            np.testing.assert_allclose(crops.time_s, [1 / 20, 6 / 20])
            np.testing.assert_allclose(crops.pixels([0, 1], 8, 8)[:, 4, 4, 0], [40, 140], atol=4)

    def test_a_reader_may_be_handed_in(self, video):
        asked = []

        def frames(path):
            asked.append(path)
            for number in range(1, 9):
                yield number, np.full((120, 200, 3), number, np.uint8)

        crops = open_crops(video, frames=frames)
        assert asked == [video]
        assert crops.pixels([0, 1], 8, 8)[:, 4, 4, 0].tolist() == [2, 7]

    def test_a_video_with_boxes_drawn_into_it_is_no_source(self, video):
        video.rename(video.with_name("annotated.avi"))
        with pytest.raises(DataError, match="must be a MOT sequence or hold some"):
            open_crops(video.parent, kind="mot")

    def test_a_picture_beside_a_video_is_no_frame(self, video, caplog):
        cv2.imwrite(str(video.with_name("thumbnail.jpg")), np.full((120, 200, 3), 255, np.uint8))
        crops = open_crops(video.parent)
        np.testing.assert_allclose(crops.pixels([0, 1], 8, 8)[:, 4, 4, 0], [40, 140], atol=4)
        said = [record.getMessage() for record in caplog.records if "left out pictures" in record.getMessage()]
        assert len(said) == 1
        assert said[0].startswith(f"frames are those of {video}; ")
        assert said[0].endswith(": thumbnail.jpg")

    @pytest.mark.parametrize("videos", [1, 2])
    def test_pictures_that_numbers_name_are_frames_and_a_video_beside_them_is_none(self, video, caplog, videos):
        for number in range(1, 41):
            cv2.imwrite(str(video.with_name(f"{number:06d}.png")), np.full((120, 200, 3), number, np.uint8))
        cv2.imwrite(str(video.with_name("contact_sheet.png")), np.full((120, 200, 3), 255, np.uint8))
        if videos == 2:
            (video.parent / "other.mp4").write_bytes(video.read_bytes())
        assert open_crops(video.parent).pixels([0, 1, 2], 8, 8)[:, 4, 4, 0].tolist() == [2, 7, 40]
        assert caplog.text == ""

    def test_a_contact_sheet_beside_a_video_is_no_news(self, video, caplog):
        cv2.imwrite(str(video.with_name("contact_sheet.png")), np.full((120, 200, 3), 255, np.uint8))
        open_crops(video.parent)
        assert "left out" not in caplog.text

    def test_frames_in_their_folder_come_before_a_video(self, video):
        for number in (2, 7):
            path = video.parent / "img1" / f"{number:06d}.png"
            path.parent.mkdir(exist_ok=True)
            cv2.imwrite(str(path), np.full((120, 200, 3), number, np.uint8))
        assert open_crops(video.parent).pixels([0, 1], 8, 8)[:, 4, 4, 0].tolist() == [2, 7]

    def test_what_a_demo_drew_is_no_source(self, video):
        video.rename(video.with_name("annotated.avi"))
        cv2.imwrite(str(video.with_name("contact_sheet.png")), np.full((120, 200, 3), 255, np.uint8))
        with pytest.raises(DataError, match=r"holds no data of a known kind: found .*\.png"):
            open_crops(video.parent)

    def test_two_videos_are_one_too_many(self, video):
        (video.parent / "other.mp4").write_bytes(video.read_bytes())
        with pytest.raises(DataError, match=r"must hold one video, got clip\.avi, other\.mp4"):
            open_crops(video.parent, kind="mot")

    def test_a_video_without_truth(self, tmp_path):
        (tmp_path / "clip.mp4").write_bytes(b"x")
        with pytest.raises(DataError, match=r"must have ground truth in gt/gt\.txt or gt\.txt beside it"):
            open_crops(tmp_path / "clip.mp4")

    def test_a_video_that_does_not_open(self, video):
        video.write_bytes(b"no video")
        with pytest.raises(DataError, match=r"video .*clip\.avi cannot be opened"):
            open_crops(video)


def test_real_sequences(shared_data: Path) -> None:
    crops = open_crops(shared_data / "seq" / "TUD-Stadtmitte", config=DataConfig(most_crops=8))
    assert len(crops.identities) == 10
    assert len(crops) == 80
    assert crops.pixels(np.arange(80), 64, 32).std() > 20
    mini = open_crops(shared_data / "seq" / "MOT17-mini", config=DataConfig(least_height_px=100))
    assert len(np.unique(mini.group)) == 7
    assert mini.time_s.max() < 1

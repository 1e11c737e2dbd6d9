from __future__ import annotations

from pathlib import Path

from tracker.cli.evaluate import EvalSettings
from tracker.cli.flags import parse_arguments
from tracker.cli.settings import TrackSettings


def test_a_flag_that_takes_several_words_may_be_given_again() -> None:
    words = ["--tracks", "a.txt", "b.txt", "--gt", "gt.txt", "--tracks", "c.txt"]
    settings = parse_arguments(EvalSettings, words, command="eval", summary="", examples="")
    assert list(settings.tracks) == [Path("a.txt"), Path("b.txt"), Path("c.txt")]


def test_after_two_dashes_a_source_may_look_like_an_option() -> None:
    words = ["--conf", "0.5", "--", "--street.mp4"]
    settings = parse_arguments(TrackSettings, words, command="track", summary="", examples="")
    assert (settings.source, settings.conf) == ("--street.mp4", 0.5)


def test_a_list_may_be_given_item_by_item() -> None:
    def given(*words: str) -> TrackSettings:
        return parse_arguments(TrackSettings, ["street.mp4", *words], command="track", summary="", examples="")

    assert given("--save", "mot", "--save", "video,csv").save == ("mot", "video", "csv")
    assert given("--save", "mot", "--save", "").save == ()
    assert given("--classes", "person", "--classes", "car").classes == ("person", "car")

from __future__ import annotations

import logging

import numpy as np
import pytest

from tracker.detectors.classes import COCO_80, COCO_91, ClassFilter, names_from_config, parse_names


def test_the_lists_of_coco() -> None:
    assert len(COCO_80) == len(COCO_91) == 80
    assert (COCO_80[0], COCO_80[2], COCO_80[79]) == ("person", "car", "toothbrush")
    assert (COCO_91[1], COCO_91[13], COCO_91[44], COCO_91[90]) == ("person", "stop sign", "bottle", "toothbrush")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("{0: 'person', 1: \"dog's\"}", {0: "person", 1: "dog's"}),
        ('{"0": "person"}', {0: "person"}),
        ('["a", "b"]', {0: "a", 1: "b"}),
        (None, {}),
        ("", {}),
    ],
)
def test_names_in_metadata(text: str | None, names: dict[int, str]) -> None:
    assert parse_names(text) == names


@pytest.mark.parametrize("text", ["__import__('os').system('false')", "{0: ", "42", "{'x': 'y'}"])
def test_unreadable_names_are_ignored_with_a_warning(text: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert parse_names(text) == {}
    assert "cannot be read" in caplog.text


def test_names_from_the_configuration() -> None:
    assert names_from_config(("cat", "dog")) == {0: "cat", 1: "dog"}
    assert names_from_config(("coco91",)) == COCO_91
    assert names_from_config(()) == {}


def test_wanted_by_name_whatever_the_case_or_by_id() -> None:
    wanted = ClassFilter(["Person", "2", 5], COCO_80, "it")
    assert wanted.ids == (0, 2, 5)
    assert wanted.mask(np.array([0, 1, 2, 79])).tolist() == [True, False, True, False]
    assert ClassFilter([], COCO_80, "it").mask(np.array([0, 1])).all()
    assert ClassFilter(["3"], {}, "it").ids == (3,)

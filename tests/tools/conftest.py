"""Fixtures for the tests of the project's own tools."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="module", autouse=True)
def tools_on_the_path() -> Iterator[None]:
    """As for a script in tools/: what lies beside it is imported by its name alone."""
    tools = str(Path(__file__).resolve().parents[2] / "tools")
    sys.path.insert(0, tools)
    yield
    sys.path.remove(tools)

"""Fixtures for all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")  # a machine that is busy with something else fails no test


def find_shared_data() -> Path | None:
    """The folder of real sequences and models, or None where it is absent."""
    folder = Path(os.environ.get("REIDTRACK_TEST_DATA", ROOT / ".." / "shared" / "data")).resolve()
    return folder if (folder / "README.md").is_file() else None


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real sequences and models; skips where they are absent, fails where they are required."""
    folder = find_shared_data()
    if folder is None:
        reason = "the test data folder is absent: set REIDTRACK_TEST_DATA to it"
        if os.environ.get("REIDTRACK_REQUIRE_TEST_DATA") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder

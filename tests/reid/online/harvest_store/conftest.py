"""A store to harvest into."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from reid.online.harvest_store import HarvestStore, HarvestStoreConfig

sys.path.insert(0, str(Path(__file__).parent))  # for what lies beside the tests
ROOMY = HarvestStoreConfig(least_free_mb=0)


@pytest.fixture
def make(folder, clock):
    """`make(camera)` opens a store."""

    def make(camera="door", config=ROOMY, **more):
        store = HarvestStore(folder, config, camera=camera, clock=clock, **more)
        store.open()
        return store

    return make

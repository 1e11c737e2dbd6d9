"""Online training: harvests tracklets while tracking runs, trains beside, and lets only a better embedder go live.

Nothing here but `reid.online.worker` imports torch.
"""

from reid.online.burst_config import BurstConfig
from reid.online.burst_recorder import BurstRecorder
from reid.online.burst_store import BurstStore
from reid.online.folder import OnlineFolder
from reid.online.forgetting import Forgotten, forget
from reid.online.harvest import Harvester
from reid.online.harvest_config import HarvestConfig
from reid.online.harvest_store import HarvestStore, HarvestStoreConfig
from reid.online.harvest_writer import HarvestCounts
from reid.online.header import BaseModel
from reid.online.history import History
from reid.online.ledger import HourTotal, harvest_totals
from reid.online.locks import FileLock
from reid.online.tracks import TrackedBoxes
from reid.online.trainer import OnlineStatus, OnlineTrainer

__all__ = [
    "BaseModel",
    "BurstConfig",
    "BurstRecorder",
    "BurstStore",
    "FileLock",
    "Forgotten",
    "HarvestConfig",
    "HarvestCounts",
    "HarvestStore",
    "HarvestStoreConfig",
    "Harvester",
    "History",
    "HourTotal",
    "OnlineFolder",
    "OnlineStatus",
    "OnlineTrainer",
    "TrackedBoxes",
    "forget",
    "harvest_totals",
]

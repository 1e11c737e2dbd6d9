"""Online training: harvests tracklets while tracking runs, trains beside, and lets only a better embedder go live.

Nothing here but `reid.online.worker` imports torch.
"""

from reid.online.folder import BaseModel, OnlineFolder
from reid.online.history import History
from reid.online.locks import FileLock

__all__ = ["BaseModel", "FileLock", "History", "OnlineFolder"]

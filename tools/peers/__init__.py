"""Other people's trackers behind one function, for the benchmarks: one file a distribution.

None is a dependency of this project, and nothing of theirs is copied: who runs a benchmark installs those that are to
be compared with. Each is imported when it is made, so that the ones that are absent cost nothing.
"""

from __future__ import annotations

from peers import boxmot, deep_sort_realtime, norfair, pyxtrackers, roboflow, ultralytics
from peers.base import Appearance, Peer, Scene, Seen, Step
from peers.ideas import IDEAS, WHOLE
from peers.ours import OURS, asking

PEERS: tuple[Peer, ...] = (
    *boxmot.PEERS,
    *ultralytics.PEERS,
    *roboflow.PEERS,
    *deep_sort_realtime.PEERS,
    *norfair.PEERS,
    *pyxtrackers.PEERS,
)

__all__ = [
    "IDEAS",
    "OURS",
    "PEERS",
    "WHOLE",
    "Appearance",
    "Peer",
    "Scene",
    "Seen",
    "Step",
    "absent",
    "asking",
    "choose",
    "named",
    "settings_table",
]


def named(name: str) -> Peer:
    """The tracker of this name: ours, a peer, or ours without an idea."""
    return next(peer for peer in (OURS, *PEERS, WHOLE, *(idea.peer for idea in IDEAS)) if peer.name == name)


def choose(words: list[str]) -> list[Peer]:
    """The installed peers whose names contain one of `words`, whatever their case; all of them without words.

    Raises:
        ValueError: a word fits no peer, or none that is installed.
    """
    here = [peer for peer in PEERS if peer.version is not None]
    if not words:
        return here
    for word in words:
        fitting = [peer for peer in PEERS if word.lower() in peer.name.lower()]
        if not fitting:
            names = ", ".join(peer.name for peer in PEERS)
            raise ValueError(f"--peers must be part of a peer's name, got {word!r}; peers are: {names}")
        if not any(peer in here for peer in fitting):
            raise ValueError(f"--peers {word}: not installed; pip install {fitting[0].distribution}")
    return [peer for peer in here if any(word.lower() in peer.name.lower() for word in words)]


def absent() -> list[str]:
    """How to install each distribution that is not there: `pip install NAME`."""
    names = dict.fromkeys(peer.distribution for peer in PEERS if peer.version is None)
    return [f"pip install {name}" for name in names]


def settings_table(peers: list[Peer]) -> str:
    """Markdown table of what was run."""
    rows = [f"| {p.name} | {p.distribution} {p.version} | {p.settings} |" for p in peers]
    return "\n".join(["| tracker | version | settings |", "|---|---|---|", *rows])

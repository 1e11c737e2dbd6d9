"""This project's tracker with one idea switched off by its settings: for ablations, beside the tracker as it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from peers.base import Appearance, Peer
from peers.ours import Ours, asking
from tracker import TrackerConfig

_NEVER = 1e9
"""Evidence that nothing reaches."""


@dataclass(frozen=True)
class Idea:
    """Something that the tracker does and could leave."""

    name: str
    without: dict[str, Any] = field(default_factory=dict)
    """Settings that switch it off."""
    needs_appearance: bool = True
    """Whether it makes no difference where there are no embeddings."""
    embeds: bool = True
    """Whether vectors are asked for when it is off."""

    @property
    def settings(self) -> str:
        """How it is switched off, for the reader."""
        if not self.embeds:
            return "no embeddings"
        return ", ".join(
            f"{name}={value:g}" if value != "auto" else "embed=auto" for name, value in self.without.items()
        )

    @property
    def peer(self) -> Peer:
        """The tracker without it."""
        appearance = Appearance.USED if self.needs_appearance else Appearance.OPTIONAL
        make = asking(TrackerConfig(**self.without), embeds=self.embeds)
        return Ours(f"without: {self.name}", "reidtrack", appearance, self.settings, make)


WHOLE = Ours("all ideas", "reidtrack", Appearance.OPTIONAL, "defaults, asks for its vectors", asking(TrackerConfig()))

IDEAS = (
    Idea("overlap with the prediction as evidence", {"motion_weight": 0}, needs_appearance=False),
    Idea("who was missed must come back nearer", {"missed_s": _NEVER}, needs_appearance=False),
    Idea("weak detections continue tracks", {"low_score": TrackerConfig().high_score}, needs_appearance=False),
    Idea("weak detections must overlap more", {"low_score_min_overlap": 0}, needs_appearance=False),
    Idea("tracks are confirmed", {"confirm_s": 0}, needs_appearance=False),
    Idea("no births upon live tracks", {"birth_max_overlap": 1}, needs_appearance=False),
    Idea(
        "tracks outside the picture end sooner", {"max_outside_s": TrackerConfig().max_lost_s}, needs_appearance=False
    ),
    Idea("appearance, for everything", embeds=False),
    Idea("appearance from frame to frame", {"appearance_limit": 0}),
    Idea("mean over seconds, not the last crops", {"appearance_memory_s": 0.1}),
    Idea("covered crops teach nothing", {"appearance_max_overlap": 1}),
    Idea("several crops before an object is compared", {"identify_vectors": 1}),
    Idea("two crops will do where they are apart in time", {"identify_span_s": 1e3}),
    Idea("recovery of lost tracks", {"recover_evidence": _NEVER}),
    Idea("recall of identities that left", {"memory_size": 0}),
    Idea("recovery and recall", {"recover_evidence": _NEVER, "memory_size": 0}),
    Idea("a margin over the runner-up", {"recall_margin": 0}),
    Idea("identities settle late", {"settle_s": 0}),
    Idea("swaps are found later", {"change_evidence": _NEVER}),
    Idea("embed all rather than auto", {"embed": "auto"}),
)

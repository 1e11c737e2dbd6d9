"""The tracker's settings. All times are seconds and all lengths box heights, so that they hold at any rate and size."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal, TypeAlias, get_args

import numpy as np

from tracker.errors import ConfigError

_NUMBER = (int, float, np.integer, np.floating)

EmbedMode: TypeAlias = Literal["all", "auto"]
"""Of which detections of high score a tracker asks for the vectors: all, or those where identity is in doubt."""


@dataclass(frozen=True, slots=True)
class TrackerConfig:
    """Settings of `Tracker`. The defaults serve people, vehicles and animals from 5 to 60 frames a second."""

    rate_hz: float = 30.0
    """Frames a second, used only where `update` is called without a time."""

    high_score: float = 0.5
    """Detections of at least this score are associated first and may found tracks."""
    low_score: float = 0.1
    """Detections of at least this score may continue a track that none of these does; weaker ones are ignored."""
    birth_score: float = 0.6
    """Detections of at least this score may found a track."""
    birth_max_overlap: float = 0.7
    """No track is founded where a detection overlaps a tracked object, or a better one that founds a track, by more
    than this IoU. Boxes of two classes that overlap by more are taken for one object: neither hides the other."""
    confirm_s: float = 0.08
    """A new track is reported after it was seen again over this time; until then it ends at its first miss. What is
    there in the first frame of a stream is reported at once."""
    max_lost_s: float = 1.2
    """How long a track that is not seen is looked for by motion; also how far apart frames may be, where that is more
    than 3 s."""
    max_outside_s: float = 0.2
    """The same for a track that is predicted outside the picture."""

    acceleration: float = 0.6
    """How freely objects change velocity: spectral density, in heights per second^1.5."""
    size_acceleration: float = 1.0
    """How freely objects change the velocity of their size, in heights per second^1.5."""
    measurement_std: float = 0.04
    """Standard deviation of a detected box's centre and size, in heights."""
    initial_speed_std: float = 0.7
    """Standard deviation of a new object's velocity, in heights per second."""

    motion_weight: float = 9.0
    """Evidence, in nats, of one unit of overlap between a predicted and a detected box."""
    motion_centre: float = 0.3
    """Overlap at which motion speaks neither for nor against a match."""
    missed_s: float = 0.3
    """After so long in which a track was not seen, though there were frames, a detection near it is half as likely its
    own: others come by, and the place where it is looked for grows. After twice as long a third, and so on."""
    low_score_min_overlap: float = 0.45
    """Overlap that a weak detection needs to continue a track."""
    class_penalty: float = 2.0
    """Evidence, in nats, against a match between different classes. Who left is found again whatever the class then."""
    embed: EmbedMode = "all"
    """Which detections are embedded: `all` of high score, or by `auto` those where identity is in doubt, such as
    newcomers and whoever is near somebody else, and of everybody else one now and then. What comes with a vector is
    used in any case."""
    appearance_limit: float = 8.0
    """Evidence, in nats, that appearance may give for or against one match at most."""
    appearance_memory_s: float = 5.0
    """Time constant of a track's mean appearance."""
    appearance_max_overlap: float = 0.35
    """A crop covered by another box, of whatever class, by more than this share does not update the appearance of its
    track: a box around the whole scene, as of a bus or a stage, hides everybody in it. Boxes of scores nearer to
    `low_score` than to `high_score` hide nobody."""

    settle_s: float = 4.0
    """How long after its first detection an object may still turn out, by better crops, to be one known before: until
    it was seen whole, and in more than one pose."""
    change_evidence: float = 12.0
    """Evidence of appearance, in nats over several crops, that a track has gone over to another object. Who came within
    the last two seconds, under a number of their own and near nobody, has not."""
    identify_vectors: int = 3
    """How many crops of a new object are needed before it is compared with those known before."""
    identify_span_s: float = 0.08
    """Two crops that are so far apart in time will do as well: at few frames a second they show more than many at
    once."""
    identify_s: float = 0.2
    """A new object that may be a known one is reported without those crops after this time."""
    recover_evidence: float = 4.0
    """Evidence of appearance, in nats, that gives a new track the number of a lost one within reach."""
    recover_speed: float = 1.5
    """How far from where it was lost a track is looked for: heights per second since then."""
    recall_evidence: float = 4.0
    """Evidence of appearance, in nats, that gives a new track the number of the only identity that left long ago. The
    more there are, the more is asked for."""
    recall_margin: float = 0.3
    """How much better, in nats, than the runner-up an identity must fit to be recovered or recalled."""
    memory_size: int = 1000
    """How many identities that left are remembered; those that came in first are forgotten first. 0 switches
    recall off, and with it the correction of tracks that went over to another object."""
    memory_s: float = 3600.0
    """How long identities that left are remembered."""

    def __post_init__(self) -> None:
        if self.embed not in get_args(EmbedMode):
            raise ConfigError(f"tracker.embed must be all or auto, got {self.embed!r}")
        for name in (field.name for field in fields(self) if field.name != "embed"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, _NUMBER) or not 0 <= value < float("inf"):
                raise ConfigError(f"tracker.{name} must be a finite number of at least 0, got {value!r}")
            # numpy's numbers compare otherwise with float32 scores
            object.__setattr__(self, name, value.item() if isinstance(value, np.generic) else value)
        if self.rate_hz <= 0:
            raise ConfigError(f"tracker.rate_hz must be above 0, got {self.rate_hz}")
        for name in ("measurement_std", "missed_s"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"tracker.{name} must be above 0, got {getattr(self, name)}")
        for name, least in (("identify_vectors", 1), ("memory_size", 0)):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < least:
                raise ConfigError(
                    f"tracker.{name} must be a whole number of at least {least}, got {getattr(self, name)!r}"
                )
        if not self.low_score <= self.high_score <= self.birth_score <= 1:
            raise ConfigError(
                "tracker.low_score <= tracker.high_score <= tracker.birth_score <= 1 must hold, "
                f"got {self.low_score}, {self.high_score}, {self.birth_score}"
            )
        for name in ("birth_max_overlap", "low_score_min_overlap", "motion_centre", "appearance_max_overlap"):
            if getattr(self, name) > 1:
                raise ConfigError(f"tracker.{name} must be within 0..1, got {getattr(self, name)}")

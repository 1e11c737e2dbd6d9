"""What a tracker decided in one update and why, for people and programs. `str` of each says it in words.

Evidence is in nats: the natural logarithm of how much likelier something is if two are the same object than if they
are not. It adds up, and 0 is where both are equally likely.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from tracker.explanation.record import Stage

MatchRefusal: TypeAlias = Literal["evidence", "taken", "matched", "score", "tentative"]
"""Why a detection does not continue a track: `evidence`: all together not above 0. `taken`: it continues another
track. `matched`: the track continues with another detection. `score`: below `low_score`. `tentative`: a tentative track
takes confident detections only."""
IdentityRefusal: TypeAlias = Literal["likeness", "crops", "reach", "beside", "evidence", "margin", "taken"]
"""Why an object is not one of the missing: `likeness`: not as alike as one object is (`needed_cosine`). `crops`: too
few crops to tell (`identify_vectors`). `reach`: not where, when or as tall as the lost one can be. `beside`: the
remembered one was still seen when this object was there already. `evidence`: not above `needed_nats`. `margin`: another
fits better, or not worse by `recall_margin`. `taken`: it is another object."""
BirthRefusal: TypeAlias = Literal["score", "area", "overlap", "double"]
"""Why a detection founds no track: `score`: below `birth_score`. `area`: its box has none. `overlap`: a tracked object
is there already. `double`: a better detection of the same object founds one."""


@dataclass(frozen=True, slots=True)
class MatchCandidate:
    """A detection that overlaps where a track was expected."""

    detection: int
    """Row of the detections that the update was given."""
    score: float
    """The detector's, 0..1."""
    overlap: float
    """Of the boxes, widened by the track's uncertainty, times the agreement of their heights, 0..1."""
    motion_nats: float | None
    """Evidence of the overlap, less what speaks against a track that frames missed; None where no stage weighed it."""
    class_nats: float | None
    """Evidence of the class, never above 0; None where no stage weighed it."""
    cosine: float | None
    """Of the track's mean appearance and the crop; None where one of them has no vector or it was not looked at."""
    appearance_nats: float | None
    """Evidence of the cosine, bounded by `appearance_limit` and halved where the crop shows others too."""
    total_nats: float | None
    """All of it together; None where no stage weighed it."""
    refused: MatchRefusal | None
    """None: this detection continues the track."""
    taken_by: int | None
    """The number of the other track that it continues, where that has one."""

    def __str__(self) -> str:
        parts = [f"overlap {self.overlap:.2f}{_nats(self.motion_nats)}"]
        if self.class_nats:
            parts.append(f"another class{_nats(self.class_nats)}")
        if self.cosine is not None:
            parts.append(f"cosine {self.cosine:.2f}{_nats(self.appearance_nats)}")
        if self.total_nats is not None and len(parts) > 1:
            parts.append(f"together {self.total_nats:+.1f}")
        why = {
            None: "",
            "evidence": "not above 0",
            "taken": f"continues track {self.taken_by}" if self.taken_by else "continues a track without a number",
            "matched": "the track has a better one",
            "score": f"score {self.score:.2f} too low",
            "tentative": f"score {self.score:.2f} too low for a tentative track",
        }[self.refused]
        return f"detection {self.detection}: {', '.join(parts)}" + (f": {why}" if why else "")


@dataclass(frozen=True, slots=True)
class MatchDecision:
    """With which detection a track goes on, or with none."""

    time_s: float
    """Of the update."""
    track_id: int | None
    """The track's number after the update; None while it has none."""
    outcome: Literal["matched", "lost", "dropped"]
    """`lost`: not seen, and looked for further. `dropped`: not seen while tentative, so that it ended."""
    stage: Stage | None
    """In which it was matched."""
    detection: int | None
    """Row of the detection, None where there is none."""
    detection_by_motion: int | None
    """What it would be if the same matching knew nothing of appearance."""
    unseen_s: float
    """How long ago it had been seen last."""
    candidates: tuple[MatchCandidate, ...]
    """Every detection that overlapped, the one of greatest evidence first."""

    @property
    def decided_by_appearance(self) -> bool:
        """Whether the track goes on with a detection that motion alone would not have given it."""
        return self.detection is not None and self.detection != self.detection_by_motion

    def __str__(self) -> str:
        who = f"track {self.track_id}" if self.track_id else "a track without a number"
        lines = []
        if self.detection is None:
            ended = ", and ended" if self.outcome == "dropped" else f" (unseen for {self.unseen_s:.2f} s)"
            lines.append(
                f"{who}: not seen{ended}" + ("" if self.candidates else ": no detection where it was expected")
            )
        else:
            lines.append(f"{who}: continues ({self.stage}) with {self.candidates[0]}")
        if self.detection != self.detection_by_motion:
            by = "none" if self.detection_by_motion is None else f"detection {self.detection_by_motion}"
            lines.append(f"  motion alone: {by}")
        lines += [f"  not {candidate}" for candidate in self.candidates if candidate.refused]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class BirthDecision:
    """What became of a detection that continues no track."""

    time_s: float
    """Of the update."""
    detection: int
    """Row of the detections that the update was given."""
    score: float
    """The detector's, 0..1."""
    track_id: int | None
    """The number of the track that it founded, where that has one already."""
    overlap: float | None
    """The greatest IoU with a tracked object; None where that was not asked, or there is none."""
    overlap_with: int | None
    """The number of that object, where it has one."""
    refused: BirthRefusal | None
    """None: it founded a track."""

    def __str__(self) -> str:
        who = f"detection {self.detection} (score {self.score:.2f})"
        if self.refused is None:
            return f"{who}: founds a track" + (f", {self.track_id}" if self.track_id else "")
        if self.refused == "score":
            return f"{who}: founds no track: score too low"
        if self.refused == "area":
            return f"{who}: founds no track: its box has no area"
        if self.refused == "double":
            return f"{who}: founds no track: a better detection of the same object does"
        by = f"track {self.overlap_with}" if self.overlap_with else "a track without a number"
        return f"{who}: founds no track: IoU {self.overlap:.2f} with {by}"


@dataclass(frozen=True, slots=True)
class IdentityCandidate:
    """One who is missing, and may be who asks."""

    identity: int
    """Its number."""
    kind: Literal["lost", "remembered"]
    """Whether it is still looked for by motion."""
    unseen_s: float
    """How long it has not been seen."""
    cosine: float | None
    """Of the mean appearances; None where there is no crop yet."""
    needed_cosine: float | None
    """What that of one object is at least, after so many crops."""
    evidence_nats: float | None
    """What the cosine is worth, with 1 added for the number that is claimed already; None where it was not asked."""
    needed_nats: float | None
    """What it must exceed, besides the runner-up; None where it was not asked."""
    refused: IdentityRefusal | None
    """None: it is this one."""

    def __str__(self) -> str:
        text = f"{self.identity} ({self.kind}, unseen for {self.unseen_s:.1f} s)"
        if self.cosine is not None:
            text += f": cosine {self.cosine:.2f}, needed {self.needed_cosine:.2f}"
        if self.evidence_nats is not None:
            text += f"; {self.evidence_nats:.1f} nats, needed {self.needed_nats:.1f}"
        why = {
            None: "",
            "likeness": "not alike enough",
            "crops": "too few crops to tell",
            "reach": "out of reach",
            "beside": "was seen beside it",
            "evidence": "too little evidence",
            "margin": "another fits better, or as well",
            "taken": "is another object",
        }[self.refused]
        return text + (f": {why}" if why else "")


@dataclass(frozen=True, slots=True)
class IdentityDecision:
    """Who a track is: somebody new, or one of those who are missing."""

    time_s: float
    """Of the update."""
    track_id: int
    """Its number after the update."""
    replaces: int | None
    """Its number before, where it had one and it was another."""
    outcome: Literal["born", "recovered", "recalled", "corrected", "kept"]
    """As in `TrackEvent`; `kept`: it asked again, and the answer is the same."""
    detection: int
    """Row of the track's detection."""
    crops: int
    """How many crops made its mean appearance."""
    parted_nats: float | None
    """Evidence that the track had gone over from the object it was to another; None where it did not."""
    compared: int
    """With how many missing ones it was compared."""
    candidates: tuple[IdentityCandidate, ...]
    """The most alike of them, the one it is first."""

    @property
    def short(self) -> str:
        """A few words to stand in a picture, for turns that one may wonder about; else empty.

        `recalled .83 (+2.1 nats, next .61)`: the cosine, how much more evidence that is than was needed, and the
        greatest cosine among the others. `corrected: not 3 (.61)`: the cosine with the number that was given up.
        """
        if self.outcome in ("recovered", "recalled"):
            found, *others = self.candidates
            assert found.cosine is not None, "who was found was compared"
            assert found.evidence_nats is not None, "and weighed"
            assert found.needed_nats is not None
            surplus = found.evidence_nats - found.needed_nats
            rivals = [other.cosine for other in others if other.cosine is not None]
            rival = f", next {_share(max(rivals))}" if rivals else ""
            return f"{self.outcome} {_share(found.cosine)} ({surplus:+.1f} nats{rival})"
        if self.outcome != "corrected":
            return ""
        if self.parted_nats is not None:
            return f"corrected: no longer {self.replaces} ({self.parted_nats:.1f} nats)"
        cosine = next((c.cosine for c in self.candidates if c.identity == self.replaces), None)
        return f"corrected: not {self.replaces}" + ("" if cosine is None else f" ({_share(cosine)})")

    def __str__(self) -> str:
        was = f", until now {self.replaces}" if self.replaces else ""
        lines = [f"track {self.track_id}: {self.outcome}{was}, by {self.crops} crops, of {self.compared} missing"]
        if self.parted_nats is not None:
            lines.append(f"  went over to another object: {self.parted_nats:.1f} nats")
        lines += [f"  {'not ' if candidate.refused else 'is '}{candidate}" for candidate in self.candidates]
        return "\n".join(lines)


Decision: TypeAlias = MatchDecision | BirthDecision | IdentityDecision


def _share(value: float) -> str:
    return f"{value:.2f}".replace("0.", ".", 1)


def _nats(value: float | None) -> str:
    return "" if value is None else f" {value:+.1f}"

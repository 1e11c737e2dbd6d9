"""JSON Lines of reasons: for each decision of the tracker the candidates, the evidence, and which gate refused."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from tracker.explanation.decisions import Decision
from tracker.explanation.explanation import explanation_of
from tracker.sinks.json_lines import json_line, run_header
from tracker.sinks.text import TextSink
from tracker.types import FrameResult, RunInfo

SCHEMA = "reidtrack.explanations"
SCHEMA_VERSION = 1


class ExplainSink(TextSink):
    """One JSON object a line: first a header as `JsonlSink` writes it, then one a frame, with its decisions.

    Needs a tracker made with `explain=True`.

        {"frame": 12, "time_s": 0.44, "detected": true,
         "detections": [{"box": [10.25, 20.5, 60.0, 180.75], "score": 0.91, "class": 0}],
         "matched": 1, "decided_by_appearance": 0,
         "matches": [{"track_id": 3, "outcome": "matched", "stage": "confident", "detection": 0,
                      "detection_by_motion": 0, "unseen_s": 0.04, "candidates": [{"detection": 0, "score": 0.91,
                      "overlap": 0.83, "motion_nats": 4.77, "class_nats": 0.0, "cosine": 0.91, "appearance_nats": 6.8,
                      "total_nats": 11.57, "refused": null, "taken_by": null}]}],
         "births": [], "identities": []}

    The keys of `matches`, `births` and `identities` are the fields of `tracker.explanation.MatchDecision`,
    `BirthDecision` and `IdentityDecision`; docs/outputs.md explains them. Detections are referred to by their place in
    `detections`. Of a frame that was only predicted there is nothing to explain.

    The version rises when a key changes its meaning or goes; new keys may come without that.

    Raises:
        InputError: from `write`, where the tracker keeps no reasons.
    """

    def _head(self, run: RunInfo) -> str:
        return run_header(SCHEMA, SCHEMA_VERSION, run)

    def write(self, result: FrameResult) -> None:
        """Append one frame."""
        explanation, seen = explanation_of(result), result.detections
        frame: dict[str, Any] = {
            "frame": result.frame.index,
            "time_s": round(result.frame.time_s, 6),
            "detected": result.detected,
        }
        if explanation is not None:
            columns = (seen.boxes, seen.scores, seen.classes)
            frame |= {
                "detections": [
                    {"box": [round(corner, 2) for corner in box], "score": round(score, 4), "class": number}
                    for box, score, number in zip(*(c.tolist() for c in columns), strict=True)
                ],
                "matched": explanation.matched,
                "decided_by_appearance": explanation.decided_by_appearance,
                "matches": [_fields(decision) for decision in explanation.matches],
                "births": [_fields(decision) for decision in explanation.births],
                "identities": [_fields(decision) for decision in explanation.identities],
            }
        self._append(json_line(frame))


def _fields(decision: Decision) -> dict[str, Any]:
    """Of a decision and its candidates, without the time, which is the frame's."""
    fields = asdict(decision, dict_factory=_rounded)
    del fields["time_s"]
    return fields


def _rounded(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {key: round(value, 4) if isinstance(value, float) else value for key, value in pairs}

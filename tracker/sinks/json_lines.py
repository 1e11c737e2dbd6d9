"""What the sinks of JSON Lines have in common: how a line is written, and the header above the results."""

from __future__ import annotations

import json
from importlib import metadata
from typing import Any

from tracker.types import RunInfo


def json_line(values: dict[str, Any]) -> str:
    """One object as one line."""
    return json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"


def run_header(schema: str, version: int, run: RunInfo) -> str:
    """The first line: what the lines below mean, who wrote them, and of which source."""
    source = run.source
    return json_line(
        {
            "schema": schema,
            "version": version,
            "program": f"reidtrack {_program_version()}",
            "source": {
                "name": source.name,
                "width_px": source.width_px,
                "height_px": source.height_px,
                "rate_hz": source.rate_hz,
                "live": source.live,
            },
            "classes": {str(number): name for number, name in run.class_names.items()},
        }
    )


def _program_version() -> str:
    try:
        return metadata.version("reidtrack")
    except metadata.PackageNotFoundError:  # run from a source tree that is not installed
        return "unknown"

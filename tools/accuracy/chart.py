"""Charts of mean IDF1 with intervals, drawn with OpenCV, which is there anyway."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from peers import OURS

_ROW, _LEFT, _BAR, _MARGIN = 34, 330, 560, 24  # pixels
_OURS, _THEIRS, _INK = (60, 120, 30), (190, 170, 140), (40, 40, 40)  # BGR
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw(data: dict[str, Any], folder: Path) -> list[str]:
    """One PNG for each table of standings; returns their names."""
    names = []
    for suite, table in data.items():
        if table.get("standings"):
            names.append(f"chart-{suite.replace(' ', '-')}.png")
            cv2.imwrite(str(folder / names[-1]), bars(f"IDF1, {suite}", table["standings"]))
    return names


def bars(title: str, standings: list[dict[str, Any]]) -> np.ndarray:
    """Horizontal bars, best first, with the 95 % interval of each mean."""
    ordered = sorted(standings, key=lambda s: -s["means"]["idf1"])
    low = max(min(s["means"]["idf1"] for s in ordered) - 10, 0)
    width = _LEFT + _BAR + 4 * _MARGIN
    canvas = np.full((_ROW * (len(ordered) + 1) + 2 * _MARGIN, width, 3), 255, np.uint8)

    def place(value: float) -> int:
        return round(_LEFT + _BAR * (value - low) / max(100 - low, 1e-9))

    _write(canvas, f"{title} (the axis begins at {low:.0f})", _MARGIN, _MARGIN + 10, 0.6)
    for row, s in enumerate(ordered, 1):
        middle, value = _MARGIN + _ROW * row + _ROW // 2, s["means"]["idf1"]
        colour = _OURS if s["tracker"] == OURS.name else _THEIRS
        cv2.rectangle(canvas, (_LEFT, middle - 10), (place(value), middle + 10), colour, cv2.FILLED)
        half = s["half_width"] or 0.0
        if half:
            ends = (place(value - half), middle), (place(value + half), middle)
            cv2.line(canvas, *ends, _INK, 2, cv2.LINE_AA)
        _write(canvas, s["tracker"], _MARGIN, middle + 5, 0.5)
        _write(canvas, f"{value:.1f}", place(value + half) + 8, middle + 5, 0.5)
    return canvas


def _write(canvas: np.ndarray, text: str, x: int, y: int, size: float) -> None:
    cv2.putText(canvas, text, (x, y), _FONT, size, _INK, 1, cv2.LINE_AA)

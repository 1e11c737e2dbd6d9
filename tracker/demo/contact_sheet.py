"""A picture of who was followed: a row an identity, crops over time, and a bar that says when it was seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from tracker.errors import InputError, OutputError
from tracker.types import FrameResult, Image, RunInfo
from tracker.video.drawing import identity_colour

_THUMB_HEIGHT_PX, _THUMB_WIDTH_PX = 132, 66
_GAP_PX, _LABEL_PX, _CAPTION_PX, _BAR_PX, _HEADER_PX = 8, 96, 18, 6, 52
_BACKGROUND, _PANEL, _TEXT, _FAINT = (30, 27, 25), (44, 40, 37), (228, 228, 228), (150, 150, 150)
_FONT = cv2.FONT_HERSHEY_DUPLEX
_FONT_HEIGHT_PX = 22.0  # of a capital of that font at scale 1
_SEEN_GAP_S = 0.5  # shorter pauses are not shown on the bar


@dataclass(slots=True)
class _Crop:
    quality: float
    time_s: float
    picture: Image


@dataclass(slots=True)
class _Identity:
    """What is kept of one identity: the best crop of each time slot, and when it was seen."""

    slot_s: float
    crops: dict[int, _Crop] = field(default_factory=dict)
    seen: list[list[float]] = field(default_factory=list)
    """Spans of time `[from, to]`."""
    frames: int = 0


class ContactSheet:
    """A sink (`tracker.types.Sink`) that writes one PNG when it is closed.

    Memory is bounded: of each identity at most `columns` crops or twice as many are kept, the best of each of equal
    slots of time, whose length doubles as the run goes on; of more than twice `rows` identities those that were seen
    least are forgotten. The sheet shows at most `rows` identities, those seen most, in order of their numbers.

    Args:
        path: the PNG file.
        columns: crops a row.
        rows: identities at most.
        overwrite: replace an existing file.

    Raises:
        OutputError: it exists, or cannot be written.
    """

    def __init__(self, path: Path, *, columns: int = 14, rows: int = 40, overwrite: bool = False) -> None:
        if columns < 1 or rows < 1:
            raise InputError(f"columns and rows must be 1 or more, got {columns} and {rows}")
        self.path = Path(path)
        self._columns, self._rows, self._overwrite = columns, rows, overwrite
        self._identities: dict[int, _Identity] = {}
        self._forgotten: set[int] = set()
        self._title = ""
        self._last_s = 0.0
        self._open = False

    def open(self, run: RunInfo) -> None:
        """Take the title from the source; refuse an existing file."""
        if self.path.exists() and not self._overwrite:
            raise OutputError(f"{self.path} exists already: remove it, or ask to overwrite")
        self._title = run.source.name
        self._open = True

    def write(self, result: FrameResult) -> None:
        """Keep crops of the identities that were seen in this frame; predicted positions do not count."""
        now_s = result.frame.time_s
        self._last_s = max(self._last_s, now_s)
        tracks = result.tracks
        if not result.detected:
            return
        seen = ~tracks.coasted
        rows = zip(tracks.ids[seen].tolist(), tracks.boxes[seen].tolist(), tracks.scores[seen].tolist(), strict=True)
        for track_id, box, score in rows:
            identity = self._identities.setdefault(track_id, _Identity(slot_s=0.25))
            identity.frames += 1
            if identity.seen and now_s - identity.seen[-1][1] <= _SEEN_GAP_S:
                identity.seen[-1][1] = now_s
            else:
                identity.seen.append([now_s, now_s])
            self._keep(identity, result.frame.image, box, score, now_s)
        if len(self._identities) > 2 * self._rows:
            self._forget()

    def close(self) -> None:
        """Write the sheet, once; without `open` nothing is written."""
        if not self._open:
            return
        self._open = False
        encoded = cv2.imencode(".png", self.render())[1]
        try:
            self.path.write_bytes(encoded.tobytes())
        except OSError as error:
            raise OutputError(f"cannot write the contact sheet {self.path}: {error.strerror}") from error

    def _keep(self, identity: _Identity, image: Image, box: list[float], score: float, now_s: float) -> None:
        height, width = image.shape[:2]
        x1, y1, x2, y2 = (round(v) for v in box)
        left, top, right, low = max(x1, 0), max(y1, 0), min(x2, width), min(y2, height)
        if right - left < 4 or low - top < 4:
            return
        inside = (right - left) * (low - top) / max((x2 - x1) * (y2 - y1), 1)
        quality = score * inside**2 * ((right - left) * (low - top)) ** 0.5
        slot = int(now_s / identity.slot_s)
        if slot in identity.crops and identity.crops[slot].quality >= quality:
            return
        identity.crops[slot] = _Crop(quality, now_s, _thumbnail(image[top:low, left:right]))
        while len(identity.crops) > 2 * self._columns:
            self._thin(identity)

    def _thin(self, identity: _Identity) -> None:
        """Double the slots; of two that become one the better crop stays."""
        identity.slot_s *= 2
        merged: dict[int, _Crop] = {}
        for crop in identity.crops.values():
            slot = int(crop.time_s / identity.slot_s)
            if slot not in merged or merged[slot].quality < crop.quality:
                merged[slot] = crop
        identity.crops = merged

    def _forget(self) -> None:
        """Drop the half that was seen least, the newest of those seen equally often last."""
        by_frames = sorted(self._identities, key=lambda i: (-self._identities[i].frames, -i))
        for track_id in by_frames[self._rows :]:
            del self._identities[track_id]
            self._forgotten.add(track_id)

    def render(self) -> Image:
        """(H, W, 3) uint8 BGR: the sheet as it stands."""
        shown = sorted(self._identities, key=lambda i: (-self._identities[i].frames, i))[: self._rows]
        left_out = len(self._identities.keys() | self._forgotten) - len(shown)
        row_px = _THUMB_HEIGHT_PX + _CAPTION_PX + _BAR_PX + 3 * _GAP_PX
        width = _LABEL_PX + self._columns * (_THUMB_WIDTH_PX + _GAP_PX) + 2 * _GAP_PX
        sheet = np.full((_HEADER_PX + max(len(shown), 1) * row_px + _GAP_PX, width, 3), _BACKGROUND, np.uint8)
        more = f", {left_out} more not shown" if left_out else ""
        _write(sheet, self._title, (2 * _GAP_PX, 34), 17, _TEXT)
        summary = f"{len(shown)} identities{more}, {self._last_s:.0f} s"
        _write(sheet, summary, (width - 2 * _GAP_PX - _text_width(summary, 12), 32), 12, _FAINT)
        for i, track_id in enumerate(sorted(shown)):
            top = _HEADER_PX + i * row_px
            _draw_row(sheet[top : top + row_px - _GAP_PX, _GAP_PX : width - _GAP_PX], track_id, self, self._last_s)
        return sheet

    def crops_of(self, track_id: int) -> list[tuple[float, Image]]:
        """At most `columns` crops of an identity with their times in seconds, spread evenly over those kept."""
        crops = sorted(self._identities[track_id].crops.values(), key=lambda crop: crop.time_s)
        pick = np.unique(np.linspace(0, len(crops) - 1, min(len(crops), self._columns)).round().astype(int))
        return [(crops[i].time_s, crops[i].picture) for i in pick.tolist()]

    def spans_of(self, track_id: int) -> list[tuple[float, float]]:
        """When an identity was seen, as spans in seconds."""
        return [(a, b) for a, b in self._identities[track_id].seen]


def _thumbnail(crop: Image) -> Image:
    """Fit into the thumbnail with its own aspect, centred, standing on the lower edge."""
    scale = min(_THUMB_HEIGHT_PX / crop.shape[0], _THUMB_WIDTH_PX / crop.shape[1])
    size = (max(1, round(crop.shape[1] * scale)), max(1, round(crop.shape[0] * scale)))
    small = cv2.resize(crop, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    thumb: Image = np.full((_THUMB_HEIGHT_PX, _THUMB_WIDTH_PX, 3), _PANEL, np.uint8)
    left = (_THUMB_WIDTH_PX - size[0]) // 2
    thumb[_THUMB_HEIGHT_PX - size[1] :, left : left + size[0]] = small
    return thumb


def _text_width(text: str, height_px: float) -> int:
    return int(cv2.getTextSize(text, _FONT, height_px / _FONT_HEIGHT_PX, 1)[0][0])


def _write(image: Image, text: str, at: tuple[int, int], height_px: float, colour: tuple[int, int, int]) -> None:
    cv2.putText(image, text, at, _FONT, height_px / _FONT_HEIGHT_PX, colour, 1, cv2.LINE_AA)


def _draw_row(panel: Image, track_id: int, sheet: ContactSheet, last_s: float) -> None:
    """Fill the panel of one identity: number, when it was seen, crops with times."""
    panel[:] = _PANEL
    colour = identity_colour(track_id)
    panel[:, :5] = colour
    spans = sheet.spans_of(track_id)
    _write(panel, f"#{track_id}", (16, 48), 24, colour)
    _write(panel, f"{sum(b - a for a, b in spans):.1f} s", (16, 78), 11, _TEXT)
    _write(panel, "seen once" if len(spans) == 1 else f"{len(spans)} times", (16, 98), 11, _FAINT)
    left = _LABEL_PX - _GAP_PX
    for i, (time_s, picture) in enumerate(sheet.crops_of(track_id)):
        x = left + i * (_THUMB_WIDTH_PX + _GAP_PX)
        panel[_GAP_PX : _GAP_PX + _THUMB_HEIGHT_PX, x : x + _THUMB_WIDTH_PX] = picture
        caption = f"{time_s:.1f} s"
        centre = x + (_THUMB_WIDTH_PX - _text_width(caption, 10)) // 2
        _write(panel, caption, (centre, _GAP_PX + _THUMB_HEIGHT_PX + 14), 10, _FAINT)
    top = _GAP_PX + _THUMB_HEIGHT_PX + _CAPTION_PX + 2
    right = panel.shape[1] - _GAP_PX
    panel[top : top + _BAR_PX, left:right] = _BACKGROUND
    for a, b in spans:
        x1, x2 = (round(left + (right - left) * t / max(last_s, 1e-9)) for t in (a, b))
        panel[top : top + _BAR_PX, x1 : max(x2, x1 + 2)] = colour

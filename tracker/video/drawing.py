"""Tracks drawn over a picture: a colour an identity, its number, its way; for the annotated video and the window."""

from __future__ import annotations

import colorsys
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from tracker.types import Image, Tracks

Colour = tuple[int, int, int]  # BGR, 0..255

_GOLDEN_RATIO = 0.618033988749895  # successive multiples modulo 1 stay far apart: Knuth, TAOCP vol. 3, 6.4
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FONT_HEIGHT_PX = 22.0  # of a capital of that font at scale 1
_DASH_SHARE = 0.5  # of each period that is drawn


def identity_colour(track_id: int) -> Colour:
    """The colour of an identity: always the same, far from its neighbours', bright enough for black text on it."""
    hue = (track_id * _GOLDEN_RATIO) % 1.0
    # three alternating tones, since after a dozen identities the hues alone lie close together
    saturation, value = ((0.85, 1.0), (0.55, 1.0), (0.9, 0.8))[track_id % 3]
    r, g, b = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(255 * b), round(255 * g), round(255 * r)


@dataclass(frozen=True, slots=True)
class Style:
    """Sizes in pixels, from the size of the picture, so that it reads alike at 640x480 and at 1920x1080."""

    line_px: int
    """Width of a box's line."""
    text_px: float
    """Height of a capital."""
    pad_px: int
    """Margin around a label's text."""

    @classmethod
    def of(cls, image: Image) -> Style:
        """Sizes for this picture."""
        short_px = min(image.shape[:2])
        text_px = min(max(short_px / 48, 7.0), 40.0)
        return cls(max(1, round(short_px / 320)), text_px, max(2, round(text_px / 3.5)))


class Trails:
    """Where each object's foot point has been, for a while. Forgets what is older, so that it never grows.

    Args:
        length_s: how far back a trail reaches.
    """

    def __init__(self, length_s: float = 2.0) -> None:
        self._length_s = length_s
        self._points: dict[int, deque[tuple[float, float, float]]] = {}  # id -> (time_s, x, y), oldest first

    def update(self, tracks: Tracks) -> None:
        """Take the positions of one frame in."""
        foot = np.stack(((tracks.boxes[:, 0] + tracks.boxes[:, 2]) / 2, tracks.boxes[:, 3]), axis=1)  # (M, 2)
        for track_id, (x, y) in zip(tracks.ids.tolist(), foot.tolist(), strict=True):
            self._points.setdefault(track_id, deque()).append((tracks.time_s, x, y))
        oldest_s = tracks.time_s - self._length_s
        for track_id in list(self._points):
            points = self._points[track_id]
            while points and points[0][0] < oldest_s:
                points.popleft()
            if not points:
                del self._points[track_id]

    def of(self, track_id: int) -> NDArray[np.float32]:
        """(K, 2) foot points in pixels, oldest first."""
        return np.array([p[1:] for p in self._points.get(track_id, ())], np.float32).reshape(-1, 2)


def draw_tracks(
    image: Image,
    tracks: Tracks,
    *,
    class_names: Mapping[int, str] | None = None,
    trails: Trails | None = None,
    notes: Mapping[int, str] = MappingProxyType({}),
    dash_coasted: bool = True,
) -> Image:
    """A copy of the picture with a box, a label and perhaps a trail for each track.

    Args:
        image: (H, W, 3) uint8 BGR; not changed.
        tracks: boxes in its pixels; what lies outside is cut off.
        class_names: where given, a label says the class too.
        notes: what is written below the boxes of these numbers.
        trails: drawn as far as they know the tracks; the caller updates them.
        dash_coasted: dash the boxes of predicted positions. Off where all of a frame is predicted, or it flickers.
    """
    canvas = image.copy()
    style = Style.of(image)
    # far beyond the border OpenCV's fixed-point coordinates overflow
    limit = np.array([image.shape[1], image.shape[0]] * 2, np.float32)
    corners = np.rint(np.clip(tracks.boxes, -limit, 2 * limit)).astype(np.int64)  # (M, 4)
    order = np.argsort(corners[:, 3], kind="stable")  # nearer ones last, so that they lie on top
    coasted = tracks.coasted & dash_coasted
    for row in order.tolist():
        colour = identity_colour(int(tracks.ids[row]))
        if trails is not None:
            _draw_trail(canvas, trails.of(int(tracks.ids[row])), colour, style, limit)
        _draw_box(canvas, corners[row].tolist(), colour, style, dashed=bool(coasted[row]))
    for row in order.tolist():
        text = str(tracks.ids[row])
        if class_names and (name := class_names.get(int(tracks.classes[row]))):
            text += f" {name}"
        colour = identity_colour(int(tracks.ids[row]))
        _draw_label(canvas, corners[row].tolist(), text, colour, style)
        if note := notes.get(int(tracks.ids[row])):
            _draw_label(canvas, corners[row].tolist(), note, colour, style, below=True)
    return canvas


def _draw_box(canvas: Image, corners: list[int], colour: Colour, style: Style, *, dashed: bool) -> None:
    x1, y1, x2, y2 = corners
    if not dashed:
        cv2.rectangle(canvas, (x1, y1), (x2, y2), colour, style.line_px)
        return
    period_px = 10 * style.line_px
    for (ax, ay), (bx, by) in (((x1, y1), (x2, y1)), ((x2, y1), (x2, y2)), ((x2, y2), (x1, y2)), ((x1, y2), (x1, y1))):
        length = max(abs(bx - ax), abs(by - ay))
        for begin in range(0, length, period_px):
            end = min(begin + _DASH_SHARE * period_px, length)
            p = (round(ax + (bx - ax) * begin / length), round(ay + (by - ay) * begin / length))
            q = (round(ax + (bx - ax) * end / length), round(ay + (by - ay) * end / length))
            cv2.line(canvas, p, q, colour, style.line_px)


def _draw_trail(
    canvas: Image, points: NDArray[np.float32], colour: Colour, style: Style, limit: NDArray[np.float32]
) -> None:
    if len(points) < 2:
        return
    whole = np.rint(np.clip(points, -limit[:2], 2 * limit[:2])).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(canvas, [whole], False, colour, style.line_px)  # anti-aliasing would take five times as long


def _draw_label(
    canvas: Image, corners: list[int], text: str, colour: Colour, style: Style, *, below: bool = False
) -> None:
    x1, y1, _, y2 = corners
    scale = style.text_px / _FONT_HEIGHT_PX
    thickness = max(1, round(style.text_px / 9))
    (width, height), descent = cv2.getTextSize(text, _FONT, scale, thickness)
    box_w, box_h = width + 2 * style.pad_px, height + descent // 2 + 2 * style.pad_px
    left = min(max(x1 - style.line_px // 2, 0), max(0, canvas.shape[1] - box_w))
    top = y1 - box_h if y1 >= box_h else max(y1, 0)  # above the box, or inside it at the picture's upper border
    if below:
        top = min(max(y2, 0), canvas.shape[0] - box_h)
    cv2.rectangle(canvas, (left, top), (left + box_w, top + box_h), colour, cv2.FILLED)
    b, g, r = colour
    dark = 0.114 * b + 0.587 * g + 0.299 * r < 110  # luma, ITU-R BT.601
    ink = (255, 255, 255) if dark else (0, 0, 0)
    origin = (left + style.pad_px, top + style.pad_px + height)
    cv2.putText(canvas, text, origin, _FONT, scale, ink, thickness, cv2.LINE_AA)

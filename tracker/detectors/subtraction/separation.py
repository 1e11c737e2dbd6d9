"""Which objects each blob is made of, and where each of them is."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tracker.boxes import coverage, iou
from tracker.detectors.subtraction.blobs import Blobs, shares_in_blobs
from tracker.detectors.subtraction.depth import cut_by_depth
from tracker.detectors.subtraction.objects import TrackedObject
from tracker.detectors.subtraction.sizes import SizePrior, sample_due
from tracker.types import FloatArray, Image

_FORGET_S = 0.4  # an object that no blob shows
_FORGET_HIDDEN_S = 2.0  # an object that others in its blob hide
_FOUND = 0.35  # share of its looks that must be found inside a merged blob
_GROWN_WIDTH, _GROWN_HEIGHT = 1.45, 1.3  # times the remembered size: something joined it
_NEW_SHARE = 0.5  # of the width of a known object, for what is left over in a blob to be another
_ONE_MORE = 0.65  # a blob is two objects from 1.65 times the usual width on, three from 2.65 on
_MOST_PARTS = 5
_SAME_PART = 0.4  # overlap of a known object with a part of a blob that is it
_SAME_HEIGHT = 0.2  # |log| by which their heights may differ
_LOWEST_PART = 0.7  # of the usual height: lower blobs are parts of something, not several of it
_HIDDEN_COVER = 0.75  # of its box behind others: not shown


class Separation:
    """The memory of objects and what it makes of each frame's blobs; without `split`, each blob is one object."""

    def __init__(self, *, split: bool = True) -> None:
        self._split = split
        self.objects: list[TrackedObject] = []
        self.sizes = SizePrior()

    def clear(self) -> None:
        """Forget all."""
        self.objects, self.sizes = [], SizePrior()

    def update(self, blobs: Blobs, picture: Image, dt_s: float) -> tuple[FloatArray, FloatArray]:
        """Boxes (N, 4) and confidences (N,) of the objects that are seen; `dt_s` since the last frame."""
        predicted = np.array([o.predicted(dt_s) for o in self.objects], np.float32).reshape(-1, 4)
        home = _homes(predicted, blobs)  # (K,) blob of each object, -1 for none
        seen: list[tuple[TrackedObject, float]] = []
        for b in range(len(blobs)):
            members = [k for k in range(len(self.objects)) if home[k] == b]
            seen += self._explain(blobs, b, members, predicted, picture, dt_s)
        shown = {id(o) for o, _ in seen}
        kept = []
        for k, one in enumerate(self.objects):
            if id(one) in shown:
                continue
            one.box, one.missed_s = predicted[k], one.missed_s + dt_s
            if one.missed_s <= (_FORGET_HIDDEN_S if home[k] >= 0 else _FORGET_S):
                kept.append(one)
        self.objects = [o for o, _ in seen] + kept
        visible = [(o, c) for o, c in seen if c > 0]
        boxes = np.array([o.box for o, _ in visible], np.float32).reshape(-1, 4)
        return boxes, np.array([c for _, c in visible], np.float32)

    def _explain(
        self, blobs: Blobs, b: int, members: list[int], predicted: FloatArray, picture: Image, dt_s: float
    ) -> list[tuple[TrackedObject, float]]:
        """The objects of one blob, with their confidences. Members that are not among them are forgotten."""
        box = blobs.boxes[b]
        known = [k for k in members if self.objects[k].known]
        if self._split and not known:
            parts = self._typical_parts(box)
            if len(parts) < 2:
                parts = self._cut(blobs, b)
            if len(parts) > 1:
                return self._side_by_side(parts, members, predicted, dt_s)
        if not members:
            return [(TrackedObject.at(box), 1.0)]
        if self._split and len(known) == 1:
            beside = self._beside(self._cut(blobs, b), known[0], members, predicted, dt_s)
            if beside:
                return beside
        if not self._split or not known or (len(known) == 1 and not _grown(self.objects[known[0]], box)):
            # pieces that were new to the picture have turned out to be one object
            one = self.objects[known[0] if known else max(members, key=lambda k: self.objects[k].size.prod())]
            self._alone(one, blobs, b, picture, dt_s)
            self._forget(members, one)
            return [(one, 1.0)]
        return self._separate(blobs, b, members, known, predicted, picture, dt_s)

    def _cut(self, blobs: Blobs, b: int) -> list[FloatArray]:
        x1, y1, x2, y2 = (int(v) for v in blobs.boxes[b])
        return cut_by_depth(blobs.labels[y1:y2, x1:x2] == b + 1, blobs.boxes[b, :2], self.sizes)

    def _beside(
        self, parts: list[FloatArray], k: int, members: list[int], predicted: FloatArray, dt_s: float
    ) -> list[tuple[TrackedObject, float]]:
        """A known object in one of two parts, and whoever is in the other; nothing where it fits neither."""
        if not parts:
            return []
        one = self.objects[k]
        overlap = iou(predicted[k][None], np.array(parts))[0]  # (2,)
        mine = int(overlap.argmax())
        size = parts[mine][2:] - parts[mine][:2]
        if overlap[mine] < _SAME_PART or abs(np.log(size[1] / one.size[1])) > _SAME_HEIGHT:
            return []
        one.measured(parts[mine], dt_s, alone=False, edge=False)
        others = [m for m in members if m != k]
        other = self._other(others, predicted, parts[1 - mine], dt_s)
        self._forget(others, other)
        return [(one, 0.9), (other, 0.75)]

    def _typical_parts(self, box: FloatArray) -> list[FloatArray]:
        """(4,) each: a blob of unknown objects cut side by side, as many as typical ones fill its width."""
        usual = self.sizes.expected(float(box[3]))
        if usual is None or box[3] - box[1] < _LOWEST_PART * usual[1]:
            return [box]
        width = float(box[2] - box[0])
        count = min(int(width / usual[0] + 1 - _ONE_MORE), _MOST_PARTS)
        if count < 2:
            return [box]
        lefts = box[0] + np.arange(count) * (width - usual[0]) / (count - 1)  # (count,) the outer ones meet the sides
        return [np.array([x, box[1], x + usual[0], box[3]], np.float32) for x in lefts.tolist()]

    def _side_by_side(
        self, parts: list[FloatArray], members: list[int], predicted: FloatArray, dt_s: float
    ) -> list[tuple[TrackedObject, float]]:
        """Parts of a blob, each taken over by the member that lay there, if any."""
        free = list(members)
        shown = []
        for part in parts:
            overlap = [float(iou(predicted[k][None], part[None])[0, 0]) for k in free]
            if overlap and max(overlap) > 0.2:
                one = self.objects[free.pop(int(np.argmax(overlap)))]
                one.measured(part, dt_s, alone=True, edge=True)
            else:
                one = TrackedObject.at(part)
            shown.append((one, 0.75))
        self._forget(free)
        return shown

    def _alone(self, one: TrackedObject, blobs: Blobs, b: int, picture: Image, dt_s: float) -> None:
        """The blob is this object."""
        box = blobs.boxes[b]
        edge = _touches_border(box, blobs)
        usual = (float(one.size[0]), 0.0) if one.known else self.sizes.expected(float(box[3]))
        whole = one.restored(box, usual[0] if usual and not edge else None, dt_s)
        if whole is not None:
            one.box, one.seen_s, one.missed_s = whole, one.seen_s + dt_s, 0.0
            return
        one.measured(box, dt_s, alone=True, edge=edge)
        if not edge and one.known and sample_due(one.seen_s, dt_s):
            self.sizes.add(box)
        if not edge or one.patch is None:
            one.remember_looks(picture, blobs.labels == b + 1, dt_s)

    def _forget(self, members: list[int], *but: TrackedObject) -> None:
        for k in members:
            if not any(self.objects[k] is one for one in but):
                self.objects[k].missed_s = np.inf

    def _separate(
        self,
        blobs: Blobs,
        b: int,
        members: list[int],
        known: list[int],
        predicted: FloatArray,
        picture: Image,
        dt_s: float,
    ) -> list[tuple[TrackedObject, float]]:
        """Find each known member inside a blob of several, and see what is left over."""
        foreground = blobs.labels == b + 1
        boxes, agreements = [], []
        for k in known:
            one = self.objects[k]
            shift, agreement = one.look_for(picture, foreground, predicted[k])
            place = predicted[k] + np.tile(shift if agreement >= _FOUND else 0 * shift, 2)
            boxes.append(_restored(place, one.size))
            agreements.append(agreement)
        found = np.array(agreements)  # (m,)
        placed = _snapped(np.array(boxes, np.float32), found, blobs.boxes[b])  # (m, 4)
        rest = _left_over(blobs, b, placed, self.sizes)
        if rest is None and len(known) == 1:  # nothing else is in it: the object itself has grown
            one = self.objects[known[0]]
            self._alone(one, blobs, b, picture, dt_s)
            self._forget(members, one)
            return [(one, 0.8)]
        shown = self._visible(known, placed, found, dt_s)
        others = [k for k in members if k not in known]
        if rest is not None:
            shown.append((self._other(others, predicted, rest, dt_s), 0.7))
        self._forget(others, *(one for one, _ in shown))
        return shown

    def _visible(
        self, known: list[int], placed: FloatArray, found: NDArray[np.float64], dt_s: float
    ) -> list[tuple[TrackedObject, float]]:
        """Those of the known members that are not hidden; if all seem to be, the one that agrees best."""
        hidden = _hidden_share(placed)  # (m,)
        visible = (found >= _FOUND) & (hidden < _HIDDEN_COVER)
        if not visible.any():
            visible[int(found.argmax())] = True
        shown = []
        for m in np.flatnonzero(visible):
            one = self.objects[known[m]]
            one.measured(placed[m], dt_s, alone=False, edge=False)
            shown.append((one, float((0.5 + 0.5 * found[m]) * (1 - 0.3 * hidden[m]))))
        return shown

    def _other(self, others: list[int], predicted: FloatArray, rest: FloatArray, dt_s: float) -> TrackedObject:
        """Who is left over: one that was left over before, else a new one."""
        if others:
            overlap = iou(predicted[others], rest[None])[:, 0]  # (o,)
            best = int(overlap.argmax())
            if overlap[best] > 0:
                one = self.objects[others[best]]
                one.measured(rest, dt_s, alone=True, edge=True)
                return one
        return TrackedObject.at(rest)


def _homes(predicted: FloatArray, blobs: Blobs) -> np.ndarray:
    """(K, 4) -> (K,) the blob that holds most of each object's foreground, -1 for none."""
    if not len(predicted) or not len(blobs):
        return np.full(len(predicted), -1)
    shares = shares_in_blobs(predicted, blobs)  # (K, B)
    best = shares.argmax(axis=1)
    return np.where(shares.max(axis=1) > 0, best, -1)


def _touches_border(box: FloatArray, blobs: Blobs) -> bool:
    height, width = blobs.labels.shape
    return bool(box[0] <= 1 or box[1] <= 1 or box[2] >= width - 1 or box[3] >= height - 1)


def _grown(one: TrackedObject, box: FloatArray) -> bool:
    """Whether the blob became too large, from one frame to the next, to be this object alone."""
    size = box[2:] - box[:2]
    return bool(size[0] > _GROWN_WIDTH * one.size[0] or size[1] > _GROWN_HEIGHT * one.size[1])


def _restored(box: FloatArray, size: FloatArray) -> FloatArray:
    """(4,) the box with its remembered size, about the middle of its lower edge."""
    x = (box[0] + box[2]) / 2
    return np.array([x - size[0] / 2, box[3] - size[1], x + size[0] / 2, box[3]], np.float32)


def _snapped(placed: FloatArray, agreement: FloatArray, blob: FloatArray) -> FloatArray:
    """Move the outermost boxes so that their outer sides meet the blob's, where they nearly do."""
    out = placed.copy()
    size = placed[:, 2:] - placed[:, :2]
    for axis in (0, 1):
        for side, pick in ((axis, np.argmin), (axis + 2, np.argmax)):
            k = int(pick(placed[:, side]))
            off = float(blob[side] - placed[k, side])
            if abs(off) < 0.25 * size[k, axis] and agreement[k] >= _FOUND:
                out[k, [axis, axis + 2]] += np.float32(0.5 * off)
    return out


def _hidden_share(placed: FloatArray) -> FloatArray:
    """(m, 4) -> (m,) share of each box that lies behind others: who stands lower in the picture is in front."""
    if len(placed) < 2:
        return np.zeros(len(placed), np.float32)
    cover = coverage(placed, placed)  # (m, m)
    in_front = placed[None, :, 3] > placed[:, None, 3]
    return np.asarray(np.where(in_front, cover, 0).max(axis=1), np.float32)


def _left_over(blobs: Blobs, b: int, placed: FloatArray, sizes: SizePrior) -> FloatArray | None:
    """(4,) the part of the blob beside its known objects, where that looks like another one.

    Where only the legs of somebody nearer stand out, the box goes up as high as the usual height at that foot.
    """
    x1, y1, x2, y2 = (int(v) for v in blobs.boxes[b])
    inside = blobs.labels[y1:y2, x1:x2] == b + 1  # (h, w)
    for left, top, right, low in np.rint(placed).astype(int).tolist():
        inside[max(top - 3 - y1, 0) : max(low + 3 - y1, 0), max(left - 3 - x1, 0) : max(right + 3 - x1, 0)] = False
    count, _, stats, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8), connectivity=4)
    if count < 2:
        return None
    largest = stats[1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())]
    left, top, width, height, area = (int(v) for v in largest)
    smallest = (placed[:, 2:] - placed[:, :2]).min(axis=0)  # (2,)
    if width < _NEW_SHARE * smallest[0] or height < 0.55 * smallest[1] or area < 0.35 * width * height:
        return None
    foot = y1 + top + height
    usual = sizes.expected(float(foot))
    high = y1 + top if usual is None else max(min(y1 + top, foot - usual[1]), y1)
    return np.array([x1 + left, high, x1 + left + width, foot], np.float32)

"""The arrays and protocols that the whole of `tracker` speaks: structs of arrays, one row an object.

Boxes are always `x1, y1, x2, y2` in pixels of the full frame, float32, with x2 >= x1 and y2 >= y1.
Images are always BGR uint8 of shape (H, W, 3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tracker.errors import InputError, TrackerError

if TYPE_CHECKING:
    from types import TracebackType

    from tracker.explanation import Explanation

FloatArray: TypeAlias = NDArray[np.float32]
DoubleArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]
Image: TypeAlias = NDArray[np.uint8]  # (H, W, 3), BGR

_LARGEST_FLOAT = float(np.finfo(np.float32).max)
UNIT_NORM_TOLERANCE = 1e-2
"""float16 vectors of 2048 dimensions are within 2e-3 of unit length."""


def off_unit(vectors: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Lengths (N,) of vectors (N, D), and which of them are not 1; those that are no finite number are not, either."""
    norm = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))
    return norm, ~(np.abs(norm - 1) <= UNIT_NORM_TOLERANCE)  # ~(...) also catches NaN


def _as_rows(name: str, value: Any, shape: tuple[int | None, ...], dtype: type[np.generic]) -> NDArray[Any]:
    """Convert to an array of `dtype` (`value` itself where it is one already); refuse another shape or kind."""
    try:
        array = np.asarray(value)
    except ValueError as error:  # rows of different lengths
        raise InputError(f"{name} must be one array of shape {_shape_text(shape)}: {error}") from error
    if array.size == 0 and array.ndim <= 1 and len(shape) == 2:
        array = array.reshape(0, shape[1] or 0)
    converted = array.dtype != dtype and array.size > 0
    if converted and not _is_of_kind(array, dtype):
        raise InputError(f"{name} must be numbers that fit {np.dtype(dtype).name}, got dtype {array.dtype}")
    if array.shape != shape and not _is_of_shape(array, shape):
        raise InputError(f"{name} must have shape {_shape_text(shape)}, got {array.shape}")
    if converted:
        _refuse_overflow(name, array, dtype)
    return np.ascontiguousarray(array, dtype=dtype)


def _is_of_kind(array: NDArray[Any], dtype: type[np.generic]) -> bool:
    """Whether numbers of this kind may become numbers of the dtype."""
    if dtype is np.int64 and array.dtype.kind == "f":  # many detectors hand classes over as whole floats
        return bool((array == np.floor(array)).all())
    return array.dtype.kind in {np.float32: "fiu", np.int64: "iu", np.bool_: "b"}[dtype]


def _is_of_shape(array: NDArray[Any], shape: tuple[int | None, ...]) -> bool:
    """Whether all sides are what they must be; None: any."""
    return array.ndim == len(shape) and all(s in (None, a) for s, a in zip(shape, array.shape, strict=True))


def _refuse_overflow(name: str, array: NDArray[Any], dtype: type[np.generic]) -> None:
    """Refuse numbers that the dtype cannot hold; NaN and infinity among floats are for the caller to judge."""
    largest = _LARGEST_FLOAT if dtype is np.float32 else float(2**63 - 1024)
    if -largest <= array.min() and array.max() <= largest:  # neither is so where there is NaN or infinity
        return
    bad = np.abs(array.astype(np.float64)) > largest
    if dtype is np.float32:
        bad &= np.isfinite(array)
    _refuse_row(name, array, bad.reshape(len(array), -1).max(axis=1), f"small enough for {np.dtype(dtype).name}")


def _shape_text(shape: tuple[int | None, ...]) -> str:
    inner = ", ".join("N" if s is None and i == 0 else "D" if s is None else str(s) for i, s in enumerate(shape))
    return f"({inner}{',' if len(shape) == 1 else ''})"


def _refuse_row(name: str, array: NDArray[Any], bad: BoolArray, must: str) -> None:
    if np.count_nonzero(bad):
        row = int(np.flatnonzero(bad)[0])
        more = f" (and {int(bad.sum()) - 1} more rows)" if bad.sum() > 1 else ""
        value = array[row].tolist() if array[row].size <= 8 else "a row of " + str(array[row].size)
        raise InputError(f"{name}[{row}] must be {must}, got {value}{more}")


def _check_boxes(value: ArrayLike) -> FloatArray:
    boxes: FloatArray = _as_rows("boxes", value, (None, 4), np.float32)
    infinite, negative = ~np.isfinite(boxes), boxes[:, 2:] < boxes[:, :2]
    if np.count_nonzero(infinite) or np.count_nonzero(negative):
        _refuse_row("boxes", boxes, np.asarray(infinite.any(axis=1)), "finite")
        _refuse_row("boxes", boxes, np.asarray(negative.any(axis=1)), "x1, y1, x2, y2 with x2 >= x1 and y2 >= y1")
    return boxes


def _check_unit_range(name: str, value: ArrayLike, n: int) -> FloatArray:
    array: FloatArray = _as_rows(name, value, (n,), np.float32)
    _refuse_row(name, array, ~((array >= 0) & (array <= 1)), "within 0..1")  # ~(...) also catches NaN
    return array


def _check_classes(value: ArrayLike, n: int) -> IntArray:
    array: IntArray = _as_rows("classes", value, (n,), np.int64)
    _refuse_row("classes", array, array < 0, "0 or more")
    return array


def _check_embeddings(value: ArrayLike | None, has: BoolArray) -> FloatArray | None:
    if value is None:
        if has.any():
            raise InputError(f"has_embedding[{int(np.flatnonzero(has)[0])}] is True but embeddings is None")
        return None
    vectors: FloatArray = _as_rows("embeddings", value, (len(has), None), np.float32)
    if len(has) and vectors.shape[1] == 0:
        raise InputError(f"embeddings must have at least one dimension, got shape {vectors.shape}")
    _refuse_row("embeddings", vectors, has & off_unit(vectors)[1], "finite, of unit length")
    return vectors


@dataclass(frozen=True, slots=True, eq=False, init=False)
class Detections:
    """What a detector saw in one frame: N objects, checked on construction, never changed afterwards.

    Arguments are converted to the dtypes below; the caller's arrays are never written to. None for `scores` means 1
    for each, for `classes` 0 for each, for `has_embedding` all rows where `embeddings` is given, else none.

    Raises:
        InputError: a shape, dtype or value is wrong; the message names the field and the row.
    """

    boxes: FloatArray
    """(N, 4) float32, `x1, y1, x2, y2` in pixels; may reach over the border of the picture."""
    scores: FloatArray
    """(N,) float32 in 0..1."""
    classes: IntArray
    """(N,) int64."""
    embeddings: FloatArray | None
    """(N, D) float32 of unit length, or None. Rows without an embedding are ignored (see `has_embedding`)."""
    has_embedding: BoolArray
    """(N,) bool: which rows of `embeddings` count."""
    quality: FloatArray | None
    """(N,) float32 in 0..1: how fit each crop is to be remembered (sharp, whole, lit); None where unknown."""
    frame_size: tuple[int, int] | None
    """(width_px, height_px) of the frame, where known."""

    def __init__(
        self,
        boxes: ArrayLike,
        scores: ArrayLike | None = None,
        classes: ArrayLike | None = None,
        embeddings: ArrayLike | None = None,
        has_embedding: ArrayLike | None = None,
        quality: ArrayLike | None = None,
        frame_size: tuple[int, int] | None = None,
    ) -> None:
        put = object.__setattr__
        put(self, "boxes", _check_boxes(boxes))
        n = len(self.boxes)
        put(self, "scores", np.ones(n, np.float32) if scores is None else _check_unit_range("scores", scores, n))
        put(self, "classes", np.zeros(n, np.int64) if classes is None else _check_classes(classes, n))
        given = np.zeros(n, bool) if embeddings is None else np.ones(n, bool)
        mask = given if has_embedding is None else _as_rows("has_embedding", has_embedding, (n,), np.bool_)
        put(self, "has_embedding", mask)
        put(self, "embeddings", _check_embeddings(embeddings, self.has_embedding))
        put(self, "quality", None if quality is None else _check_unit_range("quality", quality, n))
        if frame_size is not None and (len(frame_size) != 2 or min(frame_size) <= 0):
            raise InputError(f"frame_size must be (width_px, height_px), both positive, got {frame_size}")
        put(self, "frame_size", frame_size)

    def __len__(self) -> int:
        return len(self.boxes)

    @classmethod
    def empty(cls) -> Detections:
        """No detection at all."""
        return cls(np.zeros((0, 4), np.float32))

    def select(self, rows: NDArray[Any]) -> Detections:
        """The detections of these rows (indices or mask), in that order."""
        return Detections(
            self.boxes[rows],
            self.scores[rows],
            self.classes[rows],
            None if self.embeddings is None else self.embeddings[rows],
            self.has_embedding[rows],
            None if self.quality is None else self.quality[rows],
            self.frame_size,
        )

    @classmethod
    def from_ultralytics(cls, results: Any) -> Detections:
        """From one `ultralytics.engine.results.Results` (or its `.boxes`)."""
        boxes = getattr(results, "boxes", results)
        if boxes is None or not hasattr(boxes, "xyxy"):
            raise InputError(f"from_ultralytics needs one Results object with boxes, got {type(results).__name__}")

        def numpy(value: Any) -> NDArray[Any]:
            return np.asarray(value.cpu().numpy() if hasattr(value, "cpu") else value)

        height_width = getattr(boxes, "orig_shape", None)
        size = (int(height_width[1]), int(height_width[0])) if height_width is not None else None
        return cls(numpy(boxes.xyxy), numpy(boxes.conf), numpy(boxes.cls), frame_size=size)

    @classmethod
    def from_supervision(cls, detections: Any) -> Detections:
        """From one `supervision.Detections`."""
        if not hasattr(detections, "xyxy"):
            raise InputError(f"from_supervision needs a supervision.Detections, got {type(detections).__name__}")
        return cls(detections.xyxy, detections.confidence, detections.class_id)


TrackEventKind: TypeAlias = Literal["born", "recovered", "recalled", "corrected", "ended"]


@dataclass(frozen=True, slots=True)
class TrackEvent:
    """A turn in the life of one identity.

    `born`: reported for the first time. `recovered`: found again by appearance, soon after it was lost, where motion
    did not reach. `ended`: no longer looked for by motion; remembered, where memory is on and its appearance is known.
    `recalled`: came back from that memory. `corrected`: it was taken for somebody else, and goes on under a number of
    its own.
    """

    kind: TrackEventKind
    track_id: int
    time_s: float
    replaces: int | None = None
    """A correction: the number under which this object was reported until now, if it was."""
    since_s: float | None = None
    """Of a correction: since when it holds, looking back. What was reported under `replaces` from then on was this
    object; before that time, if the track is older, it followed somebody else."""


@dataclass(frozen=True, slots=True, eq=False)
class Tracks:
    """What the tracker says of one frame: M objects with identities."""

    ids: IntArray
    """(M,) int64, the identities' numbers, from 1."""
    boxes: FloatArray
    """(M, 4) float32, `x1, y1, x2, y2` in pixels: the filtered estimate."""
    scores: FloatArray
    """(M,) float32, the detector's score of the matched detection (the last one, where coasted)."""
    classes: IntArray
    """(M,) int64."""
    detections: IntArray
    """(M,) int64: the row of the input that matched, -1 where the position is predicted."""
    time_s: float = 0.0
    """When, on the clock that `update` was given."""
    events: tuple[TrackEvent, ...] = field(default=())
    """What happened to identities in this update."""
    explanation: Explanation | None = None
    """Why; None where the tracker was not made to explain itself, and of predictions."""
    confident: int = 0
    """How many detections had a high score (`TrackerConfig.high_score`)."""
    embedded: int = 0
    """How many of these had a vector, given or asked for."""

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def coasted(self) -> BoolArray:
        """(M,) bool: predicted, not seen in this frame."""
        return self.detections < 0

    def to_supervision(self) -> Any:
        """As a `supervision.Detections` with `tracker_id`."""
        try:
            import supervision
        except ImportError as error:
            raise TrackerError(
                "to_supervision needs supervision, which is not installed: pip install supervision"
            ) from error
        return supervision.Detections(
            xyxy=self.boxes.copy(),
            confidence=self.scores.copy(),
            class_id=self.classes.astype(int),
            tracker_id=self.ids.astype(int),
        )

    def to_mot(self, frame: int) -> str:
        """MOTChallenge rows `frame,id,left,top,width,height,score,-1,-1,-1`, one a line, each ended by a newline.

        `frame` is the source's frame number, from 1.
        """
        sizes = self.boxes[:, 2:] - self.boxes[:, :2]
        rows = zip(self.ids.tolist(), self.boxes[:, :2].tolist(), sizes.tolist(), self.scores.tolist(), strict=True)
        return "".join(
            f"{frame},{i},{x:.2f},{y:.2f},{w:.2f},{h:.2f},{score:.4f},-1,-1,-1\n" for i, (x, y), (w, h), score in rows
        )


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a source."""

    image: Image
    """(H, W, 3) uint8, BGR."""
    index: int
    """The source's own frame number, from 1."""
    time_s: float
    """Seconds since the source began: media time of a file, capture time of a live source."""


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What is known of a source before its first frame is used."""

    name: str
    """A short name fit for file names and messages; never holds a password."""
    width_px: int
    height_px: int
    rate_hz: float | None
    """Nominal frames a second, None where unknown."""
    frames: int | None
    """How many frames will come, None where unknown."""
    live: bool
    """Whether frames come on their own time (camera, stream): such a source may drop frames, a file never does."""


class Source(Protocol):
    """Frames in order. Iterate once; close (or use as a context manager) when done.

    `close` may be called at any time, more than once, also before the end.
    """

    @property
    def info(self) -> SourceInfo: ...
    def __iter__(self) -> Iterator[Frame]: ...
    def close(self) -> None: ...
    def __enter__(self) -> Source: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class DetectorLike(Protocol):
    """Finds objects in a frame. Called with every frame in order that is to be detected on."""

    @property
    def class_names(self) -> Mapping[int, str]:
        """Names of the classes, as far as they are known."""

    def __call__(self, frame: Frame) -> Detections: ...


class CalibrationLike(Protocol):
    """Turns a cosine into evidence: how much likelier among same than among different identities, as a log ratio."""

    def log_likelihood_ratio(self, cosine: DoubleArray) -> DoubleArray:
        """Elementwise, any shape; monotone, 0 where both are equally likely."""


class AppearanceInfo(Protocol):
    """What the tracker must know of the embedder whose vectors it compares."""

    @property
    def dimension(self) -> int: ...
    @property
    def model_hash(self) -> str: ...
    @property
    def calibration(self) -> CalibrationLike | None: ...


class EmbedderLike(Protocol):
    """Turns crops into unit vectors."""

    @property
    def info(self) -> AppearanceInfo: ...
    def __call__(self, image: Image, boxes: FloatArray) -> FloatArray:
        """(H, W, 3) uint8 BGR, (N, 4) xyxy pixels -> (N, D) float32 of unit length."""


RemakeVectors: TypeAlias = Callable[[IntArray, DoubleArray], tuple[FloatArray, DoubleArray]]
"""Given identities (n,), and until when (n,) what was seen under their numbers surely shows them: mean vectors (n, D)
of unit length, and of how many crops (n,) each is; 0 where there is none. Times are those of `Tracker.update`."""


@runtime_checkable
class SwappableEmbedder(EmbedderLike, Protocol):
    """An embedder whose model is exchanged while a pipeline runs; `reid.online.live.LiveEmbedder` is one."""

    def ready(self) -> bool:
        """Whether another model waits to be taken."""

    def swap(self, adopt: Callable[[AppearanceInfo, RemakeVectors], object]) -> object:
        """Take it: `adopt` first, with what is known of it; where that raises, the old one stays."""

    def remember(self, ids: IntArray, crops: Sequence[Image], time_s: float) -> None:
        """Clean crops of identities (n,), which another model is to look at."""

    def renamed(self, old: int, new: int, *, since_s: float) -> None:
        """What was seen as `old` since a time was `new` all the while."""

    def keep_only(self, ids: IntArray) -> None:
        """None but these identities can come back."""


EmbedRows: TypeAlias = Callable[[IntArray], FloatArray]
"""Given rows of the detections, their embeddings (n, D): how a tracker asks for the vectors that it wants."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameResult:
    """What the pipeline says of one frame."""

    frame: Frame
    detections: Detections
    """What was detected, with the embeddings that the tracker asked for; empty where this frame was predicted
    (`detected` is False)."""
    tracks: Tracks
    detected: bool = True
    """Whether the detector ran on this frame."""
    model_hash: str | None = None
    """Of the embedder whose vectors they are, its `info.model_hash`: vectors of two models are never compared. None
    where there was no embedder."""


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What every sink is told before the first result."""

    source: SourceInfo
    class_names: Mapping[int, str]


class Sink(Protocol):
    """Takes results in order. `close` leaves valid files, also after an error; it may be called more than once."""

    def open(self, run: RunInfo) -> None: ...
    def write(self, result: FrameResult) -> None: ...
    def close(self) -> None: ...

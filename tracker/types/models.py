"""What finds objects in frames, and what tells by their looks who they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

from tracker.types.arrays import DoubleArray, FloatArray, Image, IntArray
from tracker.types.detections import Detections
from tracker.types.sources import Frame


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

    def to_forget(self) -> IntArray:
        """(n,) identities that were to be forgotten since this was last asked; it has forgotten them already."""

    def keep_only(self, ids: IntArray) -> None:
        """None but these identities can come back."""


EmbedRows: TypeAlias = Callable[[IntArray], FloatArray]
"""Given rows of the detections, their embeddings (n, D): how a tracker asks for the vectors that it wants."""

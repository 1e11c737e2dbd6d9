"""The settings of a network. No torch in here: the command line makes flags of them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, TypeAlias

from reid.checks import check_number, check_whole
from reid.errors import InputError

Neck: TypeAlias = Literal["bnneck", "none"]

OSNET_WIDTHS = {"osnet_x1_0": 1.0, "osnet_x0_75": 0.75, "osnet_x0_5": 0.5, "osnet_x0_25": 0.25}
"""Names of the OSNet variants and their width multipliers (Zhou et al. 2019, table 5: beta)."""

_PARTED = {"small": 64, "mobilenet_v2": 128}
# backbones that divide a picture into 8 horizontal parts, and what its height must be a multiple of

TIMM_PREFIX = "timm:"
ONNX = "onnx"
"""The backbone that is the graph of a file."""
_LARGEST_SIDE_PX, _LEAST_SIDE_PX = 1024, 32


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Which network is trained. `reid.learning.embedding.build_model` makes it."""

    backbone: str = "small"
    """small (for CPUs), mobilenet_v2 (for CPUs too, to begin with weights of ImageNet), osnet_x1_0, osnet_x0_75,
    osnet_x0_5, osnet_x0_25, timm:NAME for any model of timm (needs the extra [timm]), or onnx: the graph of the ONNX
    embedder that `pretrained` names, whoever made it, trained further; size and dimension are those of that file."""
    height_px: int = 128
    """Height of the crops that it takes: 256 for people in detail; a multiple of 64 for small, of 128 for
    mobilenet_v2."""
    width_px: int = 64
    """Width of the crops that it takes: half the height for people, the same for things as wide as high."""
    dimension: int | None = 128
    """Length of the learned vector, or none for as many numbers as the backbone has, without a linear layer."""
    neck: Neck = "bnneck"
    """bnneck: a batch norm ends it; identities and the exported vectors are after it, triplets where
    `loss.triplets_on` says."""
    colour_dimension: int = 0
    """Length of a projected colour histogram beside the learned vector; 0 for none. It has no learned weight."""
    learned_share: float = 0.5
    """Share of the learned vector in the cosine where a histogram is beside it."""
    pretrained: Path | None = None
    """A file of weights to begin with: a checkpoint of ours, or of the backbone alone (.pt, .pth, .safetensors); of the
    backbone onnx the embedder itself (.onnx, or default for the one that is shipped)."""

    def __post_init__(self) -> None:
        if self.backbone == ONNX:
            self._check_graph()
            return
        if not (self.backbone in (*_PARTED, *OSNET_WIDTHS) or self.timm_name):
            known = ", ".join((*_PARTED, *OSNET_WIDTHS, ONNX))
            raise InputError(f"backbone must be one of {known}, or {TIMM_PREFIX}NAME, got {self.backbone!r}")
        for name in ("height_px", "width_px"):
            check_whole(name, getattr(self, name), _LEAST_SIDE_PX, _LARGEST_SIDE_PX)
        multiple = _PARTED.get(self.backbone, 1)
        if self.height_px % multiple:
            wanted = f"a multiple of {multiple} for the {self.backbone} backbone"
            raise InputError(f"height_px must be {wanted}, got {self.height_px}")
        if self.dimension is not None:
            check_whole("dimension", self.dimension, 2, 8192)
        if self.neck not in ("bnneck", "none"):
            raise InputError(f"neck must be bnneck or none, got {self.neck!r}")
        check_whole("colour_dimension", self.colour_dimension, 0, 816)
        if self.colour_dimension and (self.height_px % 2 or self.width_px % 2):
            raise InputError("height_px and width_px must be even with a colour histogram, which halves them")
        check_number("learned_share", self.learned_share, above=0, below=1)

    def _check_graph(self) -> None:
        """The file says what the network is: nothing else may."""
        if self.pretrained is None:
            raise InputError("the backbone onnx needs the file of the embedder: give pretrained")
        for field in fields(self):
            if field.name not in ("backbone", "pretrained") and getattr(self, field.name) != field.default:
                raise InputError(
                    f"{field.name} is that of the file for the backbone onnx: leave it at {field.default}, got "
                    f"{getattr(self, field.name)!r}"
                )

    @property
    def timm_name(self) -> str:
        """The name that timm knows the backbone by; empty for our own."""
        return self.backbone.removeprefix(TIMM_PREFIX) if self.backbone.startswith(TIMM_PREFIX) else ""

    @property
    def architecture(self) -> str:
        """One line for the card: `osnet_x0_25, 128 numbers, bnneck`."""
        parts = [self.backbone]
        if self.dimension is not None:
            parts.append(f"{self.dimension} numbers")
        if self.neck != "none":
            parts.append(self.neck)
        if self.colour_dimension:
            share = f"{1 - self.learned_share:.2g}"
            parts.append(f"colour histogram projected to {self.colour_dimension} (share {share} of the cosine)")
        return ", ".join(parts)

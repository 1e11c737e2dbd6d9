"""`reidtrack reid export`: the same embedder in float16 or int8, kept only if it holds what it recognises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tracker.cli.checks import require_new_model, require_path
from tracker.cli.context import Context
from tracker.cli.errors import UsageError
from tracker.cli.flags import parse_arguments
from tracker.cli.schema import argument, flag_only

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from reid.data import Crops
    from reid.learning.precision import PrecisionReport

_SUMMARY = """\
Write an embedder in another precision. fp16 halves it, for GPUs; its vectors must stay within a cosine of 0.999. int8
(weights by channel) is for CPUs with VNNI: half of the identities of --data say which values occur, on the other half
its mAP may fall by 0.5 points, else nothing is written. The time of both is measured. Needs the extra [train]."""
_EXAMPLES = """\
  reidtrack reid export own.onnx --precision fp16
  reidtrack reid export own.onnx --precision int8 --data people/ --out small.onnx"""


@dataclass(frozen=True, slots=True)
class ReidExportSettings:
    """Settings of `reidtrack reid export`."""

    model: str = field(metadata=argument("MODEL"))
    """The embedder, in float32: `default` (shipped) or an .onnx file."""
    precision: Literal["fp16", "int8"] = field(metadata=flag_only())
    """What the new model computes in."""
    data: Path | None = field(default=None, metadata=flag_only("DATA"))
    """Crops of known identities, of any kind that `reidtrack train` takes; int8 needs them."""
    kind: Literal["auto", "folders", "market", "mot"] = field(default="auto", metadata=flag_only())
    """What kind of data it is; `auto` looks."""
    out: Path | None = field(default=None, metadata=flag_only("FILE"))
    """The new model; by default beside the old one, own-int8.onnx for own.onnx, and for the shipped one here."""
    overwrite: bool = field(default=False, metadata=flag_only())
    """Replace a model that is there already."""
    calibration_crops: int = field(default=256, metadata=flag_only("NUMBER"))
    """How many crops say which values occur."""
    seed: int = field(default=0, metadata=flag_only("NUMBER"))
    """Decides which identities and crops those are."""

    def __post_init__(self) -> None:
        if self.precision == "int8" and self.data is None:
            raise ValueError("--precision int8 needs --data, crops of known identities that it is measured on")
        if self.calibration_crops < 16:
            raise ValueError(f"calibration_crops must be 16 or more, got {self.calibration_crops}")

    @property
    def target(self) -> Path:
        """Where the new model is written."""
        return self.out or Path(self.model).with_name(f"{Path(self.model).stem}-{self.precision}.onnx")


def run(argv: Sequence[str], context: Context) -> int:
    """Convert, compare, write; 0."""
    settings = parse_arguments(ReidExportSettings, argv, command="reid export", summary=_SUMMARY, examples=_EXAMPLES)
    source = _source(settings)
    from reid.learning.precision import to_float16, to_int8

    if settings.precision == "fp16":
        pixels = None if settings.data is None else _pixels(*_pick(_open(settings), settings), source)
        report = to_float16(source, settings.target, crops=pixels, seed=settings.seed)
    else:
        calibration, validation = _halves(settings)
        report = to_int8(
            source,
            settings.target,
            calibration_crops=_pixels(*_pick(calibration, settings), source),
            validation_crops=_pixels(validation, range(len(validation)), source),
            score=lambda vectors: _mean_average_precision(vectors, validation),
            measured_on=f"{len(validation)} crops of {len(validation.identities)} identities of {_name(settings)}",
        )
    context.result(_describe(report, settings.target))
    return 0


def _name(settings: ReidExportSettings) -> str:
    """What the data are called on a card."""
    from reid.card import utf8_text

    assert settings.data is not None, "checked where the settings are made"
    return utf8_text(settings.data.resolve().name)


def _source(settings: ReidExportSettings) -> Path:
    """The model's file, after the checks that need no model."""
    if settings.data is not None:
        require_path("--data", settings.data)
    if not settings.target.parent.is_dir():
        raise UsageError(f"--out: there is no folder {settings.target.parent}")
    path = _model_file(settings.model)
    if settings.target.resolve() == path.resolve():
        raise UsageError(f"--out must be another file than MODEL, got {settings.target} for both")
    require_new_model(settings.target, replace=settings.overwrite)
    return path


def _model_file(name: str) -> Path:
    if name == "default":
        from reid.embedder import DEFAULT_MODEL

        return DEFAULT_MODEL
    if not Path(name).is_file():
        raise UsageError(f"MODEL must be default or an .onnx file, and there is no file {name}")
    return Path(name)


def _open(settings: ReidExportSettings) -> Crops:
    from reid.data import open_crops

    assert settings.data is not None, "checked where the settings are made"
    crops = open_crops(settings.data, kind=settings.kind)
    if not crops.labelled.all():
        raise UsageError(f"--data must be crops of known identities, and {settings.data} holds tracklets")
    return crops


def _halves(settings: ReidExportSettings) -> tuple[Crops, Crops]:
    """Identities that say which values occur, and others to measure on."""
    from reid.data import split_identities
    from reid.learning.precision import LEAST_CALIBRATION_CROPS

    halves = split_identities(_open(settings), share=0.5, seed=settings.seed)
    if len(halves[0]) < LEAST_CALIBRATION_CROPS:
        raise UsageError(
            f"--data must have {LEAST_CALIBRATION_CROPS} crops or more in half of its identities, "
            f"got {len(halves[0])}: give more pictures"
        )
    return halves


def _pick(crops: Crops, settings: ReidExportSettings) -> tuple[Crops, NDArray[np.int64]]:
    """As many rows as are asked for, drawn from all."""
    import numpy as np

    count = min(settings.calibration_crops, len(crops))
    return crops, np.random.default_rng(settings.seed).choice(len(crops), count, replace=False)


def _pixels(crops: Crops, rows: Sequence[int] | NDArray[np.int64], source: Path) -> NDArray[np.uint8]:
    from reid import Embedder

    card = Embedder(source, device="cpu").card
    return crops.pixels(rows, card.height_px, card.width_px, card.resize)


def _mean_average_precision(vectors: NDArray[np.float32], crops: Crops) -> float:
    from reid.evaluation import evaluate

    report = evaluate(vectors, crops.identity, crops.camera, crops.time_s, group=crops.group)
    return report.mean_average_precision.value


def _describe(report: PrecisionReport, target: Path) -> str:
    lines = [
        f"wrote {target}",
        f"  size           {report.bytes_after / 1e6:.2f} MB, {report.bytes_before / 1e6:.2f} MB before",
        f"  CPU time       {report.ms_after:.3f} ms a crop here, {report.ms_before:.3f} before (batches of 16)",
        f"  least cosine   {report.least_cosine:.5f} between both models' vectors of a crop",
    ]
    if report.score_before is not None and report.score_after is not None:
        lines.append(f"  mAP            {report.score_after:.4f}, {report.score_before:.4f} before")
    return "\n".join(lines)

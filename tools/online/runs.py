"""One run of the benchmark: harvest, corrupt, adapt, measure; every result is kept on disk by what it depends on."""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from unittest import mock

import numpy as np

from online.clips import Clip
from online.corruption import all_different, corrupt
from online.harvesting import Site, harvest
from online.measures import Measured, figures, measure
from online.parts import model_digest
from online.purity import Purity, purity
from reid.online.config import AdaptConfig

if TYPE_CHECKING:
    from reid.online.worker import AdaptResult

PRODUCT, OPEN = "product", "gate off"
ABLATIONS: dict[str, dict[str, Any]] = {
    "without purity": {"purity.enabled": False},
    "without the unknown relation": {},
    "without replay": {},
    "without distillation": {"lesson.memory_weight": 0.0},
    "batch norm unfrozen": {"lesson.freeze_batch_norm": False},
    "with earlier batches": {"lesson.remembered_batches": 4},
}
"""What is taken away, or the one thing put in, as settings of `reid.online.config.AdaptConfig`; always with the gate
off, to see it naked.

Of two there is no setting, since nobody should want it: the relation is hidden by the store, the replay by a patch."""
STRESSED, STRESSED_OPEN = "stressed", "stressed, gate off"
STRESSED_SHARE = 0.4
"""Of the tracklets are corrupted where a lesson is stressed."""
_STRESS = {"lesson.learning_rate": 5e-3, "lesson.memory_weight": 0.0, "lesson.most_figure_loss": 1.0}
"""A lesson that nothing but the gate holds back: ten times the step size, and whatever was known may be forgotten."""
_WITH_GATE = {OPEN: PRODUCT, STRESSED_OPEN: STRESSED}
_NO_GATE = {"gate.enabled": False}
_SETTINGS: dict[str, dict[str, Any]] = {
    PRODUCT: {}, OPEN: _NO_GATE, STRESSED: _STRESS, STRESSED_OPEN: _NO_GATE | _STRESS,
    **{name: _NO_GATE | changes for name, changes in ABLATIONS.items()},
}  # fmt: skip
_ALL_DIFFERENT, _NO_REPLAY = "without the unknown relation", "without replay"
_Config = TypeVar("_Config")


@dataclass(frozen=True)
class Plan:
    """What is to be run."""

    clip: Clip
    seed: int
    """Of the corruption and the adaptation."""
    start: str
    """`default` or `foreign`."""
    model: Path
    """The file of the start."""
    share: float
    """Of the tracklets that are corrupted."""
    variant: str = PRODUCT
    """`PRODUCT`, `OPEN`, `STRESSED`, `STRESSED_OPEN`, or a key of `ABLATIONS`."""


@dataclass(frozen=True)
class Outcome:
    """What came of it. Figures are per cent; those of `after` are the start's where nothing was admitted."""

    plan: Plan
    admitted: bool
    reason: str
    gate: Mapping[str, float]
    """Differences that the gate saw."""
    counts: Mapping[str, int]
    """What the adaptation said of its data."""
    before: Mapping[str, float]
    after: Mapping[str, float]
    gain: tuple[float, float, float]
    """Of hidden mAP in points: difference, and its 95 % interval over identities."""
    purity: Purity
    """Of the store that was learned from."""


def run(plan: Plan, out: Path, *, tracking: bool, say: Callable[[str], None]) -> Outcome:
    """Do it, or read what was done."""
    site = harvest(plan.clip, plan.model, out)
    if plan.share > 0:
        name = f"{site.name}-{round(100 * plan.share)}-{plan.seed}"
        site = replace(
            site, name=name, tracklets=corrupt(site.tracklets, plan.share, plan.seed, out / "corrupted" / name)
        )
    learned_from = site
    if plan.variant == _ALL_DIFFERENT:
        learned_from = replace(site, tracklets=all_different(site.tracklets, out / "all_different" / site.name))
    result, model = _adapted(plan, learned_from, out, say)
    before = measure(plan.clip, plan.model, out, tracking=tracking)
    after = before if model is None else measure(plan.clip, model, out, tracking=tracking)
    return Outcome(
        plan, result["admitted"], result["reason"], result["gate"], result["counts"],
        figures(before), figures(after), _gain(before, after), purity(plan.clip, site.tracklets),
    )  # fmt: skip


def _gain(before: Measured, after: Measured) -> tuple[float, float, float]:
    change = after.report.minus(before.report)["mean_average_precision"]
    return 100 * change.value, 100 * (change.low or 0.0), 100 * (change.high or 0.0)


def _adapted(plan: Plan, site: Site, out: Path, say: Callable[[str], None]) -> tuple[dict[str, Any], Path | None]:
    """Result and model. What the gate let pass is what would go live without it: that is not trained twice."""
    if plan.variant in _WITH_GATE:
        result, model = _adapt(replace(plan, variant=_WITH_GATE[plan.variant]), site, out, say)
        if model is not None:
            return result, model
    return _adapt(plan, site, out, say)


def _adapt(plan: Plan, site: Site, out: Path, say: Callable[[str], None]) -> tuple[dict[str, Any], Path | None]:
    """The product's own adaptation: result and model."""
    config = override(AdaptConfig(), settings(plan.variant))
    key = [site.name, model_digest(plan.model), plan.variant, repr(config), plan.seed]
    folder = out / "adapted" / hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]
    file, model = folder / "result.json", folder / "model.onnx"
    if not file.is_file():
        from reid.learning.trainer.alarm import CollapseError

        say(f"adapting {plan.start} on {site.name}, {plan.variant}")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            result = _plain(_teach(plan, site, model, config))
        except CollapseError as error:  # a worker refuses what came of it
            result = {"admitted": False, "reason": f"it failed: {error}", "counts": {}, "gate": {}}
        file.write_text(json.dumps(result))
        say(f"  {'admitted' if result['admitted'] else 'refused'}: {result['reason']}")
    return json.loads(file.read_text()), model if model.is_file() else None


def _plain(done: AdaptResult) -> dict[str, Any]:
    """As JSON can say it."""
    seen = {} if done.verdict is None else done.verdict.figures
    gate = {name: change.value for name, change in seen.items()}
    return {"admitted": done.admitted, "reason": done.reason, "counts": dict(done.counts), "gate": gate}


def _teach(plan: Plan, site: Site, model: Path, config: AdaptConfig) -> AdaptResult:
    from reid.online import worker
    from tracker.cli.replaying import replays_of

    fixed = worker.load_figures()
    if plan.variant == _NO_REPLAY:
        fixed = replace(fixed, learned=fixed.learned.subset(np.zeros(0, np.int64)))
    with mock.patch.object(worker, "load_figures", return_value=fixed):
        return worker.adapt(
            [site.tracklets], plan.model, model, config,
            base=plan.model, replay=functools.partial(replays_of, site.bursts), seed=plan.seed,
        )  # fmt: skip


def settings(variant: str) -> dict[str, Any]:
    """Dotted keys of `AdaptConfig` that a variant changes."""
    return _SETTINGS[variant]


def override(config: _Config, changes: Mapping[str, Any]) -> _Config:
    """A frozen dataclass with some fields changed, by dotted names.

    Raises:
        KeyError: there is no such field.
    """
    for key, value in changes.items():
        name, _, rest = key.partition(".")
        assert is_dataclass(config)
        if name not in {field.name for field in fields(config)}:
            raise KeyError(f"{type(config).__name__} must have a field {name}, to change {key}")
        part = override(getattr(config, name), {rest: value}) if rest else value
        config = replace(config, **{name: part})  # type: ignore[type-var]
    return config

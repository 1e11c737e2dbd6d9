"""What is run, what is changed for it, and how it is judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from reid.embedder import DEFAULT_MODEL
from reid.errors import DataError


@dataclass(frozen=True)
class Inner:
    enabled: bool = True
    weight: float = 1.0


@dataclass(frozen=True)
class Outer:
    inner: Inner = field(default_factory=Inner)
    steps: int = 3


def outcome(gain: float, *, kind: str = "rendered", start: str = "foreign", **other: Any) -> Any:
    from online.purity import Purity
    from online.runs import Outcome, Plan

    known = {"share": 0.0, "variant": "product", "seed": 0, "admitted": True} | other
    admitted = known.pop("admitted")
    clip: Any = SimpleNamespace(kind=kind, folder=Path(f"{kind}-1"))
    plan = Plan(clip, model=Path("m.onnx"), start=start, **known)
    after = {"mAP": 50.0 + gain, "rank-1": 80.0}
    reason, gate = "because|so", {"canary mAP": -0.01}
    pure = Purity(100, 10, 5, 0.1, 0.02, 0.0, 0.01)
    before = {"mAP": 50.0, "rank-1": 70.0}
    return Outcome(plan, admitted, reason, gate, {}, before, after, (gain, gain - 1, gain + 1), pure)


def test_a_setting_is_changed_where_it_is() -> None:
    from online.runs import override

    changed = override(Outer(), {"inner.enabled": False, "steps": 5})
    assert changed == Outer(Inner(enabled=False), 5)
    with pytest.raises(KeyError, match="Inner must have a field wait, to change wait"):
        override(Outer(), {"inner.wait": 1})


def test_every_variant_changes_settings_that_there_are() -> None:
    pytest.importorskip("torch")
    from online.runs import ABLATIONS, OPEN, PRODUCT, STRESSED, STRESSED_OPEN, override, settings

    from reid.online.config import AdaptConfig

    assert override(AdaptConfig(), settings(PRODUCT)) == AdaptConfig()
    for variant in (OPEN, STRESSED_OPEN, *ABLATIONS):
        changed = override(AdaptConfig(), settings(variant))
        assert not changed.gate.enabled
    stressed, naked = (override(AdaptConfig(), settings(variant)) for variant in (STRESSED, STRESSED_OPEN))
    assert stressed.gate == AdaptConfig().gate  # as an operator has it
    assert stressed.lesson == naked.lesson != AdaptConfig().lesson


@pytest.mark.parametrize(
    ("runs", "missed"),
    [
        ([{"gain": 12.0}, {"gain": 9.0}], []),
        ([{"gain": 11.0}, {"gain": 8.0}], ["gains"]),
        ([{"gain": 60.0}, {"gain": 0.0, "admitted": False}], ["admitted"]),
        ([{"gain": 0.1, "start": "default"}], []),
        ([{"gain": 9.0, "start": "default"}, {"gain": -0.1, "start": "default"}], ["worse in no run"]),
        ([{"gain": 9.0, "kind": "tud"}, {"gain": -0.1, "kind": "tud"}], ["worse in no run"]),
        ([{"gain": -0.5, "share": 0.4}], []),
        ([{"gain": -0.6, "share": 0.4}], ["40% corrupted"]),
        ([{"gain": -9.0, "share": 0.4, "variant": "gate off"}], []),
        ([{"gain": 3.0, "kind": "tud"}], []),
        ([{"gain": -0.5, "variant": "stressed"}, {"gain": -9.0, "variant": "stressed, gate off"}], []),
        ([{"gain": -0.6, "variant": "stressed"}], ["stressed: nothing admitted"]),
        (
            [{"gain": 0.0, "variant": "stressed", "admitted": False}, {"gain": 2.0, "variant": "stressed, gate off"}],
            ["some lesson loses"],
        ),
    ],
)
def test_the_bars(runs: list[dict[str, Any]], missed: list[str]) -> None:
    from online.report import bars

    found = [bar.name for bar in bars([outcome(**run) for run in runs]) if not bar.met]
    assert len(found) == len(missed)
    assert all(word in name for word, name in zip(missed, found, strict=True))


def test_the_report_has_a_table_for_each_question() -> None:
    from online.report import markdown

    runs = [
        outcome(12.0), outcome(14.0, seed=1),
        outcome(-4.0, variant="gate off"), outcome(-6.0, variant="gate off", seed=1),
        outcome(-7.0, variant="without purity"), outcome(-7.0, variant="without purity", seed=1),
        outcome(0.0, share=0.4, admitted=False), outcome(-8.0, share=0.4, variant="gate off"),
        outcome(-6.0, share=0.4, variant="without purity"),
        outcome(0.0, share=0.4, admitted=False, variant="stressed"),
        outcome(-7.5, share=0.4, variant="stressed, gate off"),
    ]  # fmt: skip
    text = markdown(runs)
    lines = text.splitlines()
    assert "| rendered | foreign | 2 of 2 | +13.0 [+0.3, +25.7] | 50.0 -> 63.0 | 70.0 -> 80.0 | - | - | - |" in lines
    assert "| rendered | foreign | 40% | 0 of 1 | +0.0 | +0.0 | -8.0 | -8.0 |" in lines
    ablated = next(line for line in lines if "without purity" in line)
    assert "-7.0 [-7.0, -7.0] | -2.0 [" in ablated
    assert "| rendered | foreign | 40% | without purity | -6.0 | +2.0 | -1.0 |" in lines
    assert "| rendered | foreign | 40% | 0 of 1 | +0.0 | +0.0 | -7.5 | -7.5 |" in lines
    assert "because/so" in text  # a reason does not break the table
    tables = [line for line in lines if line.startswith("## ")]
    assert len(tables) == 7
    widths = {len(block): {line.count("|") for line in block} for block in _blocks(lines)}
    assert all(len(counts) == 1 for counts in widths.values())


def _blocks(lines: list[str]) -> list[tuple[str, ...]]:
    """Tables, as their lines."""
    found, block = [], []
    for line in [*lines, ""]:
        if line.startswith("|"):
            block.append(line)
        elif block:
            found.append(tuple(block))
            block = []
    return found


def test_a_run_measures_before_and_after(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from online import runs
    from online.harvesting import Site

    one = outcome(0.0)
    plan = replace(one.plan, share=0.4)
    asked: list[Any] = []

    def measure(_clip: Any, model: Path, _out: Path, *, tracking: bool) -> Any:
        assert tracking
        value = {"m.onnx": 0.5, "better.onnx": 0.6}[model.name]
        estimate = SimpleNamespace(value=value)
        change = SimpleNamespace(value=value - 0.5, low=value - 0.52, high=None)
        report = SimpleNamespace(
            mean_average_precision=estimate, rank_1=estimate, tpr_at_fpr_1e3=None, reassociation=(),
            minus=lambda _: {"mean_average_precision": change},
        )  # fmt: skip
        return SimpleNamespace(report=report, scores=None)

    site = Site("clip", tmp_path / "pure", tmp_path / "replay")
    monkeypatch.setattr(runs, "harvest", lambda *_: site)
    monkeypatch.setattr(runs, "corrupt", lambda _store, share, seed, out: asked.append((share, seed)) or out)
    monkeypatch.setattr(runs, "purity", lambda *_: one.purity)
    monkeypatch.setattr(runs, "measure", measure)
    result = {"admitted": True, "reason": "better", "gate": {}, "counts": {}}
    monkeypatch.setattr(runs, "_adapted", lambda *_: (result, Path("better.onnx")))
    done = runs.run(plan, tmp_path, tracking=True, say=asked.append)
    assert asked == [(0.4, 0)]
    assert done.gain == pytest.approx((10.0, 8.0, 0.0))
    assert (done.before["mAP"], done.after["mAP"]) == (50.0, 60.0)
    monkeypatch.setattr(runs, "_adapted", lambda *_: (result | {"admitted": False}, None))
    refused = runs.run(plan, tmp_path, tracking=True, say=asked.append)
    assert refused.after == refused.before
    assert refused.gain[0] == 0.0


@pytest.mark.parametrize(("gated", "naked"), [("product", "gate off"), ("stressed", "stressed, gate off")])
@pytest.mark.parametrize("admitted", [True, False])
def test_what_the_gate_let_pass_is_not_trained_twice(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, admitted: bool, gated: str, naked: str
) -> None:
    from online import runs
    from online.harvesting import Site

    done: list[str] = []

    def adapt(plan: Any, *_: Any) -> Any:
        done.append(plan.variant)
        passed = admitted or plan.variant == naked
        return {"admitted": passed}, tmp_path / "model.onnx" if passed else None

    monkeypatch.setattr(runs, "_adapt", adapt)
    plan = outcome(0.0, variant=naked).plan
    site = Site("clip", tmp_path, tmp_path)
    assert runs._adapted(plan, site, tmp_path, done.append) == ({"admitted": True}, tmp_path / "model.onnx")
    assert done == ([gated] if admitted else [gated, naked])


def test_a_lesson_that_fails_is_refused_as_a_worker_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from online import runs
    from online.harvesting import Site

    from reid.learning.trainer.alarm import CollapseError

    fails = Mock(side_effect=CollapseError("it has collapsed"))
    monkeypatch.setattr(runs, "_teach", fails)
    plan, site = outcome(0.0, variant="stressed").plan, Site("clip", tmp_path, tmp_path)
    plan = replace(plan, model=DEFAULT_MODEL)
    said: list[str] = []
    result, model = runs._adapt(plan, site, tmp_path, said.append)
    assert (result["admitted"], result["reason"], model) == (False, "it failed: it has collapsed", None)
    assert said[-1] == "  refused: it failed: it has collapsed"
    fails.side_effect = DataError("a store is damaged")
    with pytest.raises(DataError):  # or what could not be run would count as harmless
        runs._adapt(replace(plan, seed=9), site, tmp_path, said.append)


def test_a_stress_comes_with_forty_per_cent_corrupted(planned: Callable[..., list[Any]]) -> None:
    variants = [(plan.share, plan.variant) for plan in planned("--stress")]
    assert variants == [(0.0, "product"), (0.4, "stressed"), (0.4, "stressed, gate off")]


def test_what_is_taken_away_can_be_had_with_switches(planned: Callable[..., list[Any]]) -> None:
    from online.runs import ABLATIONS

    plans = planned("--corrupt", "0", "40", "--ablate", *ABLATIONS)
    variants = ["product", "gate off", *ABLATIONS]
    assert [(plan.share, plan.variant) for plan in plans] == [
        (share, name) for share in (0.0, 0.4) for name in variants
    ]


def test_nothing_is_unknown_of_what_was_switched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from online import runs
    from online.harvesting import Site

    class EnoughError(Exception):
        """What is learned from is known."""

    def adapted(_plan: Any, site: Any, *_: Any) -> Any:
        raise EnoughError(site)

    site = Site("clip", tmp_path / "pure", tmp_path / "replay")
    monkeypatch.setattr(runs, "harvest", lambda *_: site)
    monkeypatch.setattr(runs, "corrupt", lambda store, _share, _seed, out: out if store == site.tracklets else None)
    monkeypatch.setattr(runs, "all_different", lambda store, out: store / out.name)
    monkeypatch.setattr(runs, "_adapted", adapted)
    plan = outcome(0.0, share=0.4, variant="without the unknown relation").plan
    with pytest.raises(EnoughError) as caught:
        runs.run(plan, tmp_path, tracking=False, say=str)
    (learned_from,) = caught.value.args
    assert learned_from.tracklets == tmp_path / "corrupted" / "clip-40-0" / "clip-40-0"
    assert (learned_from.name, learned_from.bursts) == ("clip-40-0", site.bursts)


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """What a command would run of one clip."""
    pytest.importorskip("torch")
    import bench_online

    monkeypatch.setattr(bench_online, "make_clip", lambda *_: SimpleNamespace())

    def plans(*words: str) -> list[Any]:
        one = ["--seeds", "1", "--videos", "rendered", "--start", "default"]
        return list(bench_online.plans(bench_online.parse(["data", "--out", "out", *one, *words])))

    return plans


@pytest.mark.parametrize(("variant", "figures"), [("product", True), ("without replay", False)])
def test_a_lesson_has_what_a_worker_gives_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variant: str, figures: bool
) -> None:
    pytest.importorskip("torch")
    from online import runs
    from online.harvesting import Site

    from reid.online import worker
    from reid.online.config import AdaptConfig
    from tracker.cli.replaying import replays_of

    asked: list[Any] = []

    def adapt(stores: Any, start: Any, out: Any, config: Any, **options: Any) -> Any:
        asked.append((stores, start, out, config, options, len(worker.load_figures().learned)))

    monkeypatch.setattr(worker, "adapt", adapt)
    plan = outcome(0.0, variant=variant, seed=7).plan
    site, config = Site("clip", tmp_path / "store", tmp_path / "replay"), AdaptConfig()
    runs._teach(plan, site, tmp_path / "new.onnx", config)
    ((stores, start, out, given, options, learned),) = asked
    assert (stores, start, out, given) == ([site.tracklets], plan.model, tmp_path / "new.onnx", config)
    assert (options["base"], options["seed"]) == (plan.model, 7)
    assert (options["replay"].func, options["replay"].args) == (replays_of, (site.bursts,))
    assert (learned > 0) == figures

"""A site that can be filmed in a second: people of two colours who walk in groups, and an embedder that hardly sees."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from reid.tracklets import TrackletWriter

Film = Callable[..., Path]
HEIGHT_PX, WIDTH_PX = 32, 16


def clothes(person: int) -> NDArray[np.float64]:
    """(2, 3) the colours of somebody's upper and lower half."""
    return np.random.default_rng([7, person]).uniform(0, 255, (2, 3))


def crop(person: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """(32, 16, 3) of somebody, in noise and some light."""
    picture = np.repeat(clothes(person), HEIGHT_PX // 2, axis=0)[:, None].repeat(WIDTH_PX, axis=1)
    return np.clip(picture * rng.uniform(0.8, 1.2) + rng.normal(0, 25, picture.shape), 0, 255).astype(np.uint8)


@pytest.fixture
def film(tmp_path: Path) -> Film:
    """Writes a tracklet store: groups of `beside` cross the picture one after the other, `crops` of each.

    `switched` groups have two people who change places half-way, without a sign of it.
    """

    def write(
        name: str = "store", *, people: int = 30, beside: int = 3, crops: int = 12, switched: int = 0, seed: int = 0
    ) -> Path:
        rng = np.random.default_rng(seed)
        with TrackletWriter(tmp_path / name) as writer:
            writer.begin_run("street", rate_hz=2.0)
            for group, first in enumerate(range(0, people, beside)):
                tracklets = [1 + first + k for k in range(beside)]
                for number in range(crops):
                    frame = 1 + group * (crops + 10) + number
                    who = list(range(first, first + beside))
                    if group < switched and number >= crops // 2:
                        who[:2] = who[1], who[0]
                    for tracklet, person in zip(tracklets, who, strict=True):
                        writer.add_crop(
                            tracklet,
                            crop(person, rng),
                            identity=tracklet,
                            frame=frame,
                            time_s=frame / 2,
                            box=np.array([10.0, 10, 40, 90]),
                            score=0.9,
                            covered=0.0,
                            class_number=0,
                        )
                pairs = [(a, b) for a in tracklets for b in tracklets if a < b]
                writer.together(np.array(pairs, np.int64), frame=1 + group * (crops + 10))
        return tmp_path / name

    return write


@pytest.fixture
def dim_eyes(tmp_path: Path) -> Path:
    """An embedder of 8 numbers that finds everybody much alike, and can learn not to."""
    onnx = pytest.importorskip("onnx", reason="needs the extra [train]")
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(3)
    values = {
        "conv.weight": (rng.normal(size=(16, 3, 3, 3)) * 0.2).astype(np.float32),
        "conv.bias": np.full(16, 0.5, np.float32),
        "norm.weight": np.ones(16, np.float32),
        "norm.bias": np.zeros(16, np.float32),
        "norm.mean": np.full(16, 0.1, np.float32),
        "norm.var": np.full(16, 0.9, np.float32),
        "linear.weight": (rng.normal(size=(32, 8)) * 0.3 + 0.2).astype(np.float32),
        "flat": np.array([-1, 32]),
    }
    nodes = [
        helper.make_node("Conv", ["pictures", "conv.weight", "conv.bias"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("BatchNormalization", ["c", "norm.weight", "norm.bias", "norm.mean", "norm.var"], ["n"]),
        helper.make_node("Relu", ["n"], ["r"]),
        helper.make_node("AveragePool", ["r"], ["p"], kernel_shape=[8, 8], strides=[8, 8]),  # (n, 16, 2, 1)
        helper.make_node("Reshape", ["p", "flat"], ["f"]),
        helper.make_node("MatMul", ["f", "linear.weight"], ["vectors"]),
    ]
    shape = ["batch", 3, HEIGHT_PX, WIDTH_PX]
    graph = helper.make_graph(
        nodes,
        "dim",
        [helper.make_tensor_value_info("pictures", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["batch", 8])],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    path = tmp_path / "dim.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    (tmp_path / "dim.card.json").write_text(
        '{"colour": "BGR", "scale": 0.00392156862745098, "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}'
    )
    return path

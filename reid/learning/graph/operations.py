"""What the operations of ONNX compute, in torch: those of which embedders are made.

An operation takes its inputs (None where an optional one is left out) and its attributes. Whole numbers (shapes, axes)
stay on the CPU, so that reading them waits for nothing. Source: the operators of ONNX, opsets 9 to 22.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

Inputs: TypeAlias = Sequence[Tensor | None]
Attributes: TypeAlias = Mapping[str, Any]
Operation: TypeAlias = Callable[[Inputs, Attributes], Tensor | Sequence[Tensor]]

_DTYPES = {
    1: torch.float32, 2: torch.uint8, 3: torch.int8, 5: torch.int16, 6: torch.int32, 7: torch.int64, 9: torch.bool,
    10: torch.float32, 11: torch.float64,
}  # fmt: skip
"""ONNX's numbers of dtypes; what was meant to be float16 is computed in float32 here."""


def _given(inputs: Inputs, place: int) -> Tensor:
    value = inputs[place]
    assert value is not None, "the ONNX checker has seen that it is there"
    return value


def _optional(inputs: Inputs, place: int) -> Tensor | None:
    return inputs[place] if len(inputs) > place else None


def _whole(inputs: Inputs, place: int, attributes: Attributes, name: str) -> list[int] | None:
    """Whole numbers that later opsets give as an input and earlier ones as an attribute."""
    value = _optional(inputs, place)
    if value is not None:
        return [int(v) for v in value.reshape(-1).tolist()]
    return None if name not in attributes else list(attributes[name])


def _one(function: Callable[..., Tensor]) -> Operation:
    return lambda inputs, _attributes: function(_given(inputs, 0))


def _two(function: Callable[..., Tensor]) -> Operation:
    return lambda inputs, _attributes: function(_given(inputs, 0), _given(inputs, 1))


def _all(function: Callable[..., Tensor]) -> Operation:
    """Of any number of inputs, from the first to the last."""

    def run(inputs: Inputs, _attributes: Attributes) -> Tensor:
        out = _given(inputs, 0)
        for place in range(1, len(inputs)):
            out = function(out, _given(inputs, place))
        return out

    return run


def _divide(a: Tensor, b: Tensor) -> Tensor:
    whole = not (a.is_floating_point() or b.is_floating_point())
    return torch.div(a, b, rounding_mode="trunc") if whole else a / b


def _cast(inputs: Inputs, attributes: Attributes) -> Tensor:
    return _given(inputs, 0).to(_DTYPES[attributes["to"]])


def _clip(inputs: Inputs, attributes: Attributes) -> Tensor:
    low, high = _optional(inputs, 1), _optional(inputs, 2)
    least = attributes.get("min") if low is None else low
    most = attributes.get("max") if high is None else high
    out = _given(inputs, 0)
    if least is not None:
        out = out.clamp_min(least)
    return out if most is None else out.clamp_max(most)


def _concat(inputs: Inputs, attributes: Attributes) -> Tensor:
    return torch.cat([_given(inputs, place) for place in range(len(inputs))], dim=attributes["axis"])


def _constant_of_shape(inputs: Inputs, attributes: Attributes) -> Tensor:
    value = attributes.get("value", torch.zeros(1))
    return torch.full(_given(inputs, 0).tolist(), value.item(), dtype=value.dtype)


def _padded(x: Tensor, attributes: Attributes, value: float) -> tuple[Tensor, list[int] | int]:
    """The picture, and what is left to the operation to pad: it cannot pad two sides differently."""
    if attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        raise NotImplementedError(f"auto_pad {attributes['auto_pad'].decode()}")
    pads = list(attributes.get("pads", ()))
    half = len(pads) // 2
    if not any(pads):
        return x, 0
    if pads[:half] == pads[half:]:
        return x, pads[:half]
    sides = [side for axis in reversed(range(half)) for side in (pads[axis], pads[half + axis])]
    return functional.pad(x, sides, value=value), 0


def _convolve(inputs: Inputs, attributes: Attributes) -> Tensor:
    x, pads = _padded(_given(inputs, 0), attributes, 0.0)
    weight = _given(inputs, 1)
    axes = weight.ndim - 2
    function: Callable[..., Tensor] = functional.conv1d if axes == 1 else functional.conv2d
    return function(
        x,
        weight,
        _optional(inputs, 2),
        stride=attributes.get("strides", [1] * axes),
        padding=pads,
        dilation=attributes.get("dilations", [1] * axes),
        groups=attributes.get("group", 1),
    )


def _max_pool(inputs: Inputs, attributes: Attributes) -> Tensor:
    x, pads = _padded(_given(inputs, 0), attributes, -math.inf)
    kernel = attributes["kernel_shape"]
    pool: Callable[..., Tensor] = functional.max_pool2d
    return pool(
        x,
        kernel,
        stride=attributes.get("strides", [1] * len(kernel)),
        padding=pads,
        dilation=attributes.get("dilations", [1] * len(kernel)),
        ceil_mode=bool(attributes.get("ceil_mode", 0)),
    )


def _average_pool(inputs: Inputs, attributes: Attributes) -> Tensor:
    counts_padding = bool(attributes.get("count_include_pad", 0))
    x, pads = _padded(_given(inputs, 0), attributes, 0.0)
    if x is not inputs[0] and not counts_padding:
        raise NotImplementedError("an AveragePool that pads two sides differently")
    kernel = attributes["kernel_shape"]
    return functional.avg_pool2d(
        x,
        kernel,
        stride=attributes.get("strides", [1] * len(kernel)),
        padding=pads,
        ceil_mode=bool(attributes.get("ceil_mode", 0)),
        count_include_pad=counts_padding,
    )


def _global(reduce: Callable[..., Tensor]) -> Operation:
    return lambda inputs, _attributes: reduce(_given(inputs, 0), dim=(2, 3), keepdim=True)


def _gather(inputs: Inputs, attributes: Attributes) -> Tensor:
    x, axis, rows = _given(inputs, 0), attributes.get("axis", 0), _given(inputs, 1)
    rows = torch.where(rows < 0, rows + x.shape[axis], rows)
    taken = x.index_select(axis, rows.reshape(-1).to(x.device))
    axis %= x.ndim
    return taken.reshape(*x.shape[:axis], *rows.shape, *x.shape[axis + 1 :])


def _gemm(inputs: Inputs, attributes: Attributes) -> Tensor:
    a, b, c = _given(inputs, 0), _given(inputs, 1), _optional(inputs, 2)
    a = a.T if attributes.get("transA", 0) else a
    b = b.T if attributes.get("transB", 0) else b
    out: Tensor = attributes.get("alpha", 1.0) * (a @ b)
    return out if c is None else out + attributes.get("beta", 1.0) * c


def _instance_norm(inputs: Inputs, attributes: Attributes) -> Tensor:
    return functional.instance_norm(
        _given(inputs, 0), weight=_given(inputs, 1), bias=_given(inputs, 2), eps=attributes.get("epsilon", 1e-5)
    )


def _layer_norm(inputs: Inputs, attributes: Attributes) -> Tensor:
    x, axis = _given(inputs, 0), attributes.get("axis", -1)
    shape = x.shape[axis % x.ndim :]
    return functional.layer_norm(x, shape, _given(inputs, 1), _optional(inputs, 2), attributes.get("epsilon", 1e-5))


def _lp_normalise(inputs: Inputs, attributes: Attributes) -> Tensor:
    return functional.normalize(_given(inputs, 0), p=attributes.get("p", 2), dim=attributes.get("axis", -1))


def _pad(inputs: Inputs, attributes: Attributes) -> Tensor:
    x, pads = _given(inputs, 0), _whole(inputs, 1, attributes, "pads") or []
    half = len(pads) // 2
    sides = [side for axis in reversed(range(half)) for side in (pads[axis], pads[half + axis])]
    value = _optional(inputs, 2)
    mode = attributes.get("mode", b"constant").decode()
    if mode == "constant":
        return functional.pad(x, sides, value=float(attributes.get("value", 0.0) if value is None else value))
    while sides[-2:] == [0, 0]:  # torch pads the last axes alone where it repeats what is there
        sides = sides[:-2]
    return functional.pad(x, sides, mode={"edge": "replicate", "reflect": "reflect"}[mode])


def _prelu(x: Tensor, slope: Tensor) -> Tensor:
    return torch.where(x < 0, x * slope, x)


def _reduce(function: Callable[..., Tensor]) -> Operation:
    def run(inputs: Inputs, attributes: Attributes) -> Tensor:
        x, axes = _given(inputs, 0), _whole(inputs, 1, attributes, "axes")
        if not axes:
            if attributes.get("noop_with_empty_axes", 0):
                return x
            axes = list(range(x.ndim))
        return function(x, dim=tuple(axes), keepdim=bool(attributes.get("keepdims", 1)))

    return run


def _reshape(inputs: Inputs, attributes: Attributes) -> Tensor:
    x, shape = _given(inputs, 0), [int(v) for v in _given(inputs, 1).tolist()]
    if not attributes.get("allowzero", 0):
        shape = [x.shape[axis] if size == 0 else size for axis, size in enumerate(shape)]
    return x.reshape(shape)


def _flatten(inputs: Inputs, attributes: Attributes) -> Tensor:
    x = _given(inputs, 0)
    axis = attributes.get("axis", 1) % (x.ndim + 1)
    return x.reshape(math.prod(x.shape[:axis]), -1)


def _shape(inputs: Inputs, attributes: Attributes) -> Tensor:
    return torch.tensor(list(_given(inputs, 0).shape)[attributes.get("start", 0) : attributes.get("end")])


def _slice(inputs: Inputs, attributes: Attributes) -> Tensor:
    x = _given(inputs, 0)
    starts, ends = _whole(inputs, 1, attributes, "starts") or [], _whole(inputs, 2, attributes, "ends") or []
    axes = _whole(inputs, 3, attributes, "axes") or list(range(len(starts)))
    steps = _whole(inputs, 4, attributes, "steps") or [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        places = range(x.shape[axis])[slice(start, end if end > -(2**62) else None, step)]
        if step < 0:
            x = x.index_select(axis, torch.tensor(list(places), device=x.device))
        else:
            x = x[(slice(None),) * (axis % x.ndim) + (slice(places.start, places.stop, step),)]
    return x


def _split(inputs: Inputs, attributes: Attributes) -> Sequence[Tensor]:
    x, axis = _given(inputs, 0), attributes.get("axis", 0)
    sizes = _whole(inputs, 1, attributes, "split")
    return torch.split(x, sizes or -(-x.shape[axis] // attributes["outputs"]), dim=axis)


def _squeeze(inputs: Inputs, attributes: Attributes) -> Tensor:
    axes = _whole(inputs, 1, attributes, "axes")
    x = _given(inputs, 0)
    return x.squeeze() if axes is None else x.squeeze(tuple(axes))


def _unsqueeze(inputs: Inputs, attributes: Attributes) -> Tensor:
    x, axes = _given(inputs, 0), _whole(inputs, 1, attributes, "axes") or []
    for axis in sorted(axis % (x.ndim + len(axes)) for axis in axes):
        x = x.unsqueeze(axis)
    return x


def _transpose(inputs: Inputs, attributes: Attributes) -> Tensor:
    x = _given(inputs, 0)
    return x.permute(attributes.get("perm", list(reversed(range(x.ndim)))))


OPERATIONS: Mapping[str, Operation] = {
    "Abs": _one(torch.abs),
    "Add": _two(torch.add),
    "AveragePool": _average_pool,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": _concat,
    "ConstantOfShape": _constant_of_shape,
    "Conv": _convolve,
    "Div": _two(_divide),
    "Dropout": _one(torch.Tensor.contiguous),
    "Elu": lambda inputs, attributes: functional.elu(_given(inputs, 0), attributes.get("alpha", 1.0)),
    "Equal": _two(torch.eq),
    "Erf": _one(torch.erf),
    "Exp": _one(torch.exp),
    "Expand": lambda inputs, _: (
        _given(inputs, 0)
        * torch.ones(_given(inputs, 1).tolist(), dtype=_given(inputs, 0).dtype, device=_given(inputs, 0).device)
    ),
    "Flatten": _flatten,
    "Gather": _gather,
    "Gelu": lambda inputs, attributes: functional.gelu(
        _given(inputs, 0), approximate=attributes.get("approximate", b"none").decode()
    ),
    "Gemm": _gemm,
    "GlobalAveragePool": _global(torch.mean),
    "GlobalMaxPool": _global(torch.amax),
    "Greater": _two(torch.gt),
    "HardSigmoid": lambda inputs, attributes: (
        _given(inputs, 0) * attributes.get("alpha", 0.2) + attributes.get("beta", 0.5)
    ).clamp(0, 1),
    "HardSwish": _one(functional.hardswish),
    "Identity": _one(torch.Tensor.contiguous),
    "InstanceNormalization": _instance_norm,
    "LayerNormalization": _layer_norm,
    "LeakyRelu": lambda inputs, attributes: functional.leaky_relu(_given(inputs, 0), attributes.get("alpha", 0.01)),
    "Less": _two(torch.lt),
    "Log": _one(torch.log),
    "LpNormalization": _lp_normalise,
    "MatMul": _two(torch.matmul),
    "Max": _all(torch.maximum),
    "MaxPool": _max_pool,
    "Min": _all(torch.minimum),
    "Mul": _two(torch.mul),
    "Neg": _one(torch.neg),
    "PRelu": _two(_prelu),
    "Pad": _pad,
    "Pow": _two(torch.pow),
    "Reciprocal": _one(torch.reciprocal),
    "ReduceL2": _reduce(torch.linalg.vector_norm),
    "ReduceMax": _reduce(torch.amax),
    "ReduceMean": _reduce(torch.mean),
    "ReduceMin": _reduce(torch.amin),
    "ReduceSum": _reduce(torch.sum),
    "Relu": _one(functional.relu),
    "Reshape": _reshape,
    "Shape": _shape,
    "Sigmoid": _one(torch.sigmoid),
    "Slice": _slice,
    "Softmax": lambda inputs, attributes: torch.softmax(_given(inputs, 0), attributes.get("axis", -1)),
    "Softplus": _one(functional.softplus),
    "Split": _split,
    "Sqrt": _one(torch.sqrt),
    "Squeeze": _squeeze,
    "Sub": _two(torch.sub),
    "Sum": _all(torch.add),
    "Tanh": _one(torch.tanh),
    "Tile": lambda inputs, _: _given(inputs, 0).repeat(_given(inputs, 1).tolist()),
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
    "Where": lambda inputs, _: torch.where(_given(inputs, 0), _given(inputs, 1), _given(inputs, 2)),
}
"""By name. Constants and batch norms, which have a state, are made by `network`."""

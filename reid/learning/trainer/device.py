"""Where a training computes, and with which numbers."""

from __future__ import annotations

import os

import torch

from reid.errors import DeviceError
from reid.learning.trainer.config import Precision


def open_device(name: str) -> torch.device:
    """The device of `auto`, `cpu`, `cuda` or `cuda:N`. Under torchrun each process takes the GPU of its local rank.

    Raises:
        DeviceError: a GPU was asked for that torch cannot use.
    """
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise DeviceError(
            f"device {name} cannot be used: this torch ({torch.__version__}) finds no GPU. Install a CUDA build of "
            "torch and the driver, or train with device cpu"
        )
    index = int(name.split(":")[1]) if ":" in name else int(os.environ.get("LOCAL_RANK", "0"))
    if index >= torch.cuda.device_count():
        raise DeviceError(f"device cuda:{index} does not exist: there are {torch.cuda.device_count()} GPUs, from 0")
    torch.cuda.set_device(index)  # collectives of NCCL run on the current device
    return torch.device("cuda", index)


def choose_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """The dtype that autocast uses; float32 for none.

    Raises:
        DeviceError: float16 was asked for on a CPU, where it has no gradient scaling and no speed.
    """
    if precision == "auto":
        if device.type == "cpu":
            return torch.float32
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if precision == "float16" and device.type == "cpu":
        raise DeviceError("precision float16 cannot be used on a CPU: take float32, or bfloat16")
    return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[precision]

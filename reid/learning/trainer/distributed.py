"""Several processes that train one model, each on its part of every batch (torchrun)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from reid.errors import InputError


@dataclass(frozen=True, slots=True)
class Processes:
    """This process among those that train together; alone, everything here leaves its input as it is."""

    rank: int = 0
    """Which one this is, from 0; 0 writes the files."""
    count: int = 1
    """How many there are."""

    @property
    def first(self) -> bool:
        """Whether this is the one that writes files and reports."""
        return self.rank == 0

    def part(self, length: int) -> slice:
        """This process's part of so many rows.

        Raises:
            InputError: they cannot be shared out evenly.
        """
        if length % self.count:
            raise InputError(
                f"a batch of {length} pictures must be a multiple of the {self.count} processes: "
                "change sampler.identities or sampler.pictures"
            )
        size = length // self.count
        return slice(self.rank * size, (self.rank + 1) * size)

    def gather(self, rows: Tensor) -> Tensor:
        """(b, D) of each process -> (b * count, D) of all, in the order of ranks; gradients flow back to each owner."""
        if self.count == 1:
            return rows
        gathered: Tensor = _Gather.apply(rows.contiguous(), self)  # type: ignore[no-untyped-call]
        return gathered

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by the sum over all processes."""
        if self.count == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        if not gradients:
            return
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])  # one message, not one a weight
        torch.distributed.all_reduce(flat)
        at = 0
        for gradient in gradients:
            gradient.copy_(flat[at : at + gradient.numel()].view_as(gradient))
            at += gradient.numel()

    def average_buffers(self, module: nn.Module) -> None:
        """Give all processes the mean of their batch-norm statistics, which each gathered on its own part."""
        if self.count == 1:
            return
        for buffer in module.buffers():
            if buffer.is_floating_point():
                torch.distributed.all_reduce(buffer)
                buffer /= self.count

    def any(self, flag: bool, device: torch.device) -> bool:
        """Whether any process says so; all get the same answer."""
        if self.count == 1:
            return flag
        answer = torch.tensor(float(flag), device=device)
        torch.distributed.all_reduce(answer, op=torch.distributed.ReduceOp.MAX)
        return bool(answer.item())

    def wait(self) -> None:
        """Until all are here."""
        if self.count > 1:
            torch.distributed.barrier()


class _Gather(torch.autograd.Function):
    """all_gather whose backward hands each owner the sum of what all processes want of its rows."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, rows: Tensor, processes: Processes) -> Tensor:
        ctx.processes = processes  # type: ignore[attr-defined] # torch's way of handing on
        parts = [torch.empty_like(rows) for _ in range(processes.count)]
        torch.distributed.all_gather(parts, rows)
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *gradients: Tensor) -> tuple[Tensor, None]:
        processes: Processes = ctx.processes  # type: ignore[attr-defined]
        total = gradients[0].contiguous()
        torch.distributed.all_reduce(total)
        return total[processes.part(len(total))], None


@contextmanager
def joined_processes(device: torch.device) -> Iterator[Processes]:
    """The processes that torchrun started, joined for the time of a training; alone where it did not.

    Where a group exists already it is used and left as it is.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        yield Processes(torch.distributed.get_rank(), torch.distributed.get_world_size())
        return
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1 or not torch.distributed.is_available():
        yield Processes()
        return
    torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Processes(torch.distributed.get_rank(), count)
    finally:
        torch.distributed.destroy_process_group()

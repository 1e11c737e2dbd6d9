"""Run by test_distributed.py in each process: one training step on this process's part of a batch, saved to a file.

usage: one_step.py FILE LOSS   (JSON of a LossConfig)
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from reid.learning.embedding import build_model
from reid.learning.model_config import ModelConfig
from reid.learning.relations import relations_from_labels
from reid.learning.trainer.config import LossConfig, OptimizerConfig
from reid.learning.trainer.distributed import joined_processes
from reid.learning.trainer.network import StepInput, TrainedNetwork
from reid.learning.trainer.objective import TripletObjective


def main() -> None:
    """Step once, and save loss, gradients and the weights after it."""
    torch.set_num_threads(1)
    device = torch.device("cpu")
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (12, 64, 32, 3), generator=generator, dtype=torch.uint8)
    labels = torch.arange(4).repeat_interleave(3)
    with joined_processes(device) as processes:
        model = build_model(ModelConfig(height_px=64, width_px=32, dimension=16), seed=3)
        torch.manual_seed(1)
        objective = TripletObjective(LossConfig(**json.loads(sys.argv[2])), 16, 4, batch_size=12)
        remembered = {name: at for name, at in objective.named_buffers() if ".memory." in name}
        for name, buffer in remembered.items():  # as after earlier steps, alike in all processes
            full = {"embeddings": torch.randn(buffer.shape, generator=generator), "keys": torch.arange(len(labels)) % 4}
            buffer.copy_(full.get(name.rpartition(".")[2], torch.ones(())))
        config = OptimizerConfig(freeze_batch_norm=True, clip_norm=None)
        network = TrainedNetwork(model, objective, config, torch.float32, processes)
        given = StepInput(
            pixels=pixels[processes.part(12)],
            relations=relations_from_labels(labels),
            classes=labels,
            triplets=None,
            teacher=torch.randn((12, 6), generator=generator),
            learning_rate=1e-3,
            own_seed=processes.rank,
            common_seed=5,
        )
        cost, _ = network.step(given, 1)
        named = {**dict(model.named_parameters()), **dict(objective.named_parameters())}
        saved = {
            "loss": cost.total.detach(),
            "count": processes.count,
            "gradients": {name: p.grad for name, p in named.items() if p.grad is not None},
            "weights": {name: p.detach() for name, p in named.items()},
            "memory": {name: at for name, at in objective.named_buffers() if name in remembered},
        }
        torch.save(saved, Path(f"{sys.argv[1]}.{processes.rank}"))


if __name__ == "__main__":
    main()

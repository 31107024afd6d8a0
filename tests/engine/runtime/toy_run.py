"""The smallest run with everything that is stored: weights, moments, extra state, best weights."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import torch

from worldtune.config import SftConfig
from worldtune.engine.runtime.durable import replace_file
from worldtune.engine.runtime.processes import Processes
from worldtune.engine.runtime.run import Run
from worldtune.engine.runtime.tracking import write_json

STEPS = 7


def train(folder: Path) -> None:
    """Noisy descent with dropout; the best weights and what was found go to the folder."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 4, bias=False), torch.nn.Dropout(0.5))
    optimizers = [torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)]
    average = torch.zeros(4, 4)
    cursor = 0
    run = Run(
        "toy",
        folder,
        SftConfig(steps=STEPS, checkpoint_every=5, validate_every=1, select="best"),
        SimpleNamespace(
            policy=SimpleNamespace(model=model, gathered=nullcontext),
            optimizers=optimizers,
            processes=Processes.single(),
            stopwatch=SimpleNamespace(take=dict),
        ),
        # Goes up and down: the best is neither the first nor the last.
        validate=lambda: float((3 * average.sum()).sin()),
        shown=(),
        state=lambda: {"cursor": cursor},
        tensors=lambda: {"average": average},
    )
    cursor = run.restored.get("cursor", 0)
    if run.restored_tensors:
        average.copy_(run.restored_tensors["average"])
    for step in run:
        loss = (model(torch.full((4, 4), 1.0 + cursor % 7)) - step).square().mean()
        loss.backward()
        optimizers[0].step()
        optimizers[0].zero_grad()
        average.lerp_(model[0].weight.detach(), 0.3)
        cursor += 3
        run.record(step, {"loss": float(loss.detach()), "cursor": cursor}, tokens=4)
    summary = run.summary()
    weights = model[0].weight.detach().numpy().tobytes()
    replace_file(folder / "weights", weights)
    write_json(folder / "summary.json", {**summary, "wall_s": 0})

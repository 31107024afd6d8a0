"""A whole GRPO step beside TRL's, on the same weights, prompts, lengths, reward and settings.

TRL's own loop drives; right after each of its optimizer steps our step runs on the same prompts and
on its own copy of the weights, and then the floor is measured, so that the three share the state of
the machine. One process, one thread. The first step is dropped; ratios are medians over pairs. Peak
memory is measured with each side alone in a process of its own: the growth of resident memory from
before the model is built, so weights, gradients, optimizer state, activations and caches.

    python -m benchmarks.grpo_vs_trl --shape long --steps 5
    python -m benchmarks.grpo_vs_trl --shape long --tune
"""

import argparse
import json
import logging
import os
import statistics
import subprocess
import sys
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from benchmarks.floor import Floor, FloorMeter, Work
from benchmarks.meter import (
    PARTS,
    StepTime,
    machine_facts,
    median_ratio,
    peak_resident_mb,
    resident_mb,
    table,
)
from benchmarks.own_step import OwnStep
from benchmarks.shapes import SHAPES, Shape, Width, build_model, draw_prompts
from benchmarks.trl_step import TrlOptions, build_trainer, trl_loss
from worldtune.engine.model.batch import Group


@dataclass(frozen=True)
class Measured:
    """The kept steps of one shape, in the order in which they ran."""

    peer: list[StepTime]
    own: list[StepTime]
    floor: list[Floor]
    gradient_difference: float


def gradients(model: torch.nn.Module) -> Tensor:
    """All gradients as one vector, float64; clears them."""
    flat = torch.cat([p.grad.double().flatten() for p in model.parameters() if p.grad is not None])
    model.zero_grad(set_to_none=True)
    return flat


def check_same_loss(shape: Shape) -> float:
    """Loss and gradient of one off-policy batch by both sides; returns the relative difference.

    A small relative of the shape (two prompts, four completions), because what is checked is the
    formula: the batch has unequal prompts, and ratios far enough from 1 that some are clipped.
    """
    width = Width(layers=2)
    small = replace(shape, name="check", prompts=2, prompt_tokens=(20, 50), completion_tokens=24)
    small = replace(small, group=4, micro_batch=4)
    prompts = draw_prompts(small, small.prompts, vocabulary=width.vocabulary)
    draw = torch.Generator().manual_seed(1)
    size = (small.prompts, small.group, small.completion_tokens)
    completions = torch.randint(2, width.vocabulary, size, generator=draw).tolist()
    advantages = torch.randn(size[:2], generator=draw).tolist()
    likely = -torch.full(size, float(width.vocabulary)).log()
    old_logp = (likely + 0.3 * torch.randn(size, generator=draw)).tolist()
    model = build_model(width)
    trainer = build_trainer(
        model, small, prompts, TrlOptions(4), steps=1, after=lambda time, given: None
    )
    loss = trl_loss(trainer, prompts, completions, advantages, old_logp)
    loss.backward()
    peer, peer_loss = gradients(model), float(loss.detach())
    step = OwnStep(build_model(width))
    rows = zip(prompts, completions, advantages, old_logp, strict=True)
    own_loss = step.loss([Group(*row) for row in rows])
    own = gradients(step.policy.model)
    difference = float((peer - own).norm() / peer.norm())
    if abs(peer_loss - own_loss) > 1e-5 * abs(own_loss) or difference > 1e-5:
        raise RuntimeError(
            f"the two sides compute different things: loss {peer_loss!r} and {own_loss!r}, "
            f"gradients {difference:.1e} apart"
        )
    return difference


def compare(shape: Shape, options: TrlOptions, *, steps: int, sides: str = "both") -> Measured:
    """Run ``steps`` kept steps of one side or of both."""
    width = Width()
    difference = check_same_loss(shape) if sides == "both" else 0.0
    prompts = draw_prompts(shape, shape.prompts * (steps + 1), vocabulary=width.vocabulary)
    own = OwnStep(build_model(width)) if sides != "trl" else None
    measured = Measured([], [], [], difference)

    def after(time: StepTime, given: list[list[int]]) -> None:
        measured.peer.append(time)
        ours(given)

    def ours(given: list[list[int]]) -> None:
        if own is None:
            return
        measured.own.append(own(given, group=shape.group, completion=shape.completion_tokens))
        if sides == "both":
            lengths = tuple(map(len, given))
            work = Work(width, lengths, shape.group, shape.completion_tokens)
            measured.floor.append(FloorMeter(work)())

    if sides == "own":
        for start in range(0, len(prompts), shape.prompts):
            ours(prompts[start : start + shape.prompts])
    else:
        model = build_model(width)
        build_trainer(model, shape, prompts, options, steps=steps + 1, after=after).train()
    return Measured(
        measured.peer[1:], measured.own[1:], measured.floor[1:], measured.gradient_difference
    )


def memory_mb(shape: Shape, options: TrlOptions, side: str) -> float:
    """Growth of resident memory over three steps of one side, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.grpo_vs_trl", "--shape", shape.name]
    command += ["--side", side, "--steps", "2", *_flags(options)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(json.loads(result.stdout.splitlines()[-1])["peak_mb"])


def _flags(options: TrlOptions) -> list[str]:
    flags = ["--micro-batch", str(options.micro_batch)]
    flags += ["--cache", options.cache or "dynamic"]
    flags += ["--compact-head"] if options.compact_head else []
    return flags + (["--gradient-checkpointing"] if options.gradient_checkpointing else [])


def _span(times: Sequence[StepTime], part: str, clock: str) -> list[float]:
    return [getattr(getattr(time, part), clock) for time in times]


def summarise(
    shape: Shape, options: TrlOptions, measured: Measured, memory: dict[str, float]
) -> dict[str, Any]:
    """Medians, ratios and shares of the floor, ready for JSON."""
    parts: dict[str, Any] = {}
    for part in PARTS:
        for clock in ("cpu", "wall"):
            peer, own = _span(measured.peer, part, clock), _span(measured.own, part, clock)
            parts[f"{part}_{clock}"] = {
                "trl": statistics.median(peer),
                "own": statistics.median(own),
                "ratio": median_ratio(peer, own),
            }
    floors = {}
    for part in ("generation", "training"):
        least = [getattr(floor, part) for floor in measured.floor]
        floors[part] = {
            "cpu": statistics.median(least),
            "share": median_ratio(least, _span(measured.own, part, "cpu")),
        }
    lengths = (sum(shape.prompt_tokens) // 2,) * shape.prompts
    work = Work(Width(), lengths, shape.group, shape.completion_tokens)
    return {
        "shape": asdict(shape),
        "trl": asdict(options),
        "pairs": len(measured.own),
        "parts": parts,
        "floor": floors,
        "flops": {
            "training": work.training_flops,
            "generation": work.generation_flops,
            "padded_over_shared": work.padded_training_flops / work.training_flops,
        },
        "rates": {
            "gflops": statistics.median(floor.gflops for floor in measured.floor),
            "read_gb_s": statistics.median(floor.read_gb_s for floor in measured.floor),
        },
        "memory_mb": memory,
        "gradient_difference": measured.gradient_difference,
        "steps": {
            "trl": [asdict(time) for time in measured.peer],
            "own": [asdict(time) for time in measured.own],
        },
    }


def show(summary: dict[str, Any]) -> str:
    """The table of one shape."""
    shape = summary["shape"]
    low, high = shape["prompt_tokens"]
    lines = [
        f"{shape['name']}: {shape['prompts']} prompts of {low}-{high} tokens, {shape['group']} "
        f"completions of {shape['completion_tokens']}; TRL {summary['trl']}; "
        f"{summary['pairs']} pairs; gradients {summary['gradient_difference']:.0e} apart"
    ]
    rows = [["", "TRL CPU s", "own", "ratio", "TRL wall s", "own", "ratio", "floor", "of it"]]
    for part in PARTS:
        cells = [part]
        for clock in ("cpu", "wall"):
            entry = summary["parts"][f"{part}_{clock}"]
            cells += [f"{entry['trl']:.2f}", f"{entry['own']:.2f}", f"{entry['ratio']:.2f}"]
        floor = summary["floor"].get(part)
        cells += [f"{floor['cpu']:.2f}", f"{floor['share']:.0%}"] if floor else ["", ""]
        rows.append(cells)
    lines.append(table(rows))
    memory = summary["memory_mb"]
    if memory:
        peer, own = memory["trl"], memory["own"]
        lines.append(f"peak MB: TRL {peer:.0f}, own {own:.0f}, {own / peer:.2f} of it")
    flops, rates = summary["flops"], summary["rates"]
    lines.append(
        f"training {flops['training'] / 1e12:.3f} TFLOP (padded rows: "
        f"{flops['padded_over_shared']:.1f} times that), generation "
        f"{flops['generation'] / 1e12:.3f}; {rates['gflops']:.0f} GFLOP/s, "
        f"{rates['read_gb_s']:.0f} GB/s read"
    )
    return "\n".join(lines)


def tune(shape: Shape, options: TrlOptions, *, steps: int) -> str:
    """TRL's step at every micro-batch that divides the rows, dynamic and static cache."""
    sizes = [n for n in range(1, shape.rows + 1) if shape.rows % n == 0]
    rows = [["micro-batch", "cache", *(f"{part} CPU s" for part in PARTS)]]
    tried = [replace(options, micro_batch=n, cache=None) for n in sizes]
    tried.append(replace(options, cache="static"))
    for one in tried:
        times = compare(shape, one, steps=steps, sides="trl").peer
        spans = [statistics.median(_span(times, part, "cpu")) for part in PARTS]
        rows.append([str(one.micro_batch), one.cache or "dynamic", *(f"{s:.2f}" for s in spans)])
    return f"{shape.name}\n{table(rows)}"


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", choices=[*SHAPES, "all"], default="all")
    parser.add_argument("--steps", type=int, default=5, help="kept steps; one more is dropped")
    parser.add_argument("--json", help="also write everything measured to this file")
    parser.add_argument("--micro-batch", type=int, help="rows per pass of TRL")
    parser.add_argument("--cache", help="cache_implementation of TRL's generation, or dynamic")
    parser.add_argument("--compact-head", action="store_true", help="see TrlOptions")
    parser.add_argument("--gradient-checkpointing", action="store_true", help="on TRL's side")
    parser.add_argument("--tune", action="store_true", help="only look for TRL's best settings")
    parser.add_argument("--no-memory", action="store_true", help="leave the two memory runs out")
    parser.add_argument("--side", choices=["trl", "own"], help="one side alone; prints JSON")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    arguments = parse()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    names = list(SHAPES) if arguments.shape == "all" else [arguments.shape]
    if not arguments.side:
        print(machine_facts())
    results = []
    for shape in (SHAPES[name] for name in names):
        options = TrlOptions(
            micro_batch=arguments.micro_batch or shape.micro_batch,
            cache={None: shape.cache, "dynamic": None}.get(arguments.cache, arguments.cache),
            compact_head=arguments.compact_head,
            gradient_checkpointing=arguments.gradient_checkpointing,
        )
        if arguments.tune:
            print(tune(shape, options, steps=arguments.steps), flush=True)
        elif arguments.side:
            check_same_loss(shape)  # both sides import what they import when first used
            before = resident_mb()
            measured = compare(shape, options, steps=arguments.steps, sides=arguments.side)
            times = measured.peer if arguments.side == "trl" else measured.own
            grown = peak_resident_mb() - before
            print(json.dumps({"peak_mb": grown, "steps": [asdict(time) for time in times]}))
        else:
            measured = compare(shape, options, steps=arguments.steps)
            sides = [] if arguments.no_memory else ["trl", "own"]
            memory = {side: memory_mb(shape, options, side) for side in sides}
            results.append(summarise(shape, options, measured, memory))
            print(f"\n{show(results[-1])}", flush=True)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"machine": machine_facts(), "results": results}, file, indent=1)


if __name__ == "__main__":
    main()

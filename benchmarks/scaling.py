"""How our step grows as prompts, group, prompt length, width and vocabulary double, one by one.

For each, the exponent b of time ~ size^b by least squares on logarithms, beside the exponent of the
arithmetic (FLOPs of the same sizes). Time may grow more slowly, because fixed costs spread out and
products become more efficient; ``faster!`` marks a part that grows faster than the arithmetic by
more than twice the standard error over repetitions and 0.05.

    python -m benchmarks.scaling --steps 3
"""

import argparse
import json
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from benchmarks.floor import Work
from benchmarks.meter import machine_facts, table
from benchmarks.own_step import OwnStep
from benchmarks.shapes import Shape, Width, build_model, draw_prompts

TOLERANCE = 0.05
"""An exponent this much above that of the arithmetic is still the same growth."""

PARTS = ("generation", "training", "step")


@dataclass(frozen=True)
class Point:
    """One size: a model and a shape."""

    width: Width
    shape: Shape

    @property
    def flops(self) -> dict[str, int]:
        """Of each part."""
        shape = self.shape
        lengths = (shape.prompt_tokens[0],) * shape.prompts
        work = Work(self.width, lengths, shape.group, shape.completion_tokens)
        parts = {"generation": work.generation_flops, "training": work.training_flops}
        return {**parts, "step": sum(parts.values())}


BASE = Point(Width(layers=4), Shape("base", 2, (256, 256), 32, 8, 8))


def _shaped(**changes: object) -> Point:
    return replace(BASE, shape=replace(BASE.shape, **changes))


def _wide(hidden: int) -> Point:
    heads = hidden // 32
    width = Width(hidden, BASE.width.layers, heads, heads // 2, hidden * 11 // 4)
    return replace(BASE, width=width)


GROWTH: dict[str, tuple[tuple[int, ...], Callable[[int], Point]]] = {
    "prompts": ((1, 2, 4, 8), lambda n: _shaped(prompts=n)),
    "group": ((4, 8, 16, 32), lambda n: _shaped(group=n)),
    "prompt tokens": ((256, 512, 1024, 2048), lambda n: _shaped(prompt_tokens=(n, n))),
    "width": ((128, 256, 512, 1024), _wide),
    "vocabulary": (
        (4096, 8192, 16384, 32768),
        lambda n: replace(BASE, width=replace(BASE.width, vocabulary=n)),
    ),
}


def slope(sizes: Sequence[float], values: Sequence[float]) -> float:
    """The exponent b of values ~ sizes^b, by least squares on logarithms."""
    x, y = [math.log(s) for s in sizes], [math.log(v) for v in values]
    middle_x, middle_y = statistics.fmean(x), statistics.fmean(y)
    covariance = sum((a - middle_x) * (b - middle_y) for a, b in zip(x, y, strict=True))
    return covariance / sum((a - middle_x) ** 2 for a in x)


def grows_faster(exponents: Sequence[float], arithmetic: float) -> bool:
    """Whether exponents, one per repetition, are above that of the arithmetic beyond noise."""
    error = statistics.stdev(exponents) / math.sqrt(len(exponents)) if len(exponents) > 1 else 0.0
    return statistics.fmean(exponents) - 2 * error > arithmetic + TOLERANCE


def measure(point: Point, *, steps: int) -> dict[str, list[float]]:
    """CPU seconds of each part and kept step."""
    step = OwnStep(build_model(point.width))
    shape = point.shape
    prompts = draw_prompts(shape, shape.prompts, vocabulary=point.width.vocabulary)
    times = [
        step(prompts, group=shape.group, completion=shape.completion_tokens)
        for _ in range(steps + 1)
    ][1:]
    return {part: [getattr(time, part).cpu for time in times] for part in PARTS}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=list(GROWTH), help="one of the five")
    parser.add_argument("--steps", type=int, default=3, help="kept steps at each size")
    parser.add_argument("--json", help="also write everything measured to this file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(machine_facts(("torch", "transformers")))
    rows = [["", "part", "CPU s at each doubling", "exponent", "arithmetic", ""]]
    found = []
    for name in [arguments.only] if arguments.only else GROWTH:
        sizes, at = GROWTH[name]
        points = [at(size) for size in sizes]
        times = [measure(point, steps=arguments.steps) for point in points]
        for part in PARTS:
            repeats = zip(*(time[part] for time in times), strict=True)
            exponents = [slope(sizes, values) for values in repeats]
            arithmetic = slope(sizes, [point.flops[part] for point in points])
            medians = [statistics.median(time[part]) for time in times]
            is_faster = grows_faster(exponents, arithmetic)
            rows.append(
                [
                    f"{name} {sizes[0]}-{sizes[-1]}",
                    part,
                    " ".join(f"{value:.2f}" for value in medians),
                    f"{statistics.fmean(exponents):.2f}",
                    f"{arithmetic:.2f}",
                    "faster!" if is_faster else "ok",
                ]
            )
            found.append(
                {
                    "name": name,
                    "part": part,
                    "sizes": sizes,
                    "cpu_s": medians,
                    "exponents": exponents,
                    "arithmetic": arithmetic,
                    "grows_faster": is_faster,
                }
            )
    print(table(rows))
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"machine": machine_facts(("torch",)), "results": found}, file, indent=1)


if __name__ == "__main__":
    main()

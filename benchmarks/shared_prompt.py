"""What encoding every prompt once is worth, against plain transformers.

Same weights, same prompts, same completion lengths, one thread. ``generate`` samples the group by
repeating the prompt; the padded pass feeds one row per completion with its own copy of the prompt
and takes log-probabilities from logits at completion positions only.

    python benchmarks/shared_prompt.py --prompts 12 --group 8 --prompt-tokens 96 --new-tokens 24
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedModel, Qwen2Config

from worldtune.engine.model.batch import Group, pack
from worldtune.engine.model.policy import Policy, as_policy, token_stats
from worldtune.engine.rollout.rollouts import BuiltinRollouts, GenPlan, TokenSpec
from worldtune.engine.rollout.sampling import Sampling


def build_model(width: int, layers: int, vocab: int) -> PreTrainedModel:
    """A random Qwen2 of the shape of the embedded default."""
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=vocab,
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=layers,
        num_attention_heads=width // 32,
        num_key_value_heads=width // 32,
        tie_word_embeddings=False,
    )
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    return model


def timed(function: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    function()
    return time.process_time() - start


def padded_pass(model: PreTrainedModel, prompts: Tensor, completions: Tensor) -> None:
    """Forward and backward over one row per completion."""
    group = completions.shape[0] // prompts.shape[0]
    rows = torch.cat([prompts.repeat_interleave(group, dim=0), completions], dim=1)
    logits = model(rows, logits_to_keep=completions.shape[1] + 1).logits[:, :-1]
    logp = logits.log_softmax(-1).gather(-1, completions[..., None])
    (-logp.mean()).backward()
    model.zero_grad(set_to_none=True)


def packed_pass(policy: Policy, groups: list[Group]) -> None:
    """Forward and backward over the packed groups."""
    stats = token_stats(policy, pack(groups, device=policy.device))
    (-stats.logp.mean()).backward()
    policy.model.zero_grad(set_to_none=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (("prompts", 12), ("group", 8), ("prompt-tokens", 96), ("new-tokens", 24)):
        parser.add_argument(f"--{name}", type=int, default=value)
    for name, value in (("width", 128), ("layers", 4), ("vocab", 3000), ("repeats", 7)):
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args()
    torch.set_num_threads(1)
    plain = build_model(options.width, options.layers, options.vocab)
    ours = as_policy(build_model(options.width, options.layers, options.vocab))
    engine = BuiltinRollouts(ours, TokenSpec(options.vocab, 0, None))
    prompts = torch.randint(2, options.vocab, (options.prompts, options.prompt_tokens))
    rows = options.prompts * options.group
    completions = torch.randint(2, options.vocab, (rows, options.new_tokens))
    parts = completions.view(options.prompts, options.group, -1).tolist()
    groups = [
        Group(prompt, part, advantages=[1.0] * options.group)
        for prompt, part in zip(prompts.tolist(), parts, strict=True)
    ]

    def generate() -> None:
        repeated = prompts.repeat_interleave(options.group, dim=0)
        plain.generate(
            repeated,
            attention_mask=torch.ones_like(repeated),
            do_sample=True,
            max_new_tokens=options.new_tokens,
            min_new_tokens=options.new_tokens,
            pad_token_id=0,
        )

    def rollouts() -> None:
        engine.generate(
            prompts.tolist(),
            list(range(options.prompts)),
            group=options.group,
            plan=GenPlan(options.new_tokens),
            sampling=Sampling(),
        )

    contests = {
        "generation": (generate, rollouts),
        "training pass": (
            lambda: padded_pass(plain, prompts, completions),
            lambda: packed_pass(ours, groups),
        ),
    }
    print(
        f"torch {torch.__version__}, {platform.processor() or platform.machine()}, 1 thread; CPU s"
    )
    for name, (peer, own) in contests.items():
        peer(), own()
        pairs = [(timed(peer), timed(own)) for _ in range(options.repeats)]
        theirs, mine = (statistics.median(side) for side in zip(*pairs, strict=True))
        ratio = statistics.median(a / b for a, b in pairs)
        print(f"{name:14s} transformers {theirs:.3f}  worldtune {mine:.3f}  ratio {ratio:.2f}")


if __name__ == "__main__":
    main()

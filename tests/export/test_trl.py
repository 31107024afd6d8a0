"""TRL's own trainer on an export. Runs where TRL is installed: make test-trl."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from tests.export.exported import SIZES, export_web, load_file, tiny_tokenizer, web_domain
from tests.web_rows import web_row
from worldtune.engine.task.text_task import TextTask

trl = pytest.importorskip("trl", reason="TRL is not installed: make test-trl")
datasets = pytest.importorskip("datasets", reason="TRL is not installed: make test-trl")


def tiny_model(tokenizer: PreTrainedTokenizerFast) -> Qwen2ForCausalLM:
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return Qwen2ForCausalLM(config)


def make_trainer(out: Path, layout: str, reward: Any) -> Any:
    data = datasets.load_dataset(str(out), cache_dir=str(out / "cache"))
    assert {split: len(data[split]) for split in data} == SIZES
    tokenizer = tiny_tokenizer(layout)
    config = trl.GRPOConfig(
        output_dir=str(out / "trained"),
        num_generations=4,
        per_device_train_batch_size=4,
        gradient_accumulation_steps=2,
        max_completion_length=12,
        max_steps=2,
        logging_steps=1,
        report_to=[],
        save_strategy="no",
        use_cpu=True,
        bf16=False,
        disable_tqdm=True,
    )
    return trl.GRPOTrainer(
        tiny_model(tokenizer), reward, config, data["train"], processing_class=tokenizer
    )


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["compact", "zero_shot"])
def test_grpo_trainer_trains_two_steps_from_an_export(tmp_path: Path, layout: str) -> None:
    out = export_web(tmp_path, "trl", layout)
    exported = load_file(out / "reward.py").web_reward
    domain, seen = web_domain(layout), []

    def web_reward(completions: list[Any], row: list[str], **columns: Any) -> list[float]:
        # A random model earns nothing and so learns nothing: every second completion is scored as
        # if it were the true one.
        texts = [
            domain.completion(json.loads(row[i])) if i % 2 else completion
            for i, completion in enumerate(completions)
        ]
        values = exported(completions=texts, row=row, **columns)
        seen.extend(values)
        return values

    trainer = make_trainer(out, layout, web_reward)
    before = {name: p.detach().clone() for name, p in trainer.model.named_parameters()}
    trainer.train()
    assert trainer.state.global_step == 2
    assert len(seen) == 2 * 2 * 4
    assert seen[1::2] == [1.0] * 8 and all(0.0 <= value < 1.0 for value in seen[::2])
    first = trainer.state.log_history[0]
    assert first["rewards/web_reward/mean"] == pytest.approx(sum(seen[:8]) / 8)
    assert {"reward/precision", "reward/errors", "parse_failure_rate"} <= first.keys()
    assert any(
        not before[name].equal(p.detach().cpu()) for name, p in trainer.model.named_parameters()
    )


@pytest.mark.parametrize("layout", ["compact", "zero_shot"])
def test_trl_gives_a_prompt_the_token_ids_that_it_has_here(tmp_path: Path, layout: str) -> None:
    out = export_web(tmp_path, "trl", layout)
    trainer = make_trainer(out, layout, load_file(out / "reward.py").web_reward)
    rows = [web_row(number) for number in range(SIZES["train"])]
    ours = TextTask(web_domain(layout), tiny_tokenizer(layout)).encode(rows)
    theirs, _, _ = trainer._tokenize_prompts([r["prompt"] for r in trainer.train_dataset])
    assert [list(ids) for ids in theirs] == [list(example.prompt) for example in ours]


@pytest.mark.slow
def test_the_command_of_the_readme_trains(tmp_path: Path) -> None:
    out, model = export_web(tmp_path, "trl"), tmp_path / "model"
    tokenizer = tiny_tokenizer("compact")
    tokenizer.save_pretrained(model)
    tiny_model(tokenizer).save_pretrained(model)
    block = re.search(r"```sh\n(.*?)```", (out / "README.md").read_text(), re.DOTALL)
    assert block is not None
    line = block[1].replace("\\\n", " ").replace("MODEL", str(model)).replace("$PWD", str(out))
    command = shlex.split(line)
    assert command[0] == "trl"
    short = ["--max_steps", "1", "--use_cpu", "--bf16", "False", "--report_to", "none"]
    done = subprocess.run(
        [str(Path(sys.executable).with_name("trl")), *command[1:], *short],
        cwd=out,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert (out / "out" / "model.safetensors").exists()
    assert "rewards/web_reward/mean" in done.stdout

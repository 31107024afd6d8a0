"""Run folders of small web models, as the pipelines write them."""

from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from tests.web_rows import web_row, web_table
from worldtune import worker
from worldtune.config import (
    ComputeConfig,
    ModelConfig,
    OptimizerConfig,
    PretrainedModelConfig,
    RlvrConfig,
    RlvrOptimizerConfig,
    ScratchModelConfig,
    SftConfig,
    WebTaskConfig,
)
from worldtune.domains import get_domain
from worldtune.engine.model.huggingface import plain_text
from worldtune.engine.task.tokenizer import train_tokenizer

ADAMW = OptimizerConfig(learning_rate=0.01)
SFT = SftConfig(
    steps=4,
    batch_rows=2,
    checkpoint_every=2,
    validation_rows=2,
    max_new_tokens=6,
    optimizer=ADAMW,
)
RLVR = RlvrConfig(
    steps=2,
    batch_prompts=2,
    update_prompts=1,
    group_size=2,
    checkpoint_every=1,
    validation_rows=2,
    max_new_tokens=6,
    optimizer=RlvrOptimizerConfig(**ADAMW.model_dump()),
)
SCRATCH = ScratchModelConfig(
    hidden_size=32,
    num_layers=2,
    num_heads=2,
    num_kv_heads=2,
    intermediate_size=48,
    vocab_size=400,
    context=256,
    copy_steps=0,
)
TASKS = {
    "compact": WebTaskConfig(),
    "zero_shot": WebTaskConfig(layout="zero_shot"),
}


def spec(stage="sft", *, path=None, task="compact", training=None, **changes):
    model = ModelConfig(scratch=SCRATCH)
    if path is not None:
        model = ModelConfig(init="pretrained", pretrained=PretrainedModelConfig(path=path))
    values = {
        "stage": stage,
        "domain": "web",
        "task": TASKS[task],
        "seed": 3,
        "compute": ComputeConfig(threads=1, device="cpu"),
        "training": training or (SFT if stage == "sft" else RLVR),
        "model": model if stage == "sft" else None,
    }
    return worker.RunSpec(**(values | changes))


def prepare(folder, run_spec, rows=12):
    worker.write_spec(folder, run_spec, {"train": web_table(rows), "val": web_table(4, 12)})
    return folder


def make_pretrained(folder: Path, context: int = 1024) -> str:
    """A tiny model and tokenizer in Hugging Face format, as a user would bring them."""
    domain = get_domain("web", TASKS["zero_shot"])
    rows = [web_row(i) for i in range(12)]
    texts = [plain_text(domain.prompt(r)) + domain.completion(r) for r in rows]
    tokenizer = train_tokenizer(texts, pattern=domain.token_pattern, vocab_size=700)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=context,
        tie_word_embeddings=True,
        pad_token_id=0,
        eos_token_id=1,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)

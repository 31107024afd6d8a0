"""Policies and tokenizers in Hugging Face format: make, load, save."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from worldtune.config import LoraConfig, PretrainedModelConfig, ScratchModelConfig
from worldtune.contracts import Message
from worldtune.engine.model import induction
from worldtune.engine.runtime import durable
from worldtune.errors import CheckpointError, UserError


def build_scratch(
    config: ScratchModelConfig, tokenizer: PreTrainedTokenizerFast, *, seed: int
) -> PreTrainedModel:
    """A fresh model for a tokenizer, initialised to copy (see ``induction``)."""
    torch.manual_seed(seed)
    shape = {
        "vocab_size": len(tokenizer),
        "hidden_size": config.hidden_size,
        "intermediate_size": config.intermediate_size,
        "num_hidden_layers": config.num_layers,
        "num_attention_heads": config.num_heads,
        "num_key_value_heads": config.num_kv_heads,
        "max_position_embeddings": config.context,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        "tie_word_embeddings": False,
        "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "bos_token_id": None,
        "use_cache": True,
    }
    # Llama, because AutoTokenizer takes a Llama folder's tokenizer as it is; for a Qwen2 folder it
    # replaces the pre-tokenizer by Qwen's (transformers 5), which changes every id.
    hf_config = LlamaConfig(**shape, attention_bias=True)
    model: PreTrainedModel = AutoModelForCausalLM.from_config(hf_config, dtype=torch.float32)
    if config.copy_steps:
        induction.initialise(model, seed=seed)
        induction.practise_copying(model, steps=config.copy_steps, seed=seed)
    return model


def load_model(path: str, *, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """Load weights from a folder or hub id. Raises ValueError with the remedy if there are none."""
    try:
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(path, dtype=dtype)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"no causal language model at {path!r}: {error}") from error
    return model


def load_tokenizer(path: str) -> PreTrainedTokenizerBase:
    """Load a tokenizer; one without a padding token pads with its end-of-text token."""
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(path)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"no tokenizer at {path!r}: {error}") from error
    # transformers 5 makes an empty tokenizer up for a folder that has weights alone.
    if len(tokenizer) <= len(tokenizer.all_special_ids):
        raise CheckpointError(f"no tokenizer at {path!r}: put its files beside the weights")
    if tokenizer.eos_token_id is None:
        raise CheckpointError(
            f"the tokenizer at {path!r} has no end-of-text token, which ends an answer"
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_pretrained(
    config: PretrainedModelConfig,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The model and tokenizer named by ``model.pretrained``."""
    return load_model(config.path, dtype=getattr(torch, config.dtype)), load_tokenizer(config.path)


def add_lora(model: PreTrainedModel, config: LoraConfig) -> PreTrainedModel:
    """Wrap a model in adapters on all its linear layers; only they are trained (extra ``lora``)."""
    try:
        import peft  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise UserError("LoRA needs the extra 'lora': pip install 'worldtune[lora]'") from error
    adapters = peft.LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    # A wrapper that passes on all that a PreTrainedModel offers, without being one.
    return cast("PreTrainedModel", peft.get_peft_model(model, adapters))


def merged(model: PreTrainedModel) -> PreTrainedModel:
    """The plain model, adapters folded into its weights."""
    adapted: Any = model
    if hasattr(adapted, "merge_and_unload"):
        plain: PreTrainedModel = adapted.merge_and_unload()
        return plain
    return model


def save_checkpoint(
    folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, card: str
) -> None:
    """Write a folder that ``from_pretrained`` opens, complete or not at all.

    The folder is written under a temporary name, brought to the disk and renamed into place; an
    older checkpoint stays until the new one is whole.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = folder.with_name(f".{folder.name}.new")
    old = folder.with_name(f".{folder.name}.old")
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    model.save_pretrained(fresh)
    tokenizer.save_pretrained(fresh)
    (fresh / "README.md").write_text(card, encoding="utf-8")
    durable.sync_tree(fresh)
    if folder.exists():
        folder.rename(old)
    durable.publish_folder(fresh, folder)
    shutil.rmtree(old, ignore_errors=True)


def plain_text(prompt: str | Sequence[Message]) -> str:
    """A prompt as text, turns of a chat joined by blank lines."""
    if isinstance(prompt, str):
        return prompt
    return "\n\n".join(message.content for message in prompt) + "\n\n"


def model_card(spec: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """The README.md of a checkpoint: what was trained on what, with which numbers."""
    title = f"{spec['domain']} world model ({spec['stage']})"
    base = spec["start"] or (spec["model"] or {}).get("pretrained", {}).get("path") or "scratch"
    rows = "\n".join(f"| {name} | {value} |" for name, value in facts.items())
    training = json.dumps(spec["training"], indent=2)
    return f"""---
library_name: transformers
pipeline_tag: text-generation
tags: [world-model, worldtune, {spec["stage"]}]
---

# {title}

Predicts the next state of a {spec["domain"]} environment from a state and an action. Trained by
worldtune with the method of RLVR-World (arXiv 2505.13934).
Start: `{base}`; seed {spec["seed"]}.

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained("PATH")
tokenizer = AutoTokenizer.from_pretrained("PATH")
```

| measured on training and validation data | value |
|---|---|
{rows}

Training parameters:

```json
{training}
```
"""

"""verl's own classes on an export, run by verl's own interpreter; prints what they found as JSON.

Called as ``python verl_reads.py EXPORT TOKENIZER COMMAND ANSWERS``: the folder of the export, the
folder of a tokenizer, a file with the arguments of the README's command, a file with answers.
"""

import asyncio
import importlib.metadata
import json
import sys
from pathlib import Path

import torch
from hydra import compose, initialize_config_module
from tensordict import TensorDict
from transformers import AutoTokenizer
from verl import DataProto
from verl.experimental.reward_loop.reward_manager import get_reward_manager_cls
from verl.trainer.ppo.reward import get_custom_reward_fn
from verl.utils.dataset.rl_dataset import collate_fn, get_dataset_class
from verl.utils.tokenizer.continuous_token_wiring import create_continuous_token_builder

out, tokenizer_folder, command, answers = map(Path, sys.argv[1:])
tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
with initialize_config_module("verl.trainer.config", version_base=None):
    config = compose("ppo_trainer", overrides=json.loads(command.read_text()))
dataset_class = get_dataset_class(config.data)
dataset = dataset_class(data_files=config.data.train_files, tokenizer=tokenizer, config=config.data)
config.data.filter_overlong_prompts = True  # drops every row whose prompt cannot be tokenised
kept = dataset_class(data_files=config.data.val_files, tokenizer=tokenizer, config=config.data)
builder = create_continuous_token_builder(tokenizer, hf_model_type="llama")
manager_class = get_reward_manager_cls(config.reward.reward_manager.name)
reward_function = get_custom_reward_fn(config)


async def score(item: dict, answer: str) -> dict:
    """One answer through the reward manager, as verl's reward workers do."""
    manager = manager_class(config, tokenizer, reward_function)
    response = tokenizer(answer, add_special_tokens=False, return_tensors="pt").input_ids
    padded = torch.nn.functional.pad(response, (0, 3), value=tokenizer.pad_token_id)
    mask = torch.nn.functional.pad(torch.ones_like(response), (0, 3))
    batch = TensorDict({"responses": padded, "attention_mask": mask}, batch_size=1)
    others = collate_fn([item])
    others.pop("dummy_tensor")
    return await manager.run_single(DataProto(batch=batch, non_tensor_batch=others))


items = [dataset[index] for index in range(len(dataset))]
texts = json.loads(answers.read_text())
results = [[asyncio.run(score(item, t)) for t in texts[i]] for i, item in enumerate(items)]
found = {
    "version": importlib.metadata.version("verl"),
    "dataset": type(dataset).__name__,
    "rows": len(dataset),
    "kept": len(kept),
    "index": [item["index"] for item in items],
    "ground_truth": [item["reward_model"]["ground_truth"] for item in items],
    "prompts": [builder.build_initial_tokens(item["raw_prompt"]) for item in items],
    "rewards": [[result["reward_score"] for result in row] for row in results],
    "logged": sorted(results[0][0]["reward_extra_info"]),
}
(out / "found.json").write_text(json.dumps(found))

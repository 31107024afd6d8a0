"""Checkpoints that any transformers user can open, and clear words where there is none."""

import json
import subprocess
import sys

import pytest
import torch
from transformers import AutoModelForCausalLM

from tests.engine.model.plain import path_logp
from tests.engine.tiny import (
    assert_same_weights,
    plain_copy,
    tiny_model,
    weights,
    word_tokenizer,
)
from worldtune.config import LoraConfig, PretrainedModelConfig, ScratchModelConfig
from worldtune.contracts import Message
from worldtune.engine.model import huggingface
from worldtune.engine.model.batch import Group, pack
from worldtune.engine.model.policy import as_policy
from worldtune.engine.task.tokenizer import train_tokenizer

SCRATCH = {
    "hidden_size": 64,
    "num_heads": 4,
    "num_kv_heads": 4,
    "intermediate_size": 96,
    "num_layers": 2,
    "context": 128,
    "copy_steps": 1,
}
FRESH_PROCESS = """
import json, sys
from transformers import AutoModelForCausalLM, AutoTokenizer
for path in sys.argv[1:]:
    model = AutoModelForCausalLM.from_pretrained(path)
    tokenizer = AutoTokenizer.from_pretrained(path)
    ids = tokenizer("red green", return_tensors="pt")
    new = model.generate(**ids, max_new_tokens=3, do_sample=False)
    logits = model(**ids).logits[0, -1].double()
    answer = {"new": new[0].tolist(), "logits": logits.tolist(), "eos": tokenizer.eos_token_id}
    print(json.dumps(answer))
assert not any(name.startswith("worldtune") for name in sys.modules)
"""


def scratch():
    tokenizer = train_tokenizer(["red green blue"] * 3, pattern=r" ?\w+", vocab_size=300)
    return huggingface.build_scratch(ScratchModelConfig(**SCRATCH), tokenizer, seed=3), tokenizer


def test_a_scratch_checkpoint_opens_and_generates_in_a_process_without_worldtune(tmp_path):
    model, tokenizer = scratch()
    path = tmp_path / "model"
    huggingface.save_checkpoint(path, as_policy(model).model, tokenizer, card="# a card\n")
    assert (path / "README.md").read_text() == "# a card\n"
    ids = tokenizer("red green").input_ids
    expected = plain_copy(model)(input_ids=torch.tensor([ids])).logits[0, -1].double()
    command = [sys.executable, "-c", FRESH_PROCESS, str(path)]
    environment = {"PYTHONPATH": "", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answer = json.loads(done.stdout)
    found = torch.tensor(answer["logits"], dtype=torch.float64)
    torch.testing.assert_close(found, expected.detach(), rtol=1e-4, atol=1e-4)
    assert answer["new"][: len(ids)] == ids
    assert len(answer["new"]) > len(ids)
    assert answer["eos"] == 1


def test_a_scratch_model_has_the_configured_shape_and_depends_on_the_seed_alone():
    model, tokenizer = scratch()
    config = model.config
    assert config.vocab_size == len(tokenizer)
    assert (config.hidden_size, config.num_hidden_layers) == (64, 2)
    assert config.max_position_embeddings == 128
    assert config.eos_token_id == tokenizer.eos_token_id
    assert_same_weights(weights(model), weights(scratch()[0]))


def test_without_copy_steps_the_model_is_initialised_the_usual_way():
    tokenizer = word_tokenizer()
    config = ScratchModelConfig(**(SCRATCH | {"copy_steps": 0, "num_kv_heads": 2}))
    model = huggingface.build_scratch(config, tokenizer, seed=3)
    assert model.config.num_key_value_heads == 2
    assert float(model.get_input_embeddings().weight.detach().std()) < 0.1


def test_a_newer_checkpoint_replaces_the_older_one(tmp_path):
    path = tmp_path / "model"
    huggingface.save_checkpoint(path, tiny_model(seed=0), word_tokenizer(), card="first")
    huggingface.save_checkpoint(path, tiny_model(seed=1), word_tokenizer(), card="second")
    assert (path / "README.md").read_text() == "second"
    assert_same_weights(weights(huggingface.load_model(str(path))), weights(tiny_model(seed=1)))
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_the_older_checkpoint_stays_if_saving_fails(tmp_path):
    path = tmp_path / "model"
    huggingface.save_checkpoint(path, tiny_model(seed=0), word_tokenizer(), card="first")

    class Unsavable:
        def save_pretrained(self, folder):
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        huggingface.save_checkpoint(path, tiny_model(seed=1), Unsavable(), card="second")
    assert (path / "README.md").read_text() == "first"
    assert_same_weights(weights(huggingface.load_model(str(path))), weights(tiny_model(seed=0)))
    huggingface.save_checkpoint(path, tiny_model(seed=1), word_tokenizer(), card="third")
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_tied_embeddings_survive_saving(tmp_path):
    model = tiny_model(tied=True)
    huggingface.save_checkpoint(tmp_path / "model", model, word_tokenizer(), card="")
    found = huggingface.load_model(str(tmp_path / "model"))
    assert found.get_input_embeddings().weight is found.get_output_embeddings().weight
    assert_same_weights(weights(found), weights(model))


@pytest.mark.parametrize("architecture", ["qwen2", "llama", "qwen3"])
def test_merged_adapters_answer_like_the_adapter_model(tmp_path, architecture):
    pytest.importorskip("peft", reason="LoRA needs the extra 'lora'")
    batch = pack(
        [Group([3, 4, 5], [[6, 7], [8]], advantages=(1.0, 1.0))], device=torch.device("cpu")
    )
    model = tiny_model(architecture, kv_heads=2)
    before = path_logp(as_policy(model), batch).detach()
    wrapped = huggingface.add_lora(model, LoraConfig(rank=4, alpha=8))
    trained = [name for name, p in wrapped.named_parameters() if p.requires_grad]
    assert trained and all("lora_" in name for name in trained)
    policy = as_policy(wrapped)
    torch.testing.assert_close(path_logp(policy, batch).detach(), before)
    with torch.no_grad():
        for name, parameter in wrapped.named_parameters():
            if "lora_" in name:
                parameter.normal_(std=0.3)
    adapted = path_logp(policy, batch).detach()
    assert float((adapted - before).abs().max()) > 1e-2
    plain = huggingface.merged(wrapped)
    huggingface.save_checkpoint(tmp_path / "model", plain, word_tokenizer(), card="")
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    assert type(loaded) is type(plain)
    found = path_logp(as_policy(loaded), batch).detach()
    torch.testing.assert_close(found, adapted, rtol=1e-4, atol=1e-4)


def test_a_plain_model_is_its_own_merge():
    model = tiny_model()
    assert huggingface.merged(model) is model


def test_a_folder_without_a_model_is_named_in_the_error(tmp_path):
    missing = str(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="nowhere"):
        huggingface.load_model(missing)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty"):
        huggingface.load_model(str(tmp_path / "empty"))


def test_a_folder_without_a_tokenizer_is_named_in_the_error(tmp_path):
    tiny_model().save_pretrained(tmp_path / "bare")
    with pytest.raises(ValueError, match="bare"):
        huggingface.load_tokenizer(str(tmp_path / "bare"))


def test_a_tokenizer_without_an_end_of_text_token_is_refused(tmp_path):
    tokenizer = word_tokenizer()
    tokenizer.eos_token = None
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="end-of-text"):
        huggingface.load_tokenizer(str(tmp_path))


def test_a_tokenizer_without_padding_pads_with_its_end_of_text_token(tmp_path):
    tokenizer = word_tokenizer()
    tokenizer.pad_token = None
    tokenizer.save_pretrained(tmp_path)
    assert huggingface.load_tokenizer(str(tmp_path)).pad_token == "<eos>"


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_pretrained_model_loads_in_the_configured_precision(tmp_path, dtype):
    huggingface.save_checkpoint(tmp_path / "model", tiny_model(), word_tokenizer(), card="")
    config = PretrainedModelConfig(path=str(tmp_path / "model"), dtype=dtype)
    model, tokenizer = huggingface.load_pretrained(config)
    assert model.dtype == getattr(torch, dtype)
    assert tokenizer.pad_token == "<pad>"


def test_a_chat_becomes_plain_text_with_its_turns_apart():
    assert huggingface.plain_text("as it is") == "as it is"
    turns = (Message("system", "Be brief."), Message("user", "Hello"))
    assert huggingface.plain_text(turns) == "Be brief.\n\nHello\n\n"


def test_the_card_states_start_seed_and_numbers():
    spec = {
        "domain": "web",
        "stage": "rlvr",
        "start": "some/model",
        "model": None,
        "seed": 7,
        "training": {"steps": 3},
    }
    card = huggingface.model_card(spec, {"val/metric": 0.5})
    assert card.startswith("---\nlibrary_name: transformers\n")
    for text in ("web world model (rlvr)", "`some/model`; seed 7", "| val/metric | 0.5 |"):
        assert text in card
    assert '"steps": 3' in card
    assert "`scratch`" in huggingface.model_card(spec | {"start": None}, {})

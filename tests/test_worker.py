"""Training processes as the pipelines start them: a folder in, a checkpoint out."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from tests.run_folders import RLVR, SFT, TASKS, make_pretrained, prepare, spec
from tests.web_rows import web_table
from worldtune import worker
from worldtune.config import (
    KlConfig,
    LaunchConfig,
    LoraConfig,
    OptimizerConfig,
    WebTaskConfig,
)
from worldtune.engine.learn import sft
from worldtune.errors import UserError

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory) -> str:
    return make_pretrained(tmp_path_factory.mktemp("hub") / "tiny")


def train(folder, run_spec, rows=12):
    return worker.run(prepare(folder, run_spec, rows))


def weights_hash(folder: Path) -> str:
    return hashlib.sha256((folder / "model" / "model.safetensors").read_bytes()).hexdigest()


def steps_of(folder: Path) -> list[int]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["step"] for line in lines]


@pytest.mark.parametrize("stage", ["sft", "rlvr"])
@pytest.mark.parametrize("task", TASKS)
def test_a_specification_survives_its_file(tmp_path, stage, task):
    lora = LoraConfig(rank=2) if task == "compact" else None
    training = (SFT if stage == "sft" else RLVR).model_copy(update={"lora": lora})
    written = spec(stage, task=task, training=training, start="a/b", label="seed 1")
    prepare(tmp_path, written)
    read = worker.read_spec(tmp_path)
    assert read == written
    assert type(read.training) is type(training)
    assert type(read.task) is WebTaskConfig
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == [
        "spec.json",
        "train.parquet",
        "val.parquet",
    ]


def test_unknown_keys_in_a_specification_are_refused(tmp_path):
    prepare(tmp_path, spec())
    raw = json.loads((tmp_path / "spec.json").read_text())
    raw["training"]["stepz"] = 3
    (tmp_path / "spec.json").write_text(json.dumps(raw))
    with pytest.raises(ValueError, match="stepz"):
        worker.read_spec(tmp_path)


@pytest.mark.parametrize(
    ("stage", "change", "remedy"),
    [
        ("sft", {"optimizer": OptimizerConfig(kind="muon")}, "adamw"),
        ("rlvr", {"kl": KlConfig(coefficient=0.1, sync_every=2)}, "sync_every"),
    ],
)
def test_what_cannot_be_sharded_is_refused(stage, change, remedy):
    training = (SFT if stage == "sft" else RLVR).model_copy(update=change)
    launch = LaunchConfig(processes=2, fsdp=True)
    with pytest.raises(ValueError, match=rf"launch\.fsdp: .*{remedy}"):
        spec(stage, training=training, launch=launch)


FRESH_PROCESS = """
import json, sys
from transformers import AutoModelForCausalLM, AutoTokenizer
for path in sys.argv[1:]:
    model = AutoModelForCausalLM.from_pretrained(path)
    tokenizer = AutoTokenizer.from_pretrained(path)
    ids = tokenizer("[1] button", return_tensors="pt")
    model.generate(**ids, max_new_tokens=3, do_sample=False)
    print(type(model).__name__, model.config._attn_implementation)
assert not any(name.startswith(("worldtune", "peft")) for name in sys.modules)
"""


@pytest.mark.parametrize("task", TASKS)
def test_a_pretrained_model_goes_through_sft_and_rlvr_with_and_without_adapters(
    tmp_path, pretrained, task
):
    pytest.importorskip("peft", reason="LoRA needs the extra 'lora'")
    paths = []
    for name, lora in (("full", None), ("lora", LoraConfig(rank=2, alpha=4))):
        change = {"lora": lora}
        sft_spec = spec(path=pretrained, task=task, training=SFT.model_copy(update=change))
        sft = train(tmp_path / name / "sft", sft_spec)
        rlvr_spec = spec(
            "rlvr", task=task, training=RLVR.model_copy(update=change), start=sft["model"]
        )
        rlvr = train(tmp_path / name / "rlvr", rlvr_spec)
        for result, stage in ((sft, "sft"), (rlvr, "rlvr")):
            folder = tmp_path / name / stage
            assert result["model"] == str(folder / "model")
            assert {"val/metric", "steps", "wall_s", "parameters"} <= result["metrics"].keys()
            assert steps_of(folder) == list(range(result["metrics"]["steps"]))
            assert json.loads((folder / "result.json").read_text()) == result
            assert not (folder / "resume").exists()
            card = (folder / "model" / "README.md").read_text()
            assert f"web world model ({stage})" in card
            assert not list((folder / "model").glob("adapter*"))
            paths.append(str(folder / "model"))
        start = AutoModelForCausalLM.from_pretrained(pretrained)
        trained = AutoModelForCausalLM.from_pretrained(sft["model"])
        moved = [
            n
            for (n, p), q in zip(start.named_parameters(), trained.parameters(), strict=True)
            if not torch.equal(p, q)
        ]
        assert ("model.embed_tokens.weight" in moved) == (lora is None)
        assert "model.layers.0.self_attn.q_proj.weight" in moved
    done = subprocess.run(
        [sys.executable, "-c", FRESH_PROCESS, *paths],
        env={"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines() == ["LlamaForCausalLM sdpa"] * 4


@pytest.mark.parametrize("lora", [None, LoraConfig(rank=2)], ids=["full", "lora"])
def test_the_same_specification_gives_the_same_weights(tmp_path, pretrained, lora):
    if lora is not None:
        pytest.importorskip("peft", reason="LoRA needs the extra 'lora'")
    run_spec = spec(path=pretrained, training=SFT.model_copy(update={"lora": lora}))
    torch.manual_seed(11)
    train(tmp_path / "a", run_spec)
    torch.manual_seed(22)
    train(tmp_path / "b", run_spec)
    assert weights_hash(tmp_path / "a") == weights_hash(tmp_path / "b")


def test_a_finished_run_is_reused_until_its_specification_or_data_change(tmp_path):
    first = train(tmp_path, spec())
    stamp = (tmp_path / "model" / "model.safetensors").stat().st_mtime_ns

    def is_reused():
        return (tmp_path / "model" / "model.safetensors").stat().st_mtime_ns == stamp

    assert train(tmp_path, spec()) == first
    assert train(tmp_path, spec(label="another name")) == first
    assert is_reused()
    again = train(tmp_path, spec(seed=4))
    assert again["fingerprint"] != first["fingerprint"]
    assert not is_reused()
    stamp = (tmp_path / "model" / "model.safetensors").stat().st_mtime_ns
    train(tmp_path, spec(seed=4), rows=11)
    assert not is_reused()


def test_without_resume_a_finished_run_is_trained_again(tmp_path):
    run_spec = spec(training=SFT.model_copy(update={"resume": False}))
    train(tmp_path, run_spec)
    first = weights_hash(tmp_path)
    stamp = (tmp_path / "model" / "model.safetensors").stat().st_mtime_ns
    train(tmp_path, run_spec)
    assert (tmp_path / "model" / "model.safetensors").stat().st_mtime_ns != stamp
    assert weights_hash(tmp_path) == first
    assert steps_of(tmp_path) == [0, 1, 2, 3]


def test_state_of_another_specification_is_not_resumed(tmp_path, monkeypatch):
    original = sft.accumulate_likelihood
    calls = iter(range(100))

    def failing(*args, **options):
        if next(calls) == 3:
            raise KeyboardInterrupt
        return original(*args, **options)

    monkeypatch.setattr(sft, "accumulate_likelihood", failing)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "cut", spec(seed=4))
    monkeypatch.undo()
    assert list((tmp_path / "cut" / "resume").iterdir())
    train(tmp_path / "cut", spec())
    train(tmp_path / "whole", spec())
    assert weights_hash(tmp_path / "cut") == weights_hash(tmp_path / "whole")


def kill_after_first_state(folder: Path) -> None:
    """Start the run as a process of its own and SIGKILL it once it has stored a state."""
    process = subprocess.Popen(
        [sys.executable, "-m", "worldtune.worker", str(folder)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 180
    while not list((folder / "resume").glob("step-*")):
        assert process.poll() is None, f"the run ended with {process.returncode} before the kill"
        assert time.monotonic() < deadline, "no resumable state was stored"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize("stage", ["sft", "rlvr"])
def test_a_killed_process_started_again_ends_like_an_uninterrupted_one(tmp_path, stage):
    start = None
    if stage == "rlvr":
        start = train(tmp_path / "start", spec())["model"]
    steps = {"sft": 60, "rlvr": 20}[stage]
    base = SFT if stage == "sft" else RLVR
    run_spec = spec(
        stage, training=base.model_copy(update={"steps": steps, "checkpoint_every": 2}), start=start
    )
    killed = prepare(tmp_path / "killed", run_spec)
    kill_after_first_state(killed)
    assert not (killed / "model").exists()
    done_before = len(steps_of(killed))
    assert 2 <= done_before < steps
    worker.run(killed)
    train(tmp_path / "whole", run_spec)
    assert weights_hash(killed) == weights_hash(tmp_path / "whole")
    assert steps_of(killed) == list(range(steps))


def test_rows_longer_than_the_context_name_the_key_to_lower(tmp_path):
    short = make_pretrained(tmp_path / "short", context=16)
    with pytest.raises(ValueError, match=r"context of 16: lower web\.ingest\.max_tokens"):
        train(tmp_path / "run", spec(path=short))
    assert not (tmp_path / "run" / "model").exists()


def test_a_source_without_training_rows_is_an_error_of_the_user(tmp_path):
    with pytest.raises(UserError, match=r"training split of web is empty.*\(web\.ingest\.source\)"):
        train(tmp_path / "run", spec(path=make_pretrained(tmp_path / "start")), rows=0)


def test_rows_beyond_the_budget_of_prompts_stop_the_run_or_are_left_out(tmp_path, caplog):
    tables = {"train": web_table(12), "val": web_table(4, 12)}
    tables["train"].loc[3, "observation"] += "".join(f"\n\t[{i}] note 'x'" for i in range(50, 90))
    short = SFT.model_copy(update={"max_prompt_tokens": 150})
    for name, long_rows in (("stopped", "error"), ("shorter", "drop")):
        training = short.model_copy(update={"long_rows": long_rows})
        worker.write_spec(tmp_path / name, spec(training=training), tables)
    with pytest.raises(
        ValueError, match=r"1 of 12 rows .* of 150 tokens .* web\.sft\.long_rows to 'drop'"
    ):
        worker.run(tmp_path / "stopped")
    result = worker.run(tmp_path / "shorter")
    assert result["metrics"]["train_rows"] == 11
    assert "web.sft.long_rows drops 1 of 12 train rows" in caplog.text


def test_an_empty_training_split_is_refused(tmp_path, pretrained):
    worker.write_spec(
        tmp_path, spec(path=pretrained), {"train": web_table(1).head(0), "val": web_table(2)}
    )
    with pytest.raises(ValueError, match="training split of web is empty"):
        worker.run(tmp_path)


def test_a_missing_model_is_named(tmp_path):
    with pytest.raises(ValueError, match="nowhere"):
        train(tmp_path / "run", spec(path=str(tmp_path / "nowhere")))

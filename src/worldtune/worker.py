"""A training process: a run folder in, a checkpoint and its metrics out. Knows no Kedro.

The folder holds everything that a run is made from (``spec.json`` and the data under ``inputs/``),
so that ``python -m worldtune.launch FOLDER`` repeats it anywhere. This is the one place where a
domain and the engine are put together for training. It may be one of several processes
(``launch``): all train, the main one writes the files of the run.

A finished run is reused, an interrupted one goes on, if its fingerprint (specification, data, start
weights, source code, versions) is the same; otherwise the folder starts afresh. The number of
processes, nodes and threads is no part of it: they change the order in which numbers are added and
nothing else, so that a run may go on with others, the same up to rounding.
"""

import argparse
import hashlib
import json
import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import SerializeAsAny, model_validator

from worldtune import __version__
from worldtune.config import (
    ComputeConfig,
    Config,
    LaunchConfig,
    ModelConfig,
    RlvrConfig,
    SftConfig,
    task_config,
)
from worldtune.domains import get_domain
from worldtune.engine.runtime.durable import replace_file
from worldtune.engine.runtime.lifetime import end_with_parent
from worldtune.engine.runtime.tracking import write_json
from worldtune.errors import UserError

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from worldtune.contracts import Domain, Row
    from worldtune.engine.model.policy import Policy
    from worldtune.engine.runtime.processes import Processes
    from worldtune.engine.task.text_task import Example, TextTask

logger = logging.getLogger(__name__)


class RunSpec(Config):
    """What a training run is made from, beside the data in its folder."""

    stage: Literal["sft", "rlvr"]
    domain: str
    task: SerializeAsAny[Config]
    seed: int
    compute: ComputeConfig
    launch: LaunchConfig = LaunchConfig()
    training: SftConfig | RlvrConfig
    model: ModelConfig | None = None
    """How to make the policy; None where ``start`` names a checkpoint."""
    start: str | None = None
    """Checkpoint folder that training starts from (and, for RLVR, is regularised towards)."""
    label: str = ""
    """Shown beside the progress; the stage if empty."""

    @model_validator(mode="after")
    def _check_shards(self) -> Self:
        if self.launch.fsdp and self.training.optimizer.kind == "muon":
            raise ValueError("launch.fsdp: Muon needs whole matrices; set optimizer.kind to adamw")
        if self.launch.fsdp and isinstance(self.training, RlvrConfig):
            if self.training.kl.sync_every:
                raise ValueError(
                    "launch.fsdp: the reference is not sharded; leave kl.sync_every out"
                )
        return self


def write_spec(folder: Path, spec: RunSpec, tables: dict[str, "pd.DataFrame"]) -> None:
    """Put a specification and its tables (train, val) into a run folder, each whole or not."""
    inputs = folder / "inputs"
    inputs.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        fresh = inputs / f".{name}.parquet.new"
        table.to_parquet(fresh, index=False, compression="zstd")
        os.replace(fresh, inputs / f"{name}.parquet")
    fresh = folder / ".spec.json.new"
    fresh.write_text(spec.model_dump_json(indent=2), encoding="utf-8")
    os.replace(fresh, folder / "spec.json")


def read_spec(folder: Path) -> RunSpec:
    """The specification of a run folder. Raises ValueError where it is not valid."""
    raw = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
    stage_class = SftConfig if raw["stage"] == "sft" else RlvrConfig
    typed = {
        "task": task_config(raw["domain"], raw["task"]),
        "training": stage_class.model_validate(raw["training"]),
    }
    return RunSpec.model_validate({**raw, **typed})


def _fingerprint(folder: Path, spec: RunSpec) -> str:
    """Hash of all that the result of a run depends on."""
    import torch  # noqa: PLC0415 - only training processes pay for torch
    import transformers  # noqa: PLC0415

    said = spec.model_dump(mode="json", exclude={"label", "compute", "launch"})
    said["mixed_precision"] = spec.launch.mixed_precision
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    sources = sorted(Path(__file__).parent.glob("engine/**/*.py"))
    sources += sorted(Path(__file__).parent.glob(f"domains/{spec.domain}/**/*.py"))
    files = sorted((folder / "inputs").glob("*.parquet")) + sources
    start = spec.start or (spec.model.pretrained.path if spec.model else "")
    if start:
        files += sorted(Path(start).glob("*.safetensors"))
    for file in files:
        digest.update(file.name.encode())
        digest.update(bytes.fromhex(_sha256(file)))
    digest.update(f"{__version__} {torch.__version__} {transformers.__version__}".encode())
    return digest.hexdigest()


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def run(folder: Path) -> dict[str, Any]:
    """Train as ``folder/spec.json`` says; returns {"model": path, "metrics": {...}}.

    Every process of a launch calls this, and all return the same model.

    Raises ValueError for settings and data that cannot be trained on, and where the processes are
    not those that the specification asks for.
    """
    from worldtune.engine.runtime.compute import configure  # noqa: PLC0415
    from worldtune.engine.runtime.processes import joined  # noqa: PLC0415

    spec = read_spec(folder)
    device = configure(spec.compute, processes=spec.launch.processes)
    with joined(spec.launch, device) as processes:
        fingerprint = _fingerprint(folder, spec)
        if len(set(processes.gather([fingerprint]))) > 1:
            raise UserError("the processes see different data, code or versions; make them equal")
        label = spec.label or spec.stage
        # The main process alone looks, so that all agree.
        is_looked_for = processes.is_main and spec.training.resume
        found = [_finished_result(folder, fingerprint)] if is_looked_for else []
        finished = next(iter(processes.gather(found)), None)
        if finished is not None:
            logger.info("%s: reusing the finished run in %s (same specification)", label, folder)
            return finished
        if processes.is_main:
            _prepare(folder, fingerprint, resume=spec.training.resume)
        processes.barrier()
        started = time.perf_counter()
        metrics = _train(folder, spec, label, processes, device)
        metrics["stage_s"] = time.perf_counter() - started
        result = {"model": str(folder / "model"), "metrics": metrics, "fingerprint": fingerprint}
        if processes.is_main:
            write_json(folder / "result.json", result)
            shutil.rmtree(folder / "resume", ignore_errors=True)
    return result


def _finished_result(folder: Path, fingerprint: str) -> dict[str, Any] | None:
    try:
        result: dict[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    is_same = result.get("fingerprint") == fingerprint
    return result if is_same and (folder / "model" / "config.json").exists() else None


def _prepare(folder: Path, fingerprint: str, *, resume: bool) -> None:
    """Clear what an earlier run of another specification left, and note whose folder this is."""
    marker = folder / "fingerprint"
    same = marker.exists() and marker.read_text(encoding="utf-8") == fingerprint
    (folder / "result.json").unlink(missing_ok=True)
    if resume and same:
        return
    shutil.rmtree(folder / "resume", ignore_errors=True)
    for log in ("metrics.jsonl", "timings.jsonl"):
        (folder / log).unlink(missing_ok=True)
    replace_file(marker, fingerprint.encode())


def _train(
    folder: Path, spec: RunSpec, label: str, processes: "Processes", device: "torch.device"
) -> dict[str, Any]:
    """Train, and save the checkpoint; returns what the run measured and what it was made from."""
    import pandas as pd  # noqa: PLC0415
    import torch  # noqa: PLC0415

    from worldtune.engine.model import huggingface  # noqa: PLC0415
    from worldtune.engine.model.sharding import gather_weights  # noqa: PLC0415
    from worldtune.engine.task.text_task import TextTask  # noqa: PLC0415

    torch.manual_seed(spec.seed)  # fresh adapters draw from the global generator
    domain = get_domain(spec.domain, spec.task)
    tables = {
        name: pd.read_parquet(folder / "inputs" / f"{name}.parquet").to_dict("records")
        for name in ("train", "val")
    }
    model, tokenizer = _make_model(spec, domain, tables["train"])
    task = TextTask(domain, tokenizer)
    train, validation = _encode(task, tables, spec, context=model.config.max_position_embeddings)
    if spec.training.lora:
        model = huggingface.add_lora(model, spec.training.lora)
    model = model.to(device)
    processes.copy_from_main(model.parameters())
    learn = _learner(spec, model, processes, device)
    metrics = learn(
        task,
        train,
        validation,
        spec.training,
        processes=processes,
        seed=spec.seed,
        folder=folder,
        label=label,
    )
    if spec.launch.fsdp:
        gather_weights(model)
    if not processes.is_main:
        return metrics
    plain = huggingface.merged(model)
    facts = {
        **metrics,
        "parameters": sum(p.numel() for p in plain.parameters()),
        "vocabulary": len(tokenizer),
        "train_rows": len(train),
        "val_rows": len(validation),
        "train_sha256": _sha256(folder / "inputs" / "train.parquet"),
    }
    card = huggingface.model_card(spec.model_dump(mode="json"), facts)
    huggingface.save_checkpoint(folder / "model", plain, tokenizer, card=card)
    return facts


def _learner(
    spec: RunSpec, model: Any, processes: "Processes", device: "torch.device"
) -> Callable[..., dict[str, Any]]:
    """The training function of the stage, bound to the policies that it needs."""
    from worldtune.engine.learn.grpo import train_grpo  # noqa: PLC0415
    from worldtune.engine.learn.sft import train_sft  # noqa: PLC0415
    from worldtune.engine.model.sharding import Shards  # noqa: PLC0415

    policy = _policy(model, spec, gradient_checkpointing=spec.training.gradient_checkpointing)
    if spec.launch.fsdp:
        policy = replace(policy, shards=Shards(model, processes))
    if isinstance(spec.training, SftConfig):
        return partial(train_sft, policy)
    return partial(train_grpo, policy, _reference(spec, device))


def _policy(model: Any, spec: RunSpec, *, gradient_checkpointing: bool = False) -> "Policy":
    import torch  # noqa: PLC0415

    from worldtune.engine.model.policy import as_policy  # noqa: PLC0415

    return as_policy(
        model,
        path="interface" if spec.launch.fsdp else "auto",  # shards are gathered module by module
        gradient_checkpointing=gradient_checkpointing,
        autocast=torch.bfloat16 if spec.launch.mixed_precision == "bf16" else None,
    )


def _make_model(spec: RunSpec, domain: "Domain", train: list["Row"]) -> tuple[Any, Any]:
    """The policy before training and its tokenizer."""
    from worldtune.engine.model import huggingface  # noqa: PLC0415
    from worldtune.engine.task.tokenizer import train_tokenizer  # noqa: PLC0415

    if spec.start is not None:
        return huggingface.load_model(spec.start), huggingface.load_tokenizer(spec.start)
    assert spec.model is not None, "a run has either a model configuration or a start checkpoint"
    if spec.model.init == "pretrained":
        return huggingface.load_pretrained(spec.model.pretrained)
    texts = (
        f"{huggingface.plain_text(domain.prompt(row))}{domain.completion(row)}" for row in train
    )
    scratch = spec.model.scratch
    tokenizer = train_tokenizer(texts, pattern=domain.token_pattern, vocab_size=scratch.vocab_size)
    return huggingface.build_scratch(scratch, tokenizer, seed=spec.seed), tokenizer


def _encode(
    task: "TextTask", tables: dict[str, list["Row"]], spec: RunSpec, *, context: int
) -> tuple[list["Example"], list["Example"]]:
    """Rows as token ids, without those that are too long where the run goes without them."""
    from worldtune.engine.task.text_task import Budget, check_context, within  # noqa: PLC0415

    limit = Budget(context, spec.training.max_prompt_tokens)
    section = f"{spec.domain}.{spec.stage}"
    splits = []
    for name in ("train", "val"):
        examples = task.encode(tables[name])
        if spec.training.long_rows == "drop":
            fitting = within(examples, limit)
            if len(fitting) < len(examples):
                dropped = len(examples) - len(fitting)
                logger.warning(
                    "%s.long_rows drops %d of %d %s rows", section, dropped, len(examples), name
                )
            examples = fitting
        check_context(examples, limit, key=f"{spec.domain}.ingest.max_tokens", section=section)
        splits.append(examples)
    train, validation = splits
    if not train:
        raise UserError(
            f"the training split of {spec.domain} is empty: nothing to learn from. Ingest a source "
            f"with training rows ({spec.domain}.ingest.source)"
        )
    return train, validation


def _reference(spec: RunSpec, device: "torch.device") -> "Policy | None":
    """The frozen start of RLVR, which KL is measured against; None where nobody measures it."""
    from worldtune.engine.model import huggingface  # noqa: PLC0415

    assert isinstance(spec.training, RlvrConfig), "only RLVR has a reference"
    assert spec.start is not None, "RLVR starts from a checkpoint"
    if not (spec.training.kl.coefficient or spec.training.kl.measure_every):
        return None
    reference: Any = huggingface.load_model(spec.start)
    return _policy(reference.to(device).eval().requires_grad_(False), spec)


def show_log(level: int) -> None:
    """Show what is logged on the console, with the time of day."""
    logging.basicConfig(level=level, format="%(asctime)s  %(message)s", datefmt="%H:%M:%S")


def _run_as_one_of_many(folder: Path) -> dict[str, Any]:
    """Run below torch.distributed.run: end with it, and note an error where it looks for one."""
    end_with_parent(signal.SIGKILL)
    from torch.distributed.elastic.multiprocessing.errors import record  # noqa: PLC0415

    try:
        result = record(run)(folder)
    except Exception:
        if "TORCHELASTIC_ERROR_FILE" in os.environ:
            sys.exit(1)  # noted; the launcher shows the first process that failed, once
        raise
    assert result is not None, "record returns what it wraps returns"
    return result


def main() -> None:
    """Command line of one process: train the run folder that is named."""
    parser = argparse.ArgumentParser(description="Train a worldtune run folder.")
    parser.add_argument("folder", type=Path, help="holds spec.json and inputs/")
    folder = parser.parse_args().folder
    rank = int(os.environ.get("RANK", "0"))
    show_log(logging.INFO if rank == 0 else logging.WARNING)
    result = run(folder) if "RANK" not in os.environ else _run_as_one_of_many(folder)
    logger.info("checkpoint: %s", result["model"])


if __name__ == "__main__":
    main()

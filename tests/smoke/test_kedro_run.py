"""`kedro run --env=test --pipeline=rlvr_<domain>` in a process of its own, as a user types it."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.processes import run_kedro
from tests.smoke.runs import FinishedRun, run_chain

pytestmark = pytest.mark.slow

MODELS = ("copy", "sft", "rlvr")
SPLITS = ("test_iid", "test_unseen")
GROUPS = {"web": "site", "text_game": "game"}


def read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def training_of(run: FinishedRun, stage: str) -> tuple[bytes, str]:
    """The metrics of every step, to the byte, and the hash of the weights."""
    folder = run.folder("06_models") / stage
    weights = (folder / "model/model.safetensors").read_bytes()
    return (folder / "metrics.jsonl").read_bytes(), hashlib.sha256(weights).hexdigest()


def test_the_tiny_chain_stays_under_a_minute(chain: FinishedRun) -> None:
    assert chain.cpu_s < 60  # processor time, so that a busy machine does not fail the test


def test_the_output_is_readable_and_free_of_warnings(chain: FinishedRun) -> None:
    output = chain.result.stdout + chain.result.stderr
    assert "deprecat" not in output.lower()
    assert "Warning" not in output
    assert "Traceback" not in output
    assert "report.html" in output


def test_the_evaluation_follows_its_schema(chain: FinishedRun) -> None:
    evaluation = read_json(chain.folder("08_reporting") / "evaluation.json")
    assert evaluation["domain"] == chain.domain
    assert evaluation["primary_metric"] == "f1"
    assert evaluation["higher_is_better"] is True
    assert evaluation["seed"] == 0
    assert set(evaluation["splits"]) == set(SPLITS)
    for split in evaluation["splits"].values():
        assert split["n"] > 0
        assert set(split["models"]) == set(MODELS)
        for metrics in split["models"].values():
            for name in ("precision", "recall", "f1", "exact"):
                low, high = metrics[name]["ci95"]
                assert 0 <= low <= metrics[name]["mean"] <= high <= 1
        gain = split["gain"]["rlvr_minus_sft"]
        assert gain["ci95"][0] <= gain["mean"] <= gain["ci95"][1]
        sizes = [group["n"] for group in split["groups"].values()]
        assert len(sizes) > 1 and sum(sizes) == split["n"]
        for model, by_truth in split["confusion"].items():
            counts = [count for said in by_truth.values() for count in said.values()]
            assert model in MODELS and sum(counts) == split["n"]
    assert evaluation["group_name"] == GROUPS[chain.domain]
    assert {"ingest", "sft", "rlvr"} <= set(evaluation["wall_s"])
    assert all(seconds > 0 for seconds in evaluation["wall_s"].values())


def test_every_file_of_the_catalog_is_written(chain: FinishedRun) -> None:
    for name in (
        f"03_primary/{chain.domain}/transitions.parquet",
        f"03_primary/{chain.domain}/quarantine.parquet",
        *(f"05_model_input/{chain.domain}/{split}.parquet" for split in ("train", "val", *SPLITS)),
        *(f"06_models/{chain.domain}/{stage}/model/config.json" for stage in ("sft", "rlvr")),
        *(f"06_models/{chain.domain}/{stage}/model/README.md" for stage in ("sft", "rlvr")),
        f"07_model_output/{chain.domain}/predictions.parquet",
        f"08_reporting/{chain.domain}/ingest.json",
        f"08_reporting/{chain.domain}/validation.html",
        f"08_reporting/{chain.domain}/sft.json",
        f"08_reporting/{chain.domain}/rlvr.json",
        f"08_reporting/{chain.domain}/report.html",
        f"08_reporting/{chain.domain}/manifest.json",
    ):
        assert (chain.root / name).stat().st_size > 0, name


@pytest.mark.parametrize("page", ["report.html", "validation.html"])
def test_the_pages_need_no_network(chain: FinishedRun, page: str) -> None:
    text = (chain.folder("08_reporting") / page).read_text(encoding="utf-8")
    for loader in (
        'src="http',
        "src='http",
        '<link rel="stylesheet" href="http',
        "@import",
        "url(http",
    ):
        assert loader not in text


def test_the_checkpoints_open_in_a_fresh_process(chain: FinishedRun) -> None:
    program = (
        "import sys\n"
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n"
        "model = AutoModelForCausalLM.from_pretrained(sys.argv[1])\n"
        "tokens = AutoTokenizer.from_pretrained(sys.argv[1])('click [6]', return_tensors='pt')\n"
        "print(model(tokens['input_ids']).logits.shape)\n"
        "assert 'worldtune' not in sys.modules"
    )
    for stage in ("sft", "rlvr"):
        folder = chain.folder("06_models") / stage / "model"
        subprocess.run([sys.executable, "-c", program, str(folder)], check=True, timeout=120)


def test_the_same_seed_gives_the_same_numbers_and_weights(
    chain: FinishedRun, tmp_path: Path
) -> None:
    again = run_chain(tmp_path, domain=chain.domain)
    for stage in ("sft", "rlvr"):
        assert training_of(again, stage) == training_of(chain, stage)
    results = [read_json(r.folder("08_reporting") / "evaluation.json") for r in (chain, again)]
    for result in results:
        result.pop("wall_s")
    assert results[0] == results[1]
    tables = [r.folder("07_model_output") / "predictions.parquet" for r in (chain, again)]
    assert tables[0].read_bytes() == tables[1].read_bytes()


def test_one_stage_runs_alone_and_a_finished_one_is_not_trained_again(
    chain: FinishedRun,
) -> None:
    before = training_of(chain, "rlvr")
    log = chain.folder("06_models") / "rlvr/metrics.jsonl"
    written_ns = log.stat().st_mtime_ns
    result = run_kedro(
        "run", "--env=test", f"--pipelines=rlvr_{chain.domain}", "--tags=rlvr", data_root=chain.root
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert "train_sft" not in result.stdout
    assert log.stat().st_mtime_ns == written_ns
    assert training_of(chain, "rlvr") == before

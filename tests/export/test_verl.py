"""verl's own dataset and reward classes on an export, in an environment of their own.

WORLDTUNE_VERL_PYTHON names its interpreter; ``make test-verl`` makes one and runs this.
"""

import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.export.exported import SIZES, answers, export_web, tiny_tokenizer, web_domain
from tests.processes import PROJECT
from tests.web_rows import web_row
from worldtune.engine.task.text_task import TextTask

PYTHON = os.environ.get("WORLDTUNE_VERL_PYTHON", "")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not PYTHON,
        reason="WORLDTUNE_VERL_PYTHON names no interpreter with verl: make test-verl makes one",
    ),
]


def verl_reads(out: Path, layout: str) -> dict[str, Any]:
    """What verl's classes make of an export, under the settings of its README's command."""
    model = out / "model"
    tiny_tokenizer(layout).save_pretrained(model)
    if layout == "compact":
        (model / "chat_template.jinja").write_text((out / "chat_template.jinja").read_text())
    block = re.search(r"```sh\n(.*?)```", (out / "README.md").read_text(), re.DOTALL)
    assert block is not None
    line = block[1].replace("\\\n", " ").replace("MAX_PROMPT", "1024").replace("$PWD", str(out))
    words = shlex.split(line.replace("MODEL", str(model)))
    assert words[:3] == ["python", "-m", "verl.trainer.main_ppo"]
    (out / "command.json").write_text(json.dumps(words[3:]))
    domain = web_domain(layout)
    texts = [answers(domain, number) for number in range(SIZES["train"])]
    (out / "answers.json").write_text(json.dumps(texts))
    files = [out, model, out / "command.json", out / "answers.json"]
    done = subprocess.run(
        [PYTHON, str(Path(__file__).with_name("verl_reads.py")), *map(str, files)],
        env={
            **os.environ,
            "PYTHONPATH": str(PROJECT / "src"),
            "HF_HUB_OFFLINE": "1",
            "HF_HOME": str(out / "cache"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, Any] = json.loads((out / "found.json").read_text())
    return found


@pytest.mark.parametrize("layout", ["compact", "zero_shot"])
def test_verl_reads_the_export_and_pays_its_rewards(tmp_path: Path, layout: str) -> None:
    found = verl_reads(export_web(tmp_path, "verl", layout), layout)
    domain, rows = web_domain(layout), [web_row(number) for number in range(SIZES["train"])]
    assert found["version"].startswith("0.9.")
    assert found["dataset"] == "RLHFDataset"
    assert (found["rows"], found["kept"]) == (SIZES["train"], SIZES["val"])
    assert found["index"] == list(range(SIZES["train"]))
    assert found["ground_truth"] == [domain.completion(row) for row in rows]
    ours = TextTask(domain, tiny_tokenizer(layout)).encode(rows)
    assert found["prompts"] == [list(example.prompt) for example in ours]
    expected = [
        [domain.score(row, text).total for text in answers(domain, number)]
        for number, row in enumerate(rows)
    ]
    assert found["rewards"] == expected
    assert {1.0, 0.0} < {value for row in expected for value in row}
    assert {"score", "reward/precision", "reward/errors"} <= set(found["logged"])

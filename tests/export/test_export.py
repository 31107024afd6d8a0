import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from tests.engine.tiny import word_tokenizer
from tests.export.exported import SIZES, answers, export_web, load_file, web_domain
from tests.processes import kedro_environment
from tests.web_rows import web_row, web_table
from worldtune.config import RlvrConfig, WebTaskConfig
from worldtune.export.write import ExportError, find_tables, write_export

LAYOUTS = pytest.mark.parametrize("layout", ["compact", "zero_shot"])
MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))


def rewards_of(out: Path, to: str, number: int, texts: list[str]) -> list[float]:
    """Rewards by the exported file, called as the trainer calls it."""
    record = pq.read_table(out / "train.parquet").to_pylist()[number]
    module = load_file(out / "reward.py")
    if to == "trl":
        return module.web_reward(
            prompts=[record["prompt"]] * len(texts),
            completions=texts,
            completion_ids=[[1]] * len(texts),
            row=[record["row"]] * len(texts),
            trainer_state=None,
        )
    return [
        module.compute_score(
            data_source=record["data_source"],
            solution_str=text,
            ground_truth=record["reward_model"]["ground_truth"],
            extra_info=record["extra_info"] | {"num_turns": 2},
        )["score"]
        for text in texts
    ]


@LAYOUTS
def test_trl_reads_the_prompt_as_it_is_and_the_row_as_json(tmp_path: Path, layout: str) -> None:
    out = export_web(tmp_path, "trl", layout)
    table = pq.read_table(out / "train.parquet")
    prompt = pa.string() if layout == "compact" else MESSAGES
    assert table.schema.equals(pa.schema([("prompt", prompt), ("row", pa.string())]))
    assert len(table) == SIZES["train"]
    for number, record in enumerate(table.to_pylist()):
        row = web_row(number)
        expected = web_domain(layout).prompt(row)
        if layout == "zero_shot":
            expected = [{"role": m.role, "content": m.content} for m in expected]
        assert record["prompt"] == expected
        assert json.loads(record["row"]) == row


@LAYOUTS
def test_verl_reads_messages_a_ground_truth_and_the_row(tmp_path: Path, layout: str) -> None:
    out = export_web(tmp_path, "verl", layout)
    table = pq.read_table(out / "val.parquet")
    assert table.schema.names == ["data_source", "prompt", "ability", "reward_model", "extra_info"]
    assert table.schema.field("prompt").type == MESSAGES
    assert len(table) == SIZES["val"]
    for index, record in enumerate(table.to_pylist()):
        row, domain = web_row(10 + index), web_domain(layout)
        expected = domain.prompt(row)
        contents = [expected] if isinstance(expected, str) else [m.content for m in expected]
        assert record["data_source"] == "worldtune/web"
        assert [m["content"] for m in record["prompt"]] == contents
        assert {m["role"] for m in record["prompt"]} == {"user"}
        assert record["reward_model"] == {"style": "rule", "ground_truth": domain.completion(row)}
        assert record["extra_info"]["split"] == "val" and record["extra_info"]["index"] == index
        assert json.loads(record["extra_info"]["row"]) == row


@LAYOUTS
@pytest.mark.parametrize("to", ["trl", "verl"])
def test_the_exported_reward_is_the_score_of_the_domain(
    tmp_path: Path, layout: str, to: str
) -> None:
    out = export_web(tmp_path, to, layout)
    domain = web_domain(layout)
    seen = set()
    for number in range(SIZES["train"]):
        texts = answers(domain, number)
        expected = [domain.score(web_row(number), text).total for text in texts]
        assert rewards_of(out, to, number, texts) == expected
        seen |= set(expected)
    assert {0.0, 1.0} <= seen and len(seen) > 2


def test_trl_hands_over_the_last_message_of_a_chat(tmp_path: Path) -> None:
    out = export_web(tmp_path, "trl", "zero_shot")
    right = web_domain("zero_shot").completion(web_row(0))
    chats = [[{"role": "assistant", "content": text}] for text in (right, "?")]
    assert rewards_of(out, "trl", 0, chats) == [1.0, 0.0]


def test_trl_gets_the_parts_of_the_score_for_its_log(tmp_path: Path) -> None:
    out = export_web(tmp_path, "trl")
    record = pq.read_table(out / "train.parquet").to_pylist()[0]
    right = web_domain().completion(web_row(0))
    logged: dict[str, float] = {}
    load_file(out / "reward.py").web_reward(
        completions=[right, "?"], row=[record["row"]] * 2, log_metric=logged.__setitem__
    )
    assert logged == {
        "reward/precision": 0.5,
        "reward/recall": 0.5,
        "reward/format": 0.5,
        "reward/errors": 0.0,
        "reward/timeouts": 0.0,
        "parse_failure_rate": 0.5,
    }


def test_weights_functions_floor_and_limit_travel_with_the_reward(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_rewards.py").write_text(
        "def short(row, completion):\n"
        "    if completion == 'hang':\n"
        "        while True: pass\n"
        "    return 1.0 / len(completion)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    out = export_web(
        tmp_path,
        "verl",
        weights={"recall": 0.5},
        functions={"own_rewards:short": 2.0},
        time_limit_s=0.3,
        floor=-1.0,
    )
    right = web_domain().completion(web_row(0))
    expected = [0.5 + 2.0 / len(right), -1.0, -1.0]
    assert rewards_of(out, "verl", 0, [right, "", "hang"]) == expected
    module = load_file(out / "reward.py")
    record = pq.read_table(out / "train.parquet").to_pylist()[0]
    good, bad = (module.compute_score("", text, "", record["extra_info"]) for text in (right, ""))
    assert good.keys() == bad.keys()  # verl stacks them
    assert good["reward/own_rewards.short"] == 1.0 / len(right)
    assert bad["reward/errors"] == 1.0


def test_a_weight_of_an_unknown_part_stops_the_export(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"web\.rlvr\.reward\.weights.*'rouge'.*precision"):
        export_web(tmp_path, "trl", weights={"rouge": 1.0})
    assert not (tmp_path / "web_trl").exists()


@pytest.mark.parametrize("to", ["trl", "verl"])
def test_the_reward_file_needs_no_torch(tmp_path: Path, to: str) -> None:
    out = export_web(tmp_path, to)
    heavy = ("torch", "transformers", "pandas", "kedro", "pyarrow")
    code = f"import sys, reward; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=out, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


MENDED = """
import json, sys
from worldtune.domains.text_game.checks import complete_row
from worldtune.domains.text_game.games import get_game
from worldtune.domains.text_game.games.rows import rows
from worldtune.export.reward import load_reward

raw = next(iter(rows(get_game("kettle"), 0, split="train", branches=0, random_steps=0)))
row = complete_row(raw, number=0, max_tokens=4096)
scored = load_reward("text_game", task={}, reward={})(
    json.dumps(row), '{"modified": [], "removed": [] "score": {}}'
)
print([m for m in ("pydantic", "json_repair", "pandas") if m in sys.modules])
print(scored.parts["format"], scored.error)
"""


def test_the_packages_that_a_reward_of_text_games_imports_are_named(tmp_path: Path) -> None:
    run = subprocess.run([sys.executable, "-c", MENDED], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == ["['pydantic', 'json_repair']", "1.0 None"]
    out = export_web(tmp_path, "trl")
    assert "`pip install pydantic json-repair`" in (out / "README.md").read_text()


@pytest.mark.parametrize(
    ("to", "layout", "expected"),
    [
        ("trl", "compact", None),
        ("trl", "zero_shot", "Question.\n\nPage.\n\n"),
        ("verl", "compact", "Question.Page."),
        ("verl", "zero_shot", "Question.\n\nPage.\n\n"),
    ],
)
def test_the_chat_template_writes_what_worldtune_writes_without_one(
    tmp_path: Path, to: str, layout: str, expected: str | None
) -> None:
    file = export_web(tmp_path, to, layout) / "chat_template.jinja"
    assert file.exists() == (expected is not None)
    if expected is not None:
        tokenizer = word_tokenizer()
        tokenizer.chat_template = file.read_text()
        turns = [{"role": "system", "content": "Question."}, {"role": "user", "content": "Page."}]
        text = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        assert text == expected


@pytest.mark.parametrize("to", ["trl", "verl"])
def test_the_readme_names_the_splits_and_the_settings(tmp_path: Path, to: str) -> None:
    text = (export_web(tmp_path, to) / "README.md").read_text()
    head = yaml.safe_load(text.split("---")[1])
    (config,) = head["configs"]
    assert config["data_files"] == [
        {"split": "train", "path": "train.parquet"},
        {"split": "val", "path": "val.parquet"},
    ]
    settings = {
        "trl": ["--num_generations 4", "--max_completion_length 40", "reward.web_reward"],
        "verl": ["rollout.n=4", "max_response_length=40", "custom_reward_function.path=$PWD"],
    }
    assert all(setting in text for setting in settings[to])
    assert "train has 10 rows, val has 4 rows" in text
    assert "{" not in text and max(map(len, text.splitlines())) <= 100


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = export_web(tmp_path / "a", "verl"), export_web(tmp_path / "b", "verl")
    names = sorted(path.name for path in first.iterdir())
    assert names == [
        "README.md",
        "chat_template.jinja",
        "reward.py",
        "train.parquet",
        "val.parquet",
    ]
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_an_empty_split_keeps_its_columns_and_empty_tables_are_an_error(tmp_path: Path) -> None:
    empty, full = tmp_path / "val.parquet", tmp_path / "train.parquet"
    web_table(2).to_parquet(full)
    web_table(2).head(0).to_parquet(empty)
    options = {"domain": "web", "task": WebTaskConfig(), "rlvr": RlvrConfig(), "to": "trl"}
    write_export({"val": empty, "train": full}, tmp_path / "out", **options)
    assert pq.read_table(tmp_path / "out" / "val.parquet").schema.names == ["prompt", "row"]
    with pytest.raises(ExportError, match=r"no rows to export: .*val\.parquet"):
        write_export({"val": empty}, tmp_path / "out", **options)


def test_missing_tables_and_splits_are_named(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"no tables of web.*kedro run --pipelines=ingest_web"):
        find_tables(tmp_path, [], domain="web")
    web_table(1).to_parquet(tmp_path / "train.parquet")
    web_table(1).to_parquet(tmp_path / "val.parquet")
    assert list(find_tables(tmp_path, [], domain="web")) == ["train", "val"]
    assert list(find_tables(tmp_path, ["val"], domain="web")) == ["val"]
    with pytest.raises(ExportError, match=r"--split test: .*Splits: train, val"):
        find_tables(tmp_path, ["test"], domain="web")


@pytest.mark.slow
def test_the_command_exports_what_ingestion_left(project: Path, tmp_path: Path) -> None:
    tables = tmp_path / "data" / "05_model_input" / "web"
    command = [sys.executable, "-m", "worldtune", "export", "--domain=web", "--to=trl"]

    def run(*options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, "--env=test", *options],
            cwd=project,
            env=kedro_environment(tmp_path / "data"),
            capture_output=True,
            text=True,
            check=False,
        )

    missing = run()
    assert missing.returncode == 1
    assert "kedro run --pipelines=ingest_web" in missing.stderr
    assert "Traceback" not in missing.stderr
    tables.mkdir(parents=True)
    web_table(3).to_parquet(tables / "train.parquet")
    done = run()
    assert done.returncode == 0, done.stderr
    out = tables.with_name("web_trl")
    assert done.stdout.split() == [
        str(out / name) for name in ("reward.py", "README.md", "train.parquet")
    ]
    text = (out / "README.md").read_text()
    assert "--max_completion_length 16" in text  # conf/test

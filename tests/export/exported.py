"""An export of a few web rows, and what its files hold, for the tests of this folder."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from transformers import PreTrainedTokenizerFast

from tests.web_rows import web_row, web_table
from worldtune.config import RlvrConfig, WebTaskConfig
from worldtune.contracts import Domain
from worldtune.domains import get_domain
from worldtune.engine.model.huggingface import plain_text
from worldtune.engine.task.tokenizer import train_tokenizer
from worldtune.export.write import write_export

SIZES = {"train": 10, "val": 4}


CHATML = (
    "{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)


def export_web(folder: Path, to: str, layout: str = "compact", **reward: Any) -> Path:
    """Export ten training and four validation rows; returns the folder."""
    tables = {}
    for split, first in (("train", 0), ("val", 10)):
        tables[split] = folder / f"{split}.parquet"
        web_table(SIZES[split], first).to_parquet(tables[split])
    task = WebTaskConfig(layout=layout)
    config = RlvrConfig(
        reward=reward, group_size=4, max_new_tokens=40, batch_prompts=2, update_prompts=2
    )
    out = folder / f"web_{to}"
    write_export(tables, out, domain="web", task=task, rlvr=config, to=to)
    return out


def load_file(path: Path) -> ModuleType:
    """A Python file as a module, as trainers load it."""
    spec = importlib.util.spec_from_file_location(f"exported_{path.parent.name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def web_domain(layout: str = "compact") -> Domain:
    return get_domain("web", WebTaskConfig(layout=layout))


def answers(domain: Domain, number: int) -> Sequence[str]:
    """A right answer to a row, one with an item too many, and an unreadable one."""
    row = web_row(number)
    more = {**row, "updated_items": [*row["updated_items"], "[4] button 'Basket'"]}
    return domain.completion(row), domain.completion(more), "nothing to read"


def tiny_tokenizer(layout: str) -> PreTrainedTokenizerFast:
    """A tokenizer of web rows; with a chat template for the layout of chat prompts."""
    domain = web_domain(layout)
    rows = [web_row(number) for number in range(20)]
    texts = [plain_text(domain.prompt(row)) + domain.completion(row) for row in rows]
    tokenizer = train_tokenizer(texts, pattern=domain.token_pattern, vocab_size=400)
    if layout == "zero_shot":
        tokenizer.chat_template = CHATML
    return tokenizer

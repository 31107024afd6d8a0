"""Training rows of the web domain, the right answer to each prompt, and a distillation of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from tests.distill.fake_teacher import Asked, Said
from tests.web_rows import web_table
from worldtune.config import DistillConfig, WebTaskConfig
from worldtune.distill.run import Distilled, distill
from worldtune.domains import get_domain

TASK = WebTaskConfig(layout="zero_shot")
DOMAIN = get_domain("web", TASK)
WRONG = "New items:\n[999] button 'Wrong'\n\nDeleted items:\nNone\n\nUpdated items:\nNone"
REASONING = "The button adds the shirt to the basket."


def train_table(count: int) -> pd.DataFrame:
    return web_table(count).assign(split="train")


def right_answers(count: int) -> dict[str, str]:
    """The true answer to the prompt of every row."""
    rows = train_table(count).to_dict("records")
    answers = {DOMAIN.prompt(row)[0].content: DOMAIN.completion(row) for row in rows}
    assert len(answers) == count, "two rows ask the same"
    return answers


def know_all(count: int) -> Callable[[Asked], Said]:
    """A teacher that answers every row rightly."""
    answers = right_answers(count)
    return lambda asked: Said(answers[asked.prompt], REASONING)


def settings(url: str, **stated: Any) -> DistillConfig:
    return DistillConfig(**{"base_url": url, "model": "oracle-7b", "samples": 1, **stated})


def learn(folder: Path, config: DistillConfig, *, rows: int = 6) -> Distilled:
    return distill(train_table(rows), folder, domain="web", task=TASK, config=config)

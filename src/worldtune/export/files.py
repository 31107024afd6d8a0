"""The text of the files beside an exported table: reward function, chat template, README."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pprint import pformat
from typing import Any

from worldtune import __version__
from worldtune.config import RlvrConfig


@dataclass(frozen=True)
class Facts:
    """What the files say about an export.

    Attributes:
        domain: its name.
        task: the parameters ``<domain>.task``, as plain values.
        rlvr: how the domain is trained here; the commands take sizes and sampling from it.
        parts: names of the parts of its score.
        rows: number of rows by split.
        is_chat: whether its prompts are messages.
        longest_prompt: characters of the longest prompt.
    """

    domain: str
    task: Mapping[str, Any]
    rlvr: RlvrConfig
    parts: Sequence[str]
    rows: Mapping[str, int]
    is_chat: bool
    longest_prompt: int


_REWARD = '''\
"""The reward of worldtune's {domain} domain for {trainer}.

Written by `worldtune export --domain {domain} --to {to}`. Needs worldtune, pydantic and
json-repair, not torch.
"""

from worldtune.export.reward import load_reward

LOGGED = {logged}
SCORE = load_reward(
    "{domain}",
    task={task},
    reward={reward},
)
'''

_TRL_FUNCTION = '''

def {domain}_reward(completions, row, log_metric=None, **columns):
    """One reward per completion; TRL passes the columns of the table by their names."""
    texts = [c if isinstance(c, str) else c[-1]["content"] for c in completions]
    scores = [SCORE(*pair) for pair in zip(row, texts, strict=True)]
    if log_metric is not None:
        for name in LOGGED:
            log_metric(name, sum(score.metrics.get(name, 0.0) for score in scores) / len(scores))
    return [score.total for score in scores]
'''

_VERL_FUNCTION = '''

def compute_score(data_source, solution_str, ground_truth, extra_info=None, **unused):
    """The reward as "score", and beside it what verl logs."""
    scored = SCORE(extra_info["row"], solution_str)
    return {{"score": scored.total}} | {{name: scored.metrics.get(name, 0.0) for name in LOGGED}}
'''

_README = """\
---
configs:
- config_name: default
  data_files:
{splits}
---

# {domain} for {trainer}

Written by worldtune {version}: `worldtune export --domain {domain} --to {to}`.

- `SPLIT.parquet`: {columns}.
  {counts}.
- `reward.py`: the reward with the parameters `{domain}.task` and `{domain}.rlvr.reward` as they
  were then. It runs the code that worldtune trains with, so worldtune must be importable:
  `pip install --no-deps worldtune`, then `pip install pydantic json-repair`.
{prompts}
{command}
A completion whose scoring fails or takes longer than {limit:g} s earns {floor:g}. Length is the
business of the trainer: `{domain}.rlvr.overlong` is not part of this reward.
"""

_TRL_COMMAND = """
In this folder, with TRL 1.16:

```sh
trl grpo --model_name_or_path MODEL --dataset_name $PWD --output_dir out \\
  --reward_funcs reward.{domain}_reward \\
  --num_generations {group} --per_device_train_batch_size {group} \\
  --gradient_accumulation_steps {prompts} \\
  --max_completion_length {new_tokens} --temperature {temperature:g}
```
"""

_VERL_COMMAND = """
In this folder, with verl 0.9; MAX_PROMPT counts tokens (the longest prompt: {longest} characters):

```sh
python -m verl.trainer.main_ppo algorithm.adv_estimator=grpo \\
  data.train_files=$PWD/{train}.parquet data.val_files=$PWD/{val}.parquet \\
  data.train_batch_size={prompts} data.max_response_length={new_tokens} \\
  data.max_prompt_length=MAX_PROMPT \\
  actor_rollout_ref.model.path=MODEL actor_rollout_ref.actor.ppo_mini_batch_size={mini} \\
  actor_rollout_ref.rollout.name=vllm actor_rollout_ref.rollout.n={group} \\
  actor_rollout_ref.rollout.temperature={temperature:g} \\
  reward.custom_reward_function.path=$PWD/reward.py \\
  reward.custom_reward_function.name=compute_score
```
"""

_PASS_THROUGH = "{%- for message in messages %}{{ message['content'] }}{%- endfor %}"
_PLAIN_TURNS = "{%- for message in messages %}{{ message['content'] + '\\n\\n' }}{%- endfor %}"


def chat_template(facts: Facts, to: str) -> str | None:
    """A template that writes messages as the text that worldtune gives a model without one.

    None where nothing needs a template: TRL takes plain text as it is.
    """
    if facts.is_chat:
        return _PLAIN_TURNS
    return _PASS_THROUGH if to == "verl" else None


def reward_file(facts: Facts, to: str) -> str:
    """The Python file with the reward function of a trainer."""
    parts = tuple(f"reward/{part}" for part in facts.parts)
    text = _REWARD + (_TRL_FUNCTION if to == "trl" else _VERL_FUNCTION)
    return text.format(
        domain=facts.domain,
        trainer=_NAMES[to],
        to=to,
        task=_literal(facts.task),
        reward=_literal(facts.rlvr.reward.model_dump(mode="json")),
        logged=_literal((*parts, "reward/errors", "reward/timeouts", "parse_failure_rate")),
    )


def _literal(value: Any) -> str:
    return pformat(value, width=88, sort_dicts=False)


def readme(facts: Facts, to: str) -> str:
    """What was written, how to use it, what to know; its head names the splits for ``datasets``."""
    rlvr, splits = facts.rlvr, list(facts.rows)
    command = (_TRL_COMMAND if to == "trl" else _VERL_COMMAND).format(
        domain=facts.domain,
        train="train" if "train" in splits else splits[0],
        val="val" if "val" in splits else splits[-1],
        longest=facts.longest_prompt,
        group=rlvr.group_size,
        prompts=rlvr.batch_prompts,
        mini=rlvr.prompts_per_update,
        new_tokens=rlvr.max_new_tokens,
        temperature=rlvr.sampling.temperature,
    )
    return _README.format(
        domain=facts.domain,
        trainer=_NAMES[to],
        to=to,
        version=__version__,
        splits="\n".join(f"  - split: {name}\n    path: {name}.parquet" for name in splits),
        columns=_COLUMNS[to],
        counts=", ".join(f"{name} has {count} rows" for name, count in facts.rows.items()),
        prompts=_about_prompts(facts, to),
        command=command.lstrip("\n"),
        limit=rlvr.reward.time_limit_s,
        floor=rlvr.reward.floor,
    )


def _about_prompts(facts: Facts, to: str) -> str:
    """How a prompt becomes the token ids that it has in worldtune."""
    if facts.is_chat:
        return """\
- Prompts are messages for the chat template of the model. A model that has none needs the one of
  this folder: `cp chat_template.jinja MODEL/`.
"""
    if to == "verl":
        return """\
- Prompts are plain text, but verl knows messages only. The model needs a chat template that leaves
  the text as it is: `cp chat_template.jinja MODEL/`.
"""
    return """\
- Prompts are plain text. TRL puts a token for the beginning of the text before it where the
  tokenizer has one; worldtune does not.
"""


_NAMES = {"trl": "TRL's GRPOTrainer", "verl": "verl"}
_COLUMNS = {
    "trl": "`prompt`, and `row`, what the reward needs to know, as JSON",
    "verl": (
        "`data_source`, `prompt`, `ability`, `reward_model`, and `extra_info`, whose\n"
        "  `row` is what the reward needs to know, as JSON"
    ),
}

"""What a distillation asked, got, kept and cost, as plain JSON values and as one line."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from worldtune.config import DistillConfig
from worldtune.distill.asking import Effort
from worldtune.distill.judging import OUTCOMES
from worldtune.distill.tables import Judged


def build_report(
    answers: Sequence[Judged],
    kept: Sequence[Judged],
    effort: Effort,
    *,
    config: DistillConfig,
    rows: Mapping[str, int],
) -> dict[str, Any]:
    """Count.

    Args:
        answers: all answers to this run's questions, also those of earlier runs.
        kept: the demonstrations.
        effort: what asking took in this run.
        config: for the prices; the cost is that of all answers, in the currency of the prices.
        rows: rows of the training split, and of it those that were asked about.
    """
    outcomes = Counter(answer.verdict.outcome for answer in answers)
    tokens = {
        "prompt": sum(answer.reply.prompt_tokens for answer in answers),
        "completion": sum(answer.reply.completion_tokens for answer in answers),
    }
    price = tokens["prompt"] * config.input_price + tokens["completion"] * config.output_price
    accepted_rows = {one.question.key[0] for one in kept}
    return {
        "teacher": config.model,
        "threshold": config.threshold,
        "rows": {**rows, "with_demonstration": len(accepted_rows)},
        "answers": {"all": len(answers), **{name: outcomes[name] for name in OUTCOMES}},
        "acceptance_rate": _share(outcomes["accepted"], len(answers)),
        "row_acceptance_rate": _share(len(accepted_rows), rows["asked"]),
        "best_reward": max((answer.verdict.reward for answer in answers), default=None),
        "demonstrations": len(kept),
        "without_reasoning": sum(not one.verdict.reasoning for one in kept),
        "tokens": tokens,
        "cost": price / 1e6,
        "this_run": {
            "answered": effort.answered,
            "reused": len(answers) - effort.answered,
            "retries": dict(sorted(effort.retries.items())),
            "given_up": dict(sorted(effort.given_up.items())),
        },
    }


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def summarise(report: Mapping[str, Any]) -> str:
    """The report as one line."""
    answers, tokens, now = report["answers"], report["tokens"], report["this_run"]
    return (
        f"{answers['accepted']} of {answers['all']} answers accepted "
        f"({report['acceptance_rate']:.1%}), {report['demonstrations']} demonstrations for "
        f"{report['rows']['with_demonstration']} of {report['rows']['asked']} rows; "
        f"{tokens['prompt']} + {tokens['completion']} tokens, cost {report['cost']:.4g}; "
        f"this run: {now['answered']} answered, {now['reused']} reused, "
        f"{sum(now['retries'].values())} repeated, {sum(now['given_up'].values())} given up"
    )

import logging
import math
import re
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.engine.tiny import WORDS, ColourDomain, same_words, share_of_red, word_tokenizer
from worldtune.config import OverlongConfig, RewardConfig
from worldtune.contracts import Score
from worldtune.engine.learn import rewards
from worldtune.engine.learn.rewards import Scored, Scorer, average, enters_loss, overlong_penalty
from worldtune.engine.task.predict import Completion
from worldtune.engine.task.text_task import Example, TextTask

ROW = {"question": "red", "answer": "green blue"}
EXAMPLE = Example(7, ROW, (3,), (4, 5, 1))
NO_SHAPING = OverlongConfig()


def completion(text: str, *, finished: bool = True) -> Completion:
    ids = tuple(word_tokenizer()(text).input_ids)
    return Completion(ids, (0.0,) * len(ids), (True,) * len(ids), finished)


def scorer(
    reward: Callable[[str, str], float] = share_of_red,
    overlong: OverlongConfig = NO_SHAPING,
    max_new_tokens: int = 8,
    **config: Any,
) -> Scorer:
    task = TextTask(ColourDomain(reward), word_tokenizer())
    return Scorer(task, RewardConfig(**config), overlong, max_new_tokens)


def raise_error(answer: str, text: str) -> float:
    raise KeyError("no such colour")


def loop_for_ever(answer: str, text: str) -> float:
    while True:
        pass


def backtrack_for_ever(answer: str, text: str) -> float:
    return float(re.fullmatch("(a+)+b", "a" * 60) is not None)


def brevity(row: Mapping[str, Any], text: str) -> float:
    return 1.0 / len(text.split())


def tone(row: Mapping[str, Any], text: str) -> Score:
    return Score(0.25, {"warm": float("red" in text)}, parsed="grey" not in text)


def needs_three(row: Mapping[str, Any], text: str, tokenizer: object) -> float:
    return 0.0


not_a_function = 3


@pytest.fixture
def functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module on the path with the functions of this file; returns its name."""
    source = Path(__file__).read_text()
    start, end = source.index("def brevity"), source.index("@pytest.fixture")
    head = "from typing import Any, Mapping\nfrom worldtune.contracts import Score\n\n"
    (tmp_path / "my_rewards.py").write_text(head + source[start:end])
    (tmp_path / "broken_rewards.py").write_text("import a_module_that_is_not_there\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return "my_rewards"


def test_without_weights_the_domain_decides() -> None:
    scored = scorer().score(EXAMPLE, completion("red blue red blue"))
    assert scored == Scored(0.5, {"twice": 1.0}, parsed=True, truncated=False, error=None)


def test_weights_replace_the_total_by_a_sum_over_named_parts() -> None:
    weighted = scorer(weights={"total": 2.0, "twice": -0.25})
    scored = weighted.score(EXAMPLE, completion("red blue red blue"))
    assert scored.total == 2.0 * 0.5 - 0.25 * 1.0
    assert scored.parts == {"twice": 1.0}


def test_functions_are_added_and_logged_with_their_parts(functions: str) -> None:
    chosen = {f"{functions}:brevity": 2.0, f"{functions}:tone": 4.0}
    scored = scorer(functions=chosen).score(EXAMPLE, completion("red blue"))
    assert scored.total == 0.5 + 2.0 * 0.5 + 4.0 * 0.25
    assert scored.parts == {
        "twice": 1.0,
        "my_rewards.brevity": 0.5,
        "my_rewards.tone": 0.25,
        "my_rewards.tone/warm": 1.0,
    }


def test_a_weight_of_zero_leaves_the_domain_out(functions: str) -> None:
    only = scorer(functions={f"{functions}:brevity": 1.0}, weights={"total": 0.0})
    assert only.score(EXAMPLE, completion("red red blue blue")).total == 0.25


def test_a_completion_is_parsed_if_all_its_rewards_say_so(functions: str) -> None:
    both = scorer(functions={f"{functions}:tone": 1.0})
    assert both.score(EXAMPLE, completion("red")).parsed
    assert not both.score(EXAMPLE, completion("grey")).parsed


def test_a_weight_of_an_unknown_part_names_the_key_and_the_known_parts() -> None:
    wrong = scorer(weights={"twice": 1.0, "thrice": 1.0})
    with pytest.raises(ValueError, match=r"colour\.rlvr\.reward\.weights.*'thrice'.*total, twice"):
        wrong.score(EXAMPLE, completion("red"))


def test_weights_are_checked_on_the_next_row_where_the_first_cannot_be_scored() -> None:
    fails = iter([True, True, False])

    def reward(answer: str, text: str) -> float:
        if next(fails):
            raise KeyError
        return 1.0

    wrong = scorer(reward, weights={"thrice": 1.0})
    assert wrong.score(EXAMPLE, completion("red")).error == "error"
    with pytest.raises(ValueError, match="thrice"):
        wrong.score(EXAMPLE, completion("red"))


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("my_rewards", r"colour\.rlvr\.reward\.functions: found 'my_rewards', expected package"),
        ("my_rewards:", r"found 'my_rewards:', expected package\.module:function"),
        ("no_such:f", r"functions\.no_such:f: module no_such cannot be imported.*PYTHONPATH"),
        ("broken_rewards:f", r"broken_rewards cannot be imported.*a_module_that_is_not_there"),
        ("my_rewards:g", r"functions\.my_rewards:g: found nothing called g in .*my_rewards\.py"),
        ("my_rewards:not_a_function", "found a int called not_a_function"),
        ("my_rewards:needs_three", r"called as needs_three\(row, completion\).*'tokenizer'"),
    ],
)
def test_a_function_that_cannot_be_had_stops_at_the_start(
    functions: str, path: str, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        scorer(functions={path: 1.0})


def test_functions_of_c_without_a_signature_are_taken() -> None:
    assert rewards.load_function("builtins:max", key="k") is max


def test_a_reward_that_raises_earns_the_floor_and_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    failing = scorer(raise_error, floor=-1.5)
    scored = [failing.score(EXAMPLE, completion("red", finished=False)) for _ in range(3)]
    assert scored == [Scored(-1.5, {}, parsed=False, truncated=True, error="error")] * 3
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "it earns the floor, -1.5" in caplog.text
    assert "raise_error" in caplog.text and "KeyError: 'no such colour'" in caplog.text


def test_every_kind_of_error_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    errors = iter([KeyError("one"), TypeError("two"), KeyError("three"), SystemExit("four")])

    def reward(answer: str, text: str) -> float:
        raise next(errors)

    failing = scorer(reward)
    assert {failing.score(EXAMPLE, completion("red")).error for _ in range(4)} == {"error"}
    assert [type(record.exc_info[1]) for record in caplog.records if record.exc_info] == [
        KeyError,
        TypeError,
        SystemExit,
    ]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None, "much"])
def test_a_reward_that_is_no_finite_number_is_an_error(value: Any) -> None:
    scored = scorer(lambda answer, text: value).score(EXAMPLE, completion("red"))
    assert scored == Scored(0.0, parsed=False, error="error")


def test_a_part_that_is_not_finite_is_left_out_of_the_log() -> None:
    class Odd(ColourDomain):
        def score(self, row: Any, text: str) -> Score:
            return Score(1.0, {"ratio": math.nan, "other": 2.0})

    task = TextTask(Odd(same_words), word_tokenizer())
    scored = Scorer(task, RewardConfig(), NO_SHAPING, 8).score(EXAMPLE, completion("red"))
    assert scored == Scored(1.0, {"other": 2.0})


def test_the_users_own_interrupt_is_not_swallowed() -> None:
    def reward(answer: str, text: str) -> float:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scorer(reward).score(EXAMPLE, completion("red"))


@pytest.mark.parametrize("hangs", [loop_for_ever, backtrack_for_ever])
def test_a_reward_that_hangs_earns_the_floor(
    hangs: Callable[[str, str], float], caplog: pytest.LogCaptureFixture
) -> None:
    started = time.monotonic()
    scored = scorer(hangs, time_limit_s=0.2, floor=-1.0).score(EXAMPLE, completion("red"))
    assert scored == Scored(-1.0, parsed=False, error="timeout")
    assert time.monotonic() - started < 2.0
    assert "longer than colour.rlvr.reward.time_limit_s = 0.2" in caplog.text
    assert hangs.__name__ in caplog.text


def test_a_reward_that_hangs_in_another_thread_earns_the_floor() -> None:
    found = []
    hanging = scorer(loop_for_ever, time_limit_s=0.2)

    def work() -> None:
        found.append(hanging.score(EXAMPLE, completion("red")))
        found.append(scorer().score(EXAMPLE, completion("red")))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(timeout=10)
    assert found == [Scored(0.0, parsed=False, error="timeout"), Scored(1.0, {"twice": 2.0})]


def test_a_slow_reward_within_its_limit_counts() -> None:
    def slow(answer: str, text: str) -> float:
        time.sleep(0.1)
        return 0.5

    assert scorer(slow, time_limit_s=5.0).score(EXAMPLE, completion("red")).total == 0.5


def test_the_overlong_penalty_grows_linearly_over_the_buffer() -> None:
    lengths = (1, 12, 13, 14, 16, 20)
    found = [overlong_penalty(n, max_new_tokens=16, buffer_tokens=4, penalty=2.0) for n in lengths]
    assert found == [0.0, 0.0, 0.5, 1.0, 2.0, 2.0]
    assert overlong_penalty(16, max_new_tokens=16, buffer_tokens=0, penalty=2.0) == 0.0


def test_shaping_takes_the_penalty_off_and_shows_it_but_leaves_the_floor_alone() -> None:
    shape = OverlongConfig(buffer_tokens=4, penalty=1.0)
    long = completion(" ".join(WORDS[:3]))
    scored = scorer(overlong=shape, max_new_tokens=4).score(EXAMPLE, long)
    assert scored.total == pytest.approx(1 / 3 - 3 / 4, abs=1e-15)
    assert scored.parts["overlong"] == -0.75
    failed = scorer(raise_error, overlong=shape, max_new_tokens=4).score(EXAMPLE, long)
    assert failed == Scored(0.0, parsed=False, error="error")


def test_only_cut_off_completions_are_masked_and_only_if_asked() -> None:
    whole, cut = Scored(1.0), Scored(1.0, truncated=True)
    mask = OverlongConfig(mask_truncated=True)
    assert [enters_loss(s, mask) for s in (whole, cut)] == [True, False]
    assert [enters_loss(s, NO_SHAPING) for s in (whole, cut)] == [True, True]


def test_averages_are_over_the_completions_that_have_a_part() -> None:
    scores = [
        Scored(1.0, {"f1": 1.0, "length": 3.0}),
        Scored(0.5, {"f1": 0.5}, truncated=True),
        Scored(-1.0, parsed=False, error="timeout"),
        Scored(-1.0, parsed=False, error="error"),
    ]
    assert average(scores) == {
        "reward/f1": 0.75,
        "reward/length": 3.0,
        "reward/errors": 0.25,
        "reward/timeouts": 0.25,
        "parse_failure_rate": 0.5,
        "completion/truncated": 0.25,
    }
    assert average([]) == {}


def test_the_same_completion_scores_the_same(functions: str) -> None:
    both = {f"{functions}:brevity": 0.3, f"{functions}:tone": 0.7}
    first, second = scorer(functions=both), scorer(functions=both)
    texts = ["red", "red blue", "grey grey red"] * 2
    assert [first.score(EXAMPLE, completion(t)) for t in texts] == [
        second.score(EXAMPLE, completion(t)) for t in texts
    ]

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.domains.text_game.runner.foreign_games import (
    PHASED,
    PLAIN,
    run,
    settings,
    trying,
    write_game,
)
from worldtune.domains.text_game.runner import GameFailure, run_folder
from worldtune.domains.text_game.runner.folder import find_games
from worldtune.domains.text_game.runner.process import start_game
from worldtune.errors import ParameterError


def test_nothing_runs_before_the_user_allows_it(tmp_path):
    write_game(tmp_path, "kettle", PHASED)
    with pytest.raises(ParameterError, match=r"text_game\.ingest\.games\.allow_running_code") as no:
        run_folder(tmp_path, settings(allow_running_code=False))
    assert "your rights" in str(no.value)


def test_every_way_to_fail_is_told_and_the_other_games_go_on(tmp_path):
    write_game(tmp_path, "a_syntax", "class TextGame:\n    x = f'{1 +}'\n", gold="try")
    write_game(tmp_path, "b_memory", trying("return len([0] * 10**9)"), gold="wait\ntry")
    many = "kept = []\nwhile True: kept.append('x' * 500)"
    write_game(tmp_path, "c_many_small", trying(many), gold="wait\ntry")
    write_game(tmp_path, "d_exit", trying("raise SystemExit(0)"), gold="wait\ntry")
    write_game(tmp_path, "e_dies", trying("import os\nos._exit(7)"), gold="wait\ntry")
    write_game(tmp_path, "f_no_game", "class TextGame:\n    pass\n", gold="try")
    write_game(tmp_path, "g_import", "import no_such_module\nclass TextGame: pass\n", gold="try")
    write_game(tmp_path, "z_good", PHASED, gold="look")
    rows, failures = run(tmp_path, rollouts=["gold"], memory_limit_mb=128, parallel=2)
    told = {failure.game: (failure.kind, failure.message) for failure in failures}
    assert len(told) == len(failures)
    assert {game: kind for game, (kind, _) in told.items()} == {
        "a_syntax": "syntax",
        "b_memory": "memory",
        "c_many_small": "memory",
        "d_exit": "crash",
        "e_dies": "crash",
        "f_no_game": "protocol",
        "g_import": "crash",
    }
    assert "line 2); this is Python 3." in told["a_syntax"][1]
    assert "text_game.ingest.games.memory_limit_mb" in told["b_memory"][1]
    assert "SystemExit: 0, line 11 (gold, seed 0, step 1, action 'try')" in told["d_exit"][1]
    assert "status 7" in told["e_dies"][1]
    assert "no rootObject" in told["f_no_game"][1]
    assert "No module named 'no_such_module'" in told["g_import"][1]
    # What a game gave before it failed is kept.
    kept = ["b_memory", "c_many_small", "d_exit", "e_dies"]
    assert [(row["game"], row["action"]) for row in rows] == [
        *((game, "wait") for game in kept),
        ("z_good", "look"),
    ]


def test_a_game_that_never_ends_is_stopped_and_keeps_its_rows(tmp_path):
    write_game(tmp_path, "loop", trying("while True: pass"), gold="wait\ntry")
    write_game(tmp_path, "mint", PLAIN, gold="look")
    rows, failures = run(tmp_path, rollouts=["gold"], time_limit_s=2)
    assert [(row["game"], row["action"]) for row in rows] == [("loop", "wait"), ("mint", "look")]
    limit = "still running after 2 s (text_game.ingest.games.time_limit_s)"
    assert failures == [GameFailure("loop", "time", limit)]


def test_an_action_that_raises_ends_its_episode_only(tmp_path):
    source = PLAIN.replace("purse = ", 'purse = {}[0] if action == "spend coin" else ')
    write_game(tmp_path, "mint", source, gold="look\nlook\nspend coin\nlook")
    rows, failures = run(tmp_path, seeds=4, branch_actions=None)
    assert [row["step"] for row in rows if row["rollout"] == "gold"] == [0, 1]
    branches = [(row["step"], row["action"]) for row in rows if row["rollout"] == "branch"]
    assert branches == [(0, "strike coin"), (1, "strike coin"), (2, "look"), (2, "strike coin")]
    assert {row["seed"] for row in rows if row["rollout"] == "random"}
    assert [failure.kind for failure in failures] == ["crash"]
    assert "KeyError: 0, line 31" in failures[0].message
    assert "times, first in branch, seed 5, step 0, action 'spend coin'" in failures[0].message


def test_what_json_cannot_say_is_refused(tmp_path):
    write_game(tmp_path, "nan", trying("return [1.5, float('nan')]"), gold="wait\ntry\nwait")
    write_game(tmp_path, "surrogate", trying("return chr(0xD800)"), gold="wait\ntry")
    write_game(tmp_path, "large", trying("return 'x' * 9_000_000"), gold="wait\ntry")
    write_game(tmp_path, "endless", trying("loop = []\nloop.append(loop)\nreturn loop"), "try")
    rows, failures = run(tmp_path, rollouts=["gold"])
    assert [(row["game"], row["action"]) for row in rows] == [
        ("large", "wait"),
        ("nan", "wait"),
        ("surrogate", "wait"),
    ]
    assert {failure.kind for failure in failures} == {"protocol"}
    endless, large, nan, surrogate = (failure.message for failure in failures)
    assert "property 'answer' of 'room' is nested deeper than 20 levels" in endless
    assert "a row of 9,0" in large
    assert "property 'answer' of 'room' is nan" in nan
    assert "surrogates" in surrogate


def test_what_a_game_prints_is_silenced_and_its_end_is_told_with_a_crash(tmp_path, capfd):
    chatter = "import os, sys\nfor _ in range(20_000): print('chatter')\n"
    loud = "os.write(1, b'x' * 100_000)\nos.write(2, b'y' * 1000)\nprint('bye', file=sys.stderr)\n"
    write_game(tmp_path, "loud", trying(chatter + loud + "return 'said'"), gold="try")
    write_game(tmp_path, "sorry", trying(chatter + "raise ValueError('enough')"), gold="try")
    rows, failures = run(tmp_path, rollouts=["gold"])
    assert [row["next_objects"][0]["properties"] for row in rows] == [{"answer": "said"}]
    assert [failure.game for failure in failures] == ["sorry"]
    assert "ValueError: enough" in failures[0].message
    assert len(failures[0].message) < 400
    assert "chatter" in failures[0].message
    assert capfd.readouterr() == ("", "")


def test_games_left_over_are_ended_when_nobody_wants_more_rows(tmp_path):
    for name in ("a", "b"):
        write_game(tmp_path, name, trying("while True: pass"), gold="wait\ntry")
    write_game(tmp_path, "_first", PHASED, gold="look")
    started = time.monotonic()
    rows = run_folder(tmp_path, settings(rollouts=["gold"], parallel=3, time_limit_s=60))
    assert next(rows)["game"] == "_first"
    rows.close()
    assert time.monotonic() - started < 10


def test_a_killed_game_leaves_no_process_and_no_folder(tmp_path):
    write_game(tmp_path, "a", trying("while True: pass"), gold="try")
    running = start_game(find_games(tmp_path)[0], settings(time_limit_s=60))
    running.kill()
    assert running.process.poll() is not None
    assert not (tmp_path / running.folder.name).exists()


@pytest.mark.skipif(sys.platform != "linux", reason="the signal is Linux's")
def test_a_game_ends_with_the_process_that_started_it(tmp_path):
    write_game(tmp_path, "a", trying("import time\nwhile True: time.sleep(1)"), gold="try")
    script = (
        "import sys, time\n"
        "from worldtune.config.games import GamesConfig\n"
        "from worldtune.domains.text_game.runner.folder import find_games\n"
        "from worldtune.domains.text_game.runner.process import start_game\n"
        "game = start_game(find_games(sys.argv[1])[0], GamesConfig())\n"
        "print(game.process.pid, game.folder.name, flush=True)\n"
        "time.sleep(60)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    pid, folder = parent.stdout.readline().split()
    status = Path(f"/proc/{pid}/cmdline")
    assert _becomes(lambda: "child.play" in status.read_text())
    parent.kill()
    parent.communicate()
    assert _becomes(lambda: not status.exists() or not status.read_text())  # gone, or a zombie
    Path(folder).rmdir()


def _becomes(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()

from tests.domains.text_game.runner.foreign_games import PHASED, PLAIN, run, write_game
from worldtune.domains.text_game.runner import GameFailure

NOT_OVER = {"score": 0, "gameOver": False, "gameWon": False}
WON = {"score": 1, "gameOver": True, "gameWon": True}


def kitchen(on: bool, degrees: int, steam: bool = False) -> list[dict]:
    names = ["agent (ID: 0)", "kettle (ID: 1)"] + ["steam (ID: 3)"] * steam
    things = [
        ("kitchen (ID: 2)", 2, {}, names),
        ("agent (ID: 0)", 0, {}, []),
        ("kettle (ID: 1)", 1, {"on": on, "degrees": degrees}, []),
        ("steam (ID: 3)", 3, {}, []),
    ]
    return [
        {"name": name, "uuid": uuid, "type": "Thing", "properties": values, "contains": inside}
        for name, uuid, values, inside in things[: 3 + steam]
    ]


def coin(uuid: int, value: float) -> dict:
    values = {"sides": ["head", "tail"], "value": value}
    return {"name": "coin", "uuid": uuid, "type": "Coin", "properties": values, "contains": []}


def hall(*coins: dict) -> list[dict]:
    made = {"owner": "agent", "made": {"coin": None}, "metals": ["gold", "tin"]}
    names = ["coin"] * len(coins)
    return [
        {
            "name": "hall",
            "uuid": 2,
            "type": "Thing",
            "properties": {},
            "contains": ["mint", "agent"],
        },
        {"name": "mint", "uuid": 3, "type": "Thing", "properties": made, "contains": []},
        {"name": "agent", "uuid": 0, "type": "Thing", "properties": {}, "contains": names},
        *coins,
    ]


def test_a_playthrough_of_a_phased_game_gives_the_state_between_action_and_tick(tmp_path):
    write_game(tmp_path, "kettle", PHASED, gold="help\nswitch on\nlook\nsing")
    rows, failures = run(tmp_path, rollouts=["gold"])
    assert failures == []
    assert len(rows) == 3  # help is no action; one that is not valid is a step all the same
    assert rows[0] == {
        "source": "games",
        "game": "kettle",
        "seed": 3,
        "step": 0,
        "rollout": "gold",
        "task_desc": "Make steam.",
        "objects": kitchen(False, 93),
        "action_objects": kitchen(True, 93),
        "next_objects": kitchen(True, 97),
        "score": NOT_OVER,
        "next_score": NOT_OVER,
        "uuid_base": 3,
        "action": "switch on",
        "rules": "",
        "undetermined": [],
        "reasoning": "",
        "split": None,
        "licence": "the user's own copy",
    }
    assert rows[1]["action_objects"] == kitchen(True, 97)
    assert rows[1]["next_objects"] == kitchen(True, 101, steam=True)
    assert (rows[1]["score"], rows[1]["next_score"]) == (NOT_OVER, WON)
    assert [row["uuid_base"] for row in rows] == [3, 3, 4]
    assert rows[2]["objects"] == rows[1]["next_objects"]


def test_branches_start_from_every_prefix_and_leave_the_playthrough_as_it_was(tmp_path):
    write_game(tmp_path, "kettle", PHASED, gold="switch on\nlook")
    rows, failures = run(tmp_path, rollouts=["gold", "branch"], branch_actions=None)
    assert failures == []
    assert [(row["rollout"], row["step"], row["action"]) for row in rows] == [
        ("branch", 0, "look"),
        ("branch", 0, "switch off"),
        ("gold", 0, "switch on"),
        ("branch", 1, "switch on"),
        ("branch", 1, "switch off"),
        ("gold", 1, "look"),
    ]
    assert rows[3]["next_objects"] == kitchen(True, 101, steam=True)
    assert rows[4]["next_objects"] == kitchen(False, 97)
    # The steam of the branch took number 3, and so does that of the playthrough.
    assert rows[5]["next_objects"] == kitchen(True, 101, steam=True)
    assert {row["seed"] for row in rows} == {3}


def test_a_plain_game_is_numbered_in_the_order_in_which_objects_are_made(tmp_path):
    write_game(tmp_path, "mint", PLAIN, gold="strike coin\nspend coin\nstrike coin")
    rows, failures = run(tmp_path, rollouts=["gold"])
    assert failures == []
    assert [row["action_objects"] for row in rows] == [None] * 3
    assert rows[0]["objects"] == hall(coin(1, 1.5))
    assert rows[0]["next_objects"] == hall(coin(1, 1.5), coin(4, 2))
    assert rows[1]["next_objects"] == hall(coin(1, 1.5))
    assert rows[2]["next_objects"] == hall(coin(1, 1.5), coin(5, 2))
    assert [row["uuid_base"] for row in rows] == [4, 5, 5]
    assert rows[0]["next_score"] == {"score": 2, "gameOver": True, "gameWon": True}
    assert {row["seed"] for row in rows} == {5}  # from the text of the file


def test_branches_of_a_plain_game_give_new_objects_the_same_number(tmp_path):
    write_game(tmp_path, "mint", PLAIN, gold="look\nlook")
    rows, _ = run(tmp_path, rollouts=["branch"], branch_actions=None)
    assert [row["action"] for row in rows] == ["strike coin", "spend coin"] * 2
    assert rows[0]["next_objects"] == rows[2]["next_objects"] == hall(coin(1, 1.5), coin(4, 2))
    assert [row["uuid_base"] for row in rows] == [4] * 4


def test_random_play_takes_every_seed_and_stops_when_the_game_is_over(tmp_path):
    write_game(tmp_path, "kettle", PHASED)
    rows, failures = run(tmp_path, rollouts=["random"], seeds=[1, 40], steps_per_episode=30)
    assert failures == []
    first = [row for row in rows if row["seed"] == 1]
    assert first[0]["objects"] == kitchen(False, 91)
    assert len(first) < 30
    assert [row["next_score"] for row in first] == [NOT_OVER] * (len(first) - 1) + [WON]
    assert [row["step"] for row in first] == list(range(len(first)))
    assert [row["next_score"] for row in rows if row["seed"] == 40] == [WON]  # starts at 130
    assert "look around" not in {row["action"] for row in rows}


def test_settings_bound_steps_branches_and_depth(tmp_path):
    write_game(tmp_path, "mint", PLAIN.replace("in {0, 2}", "== 99"), gold="look\nlook\nlook")
    rows, _ = run(tmp_path, steps_per_episode=4, branch_actions=1, max_depth=2, seeds=3)
    assert sum(row["rollout"] == "gold" for row in rows) == 3
    assert [row["step"] for row in rows if row["rollout"] == "branch"] == [0, 1]
    assert [row["step"] for row in rows if row["rollout"] == "random"] == [0, 1, 2, 3] * 3


def test_the_root_of_a_game_of_several_rooms_is_left_out(tmp_path):
    rooms = PHASED.replace(
        'self.rootObject = Thing("kitchen")',
        'self.rootObject, house = Thing("kitchen"), Thing("house")',
    ).replace(
        "self.rootObject.contains = [self.agent, self.kettle]",
        "self.rootObject.contains, house.contains = [house, self.kettle], [self.agent]",
    )
    write_game(tmp_path, "rooms", rooms, gold="look")
    rows, _ = run(tmp_path, rollouts=["gold"])
    names = ["house (ID: 3)", "agent (ID: 0)", "kettle (ID: 1)"]
    assert [thing["name"] for thing in rows[0]["objects"]] == names


def test_two_runs_and_any_number_of_processes_give_the_same_rows(tmp_path):
    for name in ("c", "a", "b"):
        write_game(tmp_path, name, PLAIN, gold="look\nstrike coin\nspend coin")
    write_game(tmp_path, "kettle", PHASED, gold="switch on\nlook")
    write_game(tmp_path, "broken", "class TextGame(")
    once, failures = run(tmp_path, branch_actions=1)
    assert [entry["game"] for entry in once] == sorted(entry["game"] for entry in once)
    assert run(tmp_path, branch_actions=1, parallel=3) == (once, failures)
    assert [failure.kind for failure in failures] == ["protocol", "syntax"]


def test_state_that_a_copy_shares_makes_branches_replay_the_prefix(tmp_path):
    """A count in a default argument is not copied with the game; from the start it is right."""
    source = PHASED.replace(
        "    def step_action(self, action):",
        "    def step_action(self, action, taken=[]):\n"
        "        taken.append(action)\n"
        "        self.kettle.properties['taken'] = len(taken)",
    )
    write_game(tmp_path, "counting", source, gold="switch on\nlook")
    rows, failures = run(tmp_path, rollouts=["gold", "branch"], branch_actions=None)
    assert failures == []
    counts = [row["next_objects"][2]["properties"]["taken"] for row in rows]
    assert counts == [1, 1, 1, 2, 2, 2]


def test_a_game_that_cannot_be_copied_is_replayed(tmp_path):
    source = PHASED.replace(
        'self.agent = Thing("agent")', 'self.agent, self.lock = Thing("agent"), iter(lambda: 1, 0)'
    )
    write_game(tmp_path, "locked", source, gold="switch on\nlook")
    rows, failures = run(tmp_path, rollouts=["branch"], branch_actions=None)
    assert failures == []
    assert [row["next_objects"][2]["properties"]["degrees"] for row in rows] == [93, 93, 101, 97]


def test_failures_are_told_beside_the_rows_of_a_game(tmp_path):
    write_game(tmp_path, "kettle", PHASED)
    rows, failures = run(tmp_path, rollouts=["gold", "random"], seeds=1)
    assert {row["rollout"] for row in rows} == {"random"}
    assert failures == [
        GameFailure(
            "kettle",
            "protocol",
            "no playthrough (kettle-playthrough.txt), so there are no gold rows",
        )
    ]

from worldtune.config import OwnGamesConfig
from worldtune.domains.text_game.checks import complete_row
from worldtune.domains.text_game.readers import own

CONFIG = OwnGamesConfig(games=("kettle",), train_seeds=1, val_seeds=1, test_seeds=1)


def test_every_row_of_a_game_of_ours_passes_the_checks_and_tells_where_it_is_from() -> None:
    entries = list(own.read(CONFIG))
    rows = [complete_row(entry.values, number=0, max_tokens=10_000) for entry in entries]
    assert {row["split"] for row in rows} == {"train", "val", "test_iid"}
    assert {row["source"] for row in rows} == {"own"}
    first = rows[0]
    place = (first[name] for name in ("game", "seed", "rollout", "step"))
    assert entries[0].origin == ":".join(map(str, place))


def test_two_readings_give_the_same_rows() -> None:
    assert list(own.read(CONFIG)) == list(own.read(CONFIG))

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from worldtune.domains.web.recorder.actions import Action
from worldtune.domains.web.recorder.manifest import build_manifest
from worldtune.domains.web.recorder.pages import Episode
from worldtune.domains.web.recorder.recording import schema, select_rows, write_parquet
from worldtune.domains.web.recorder.rows import Moment, Row, Transition, build_row
from worldtune.domains.web.recorder.snapshot import Element, number


def moment(*names: str, focus: str = "") -> Moment:
    elements = [
        Element((index, "button"), "button", name, (), 0, is_focused=name == focus)
        for index, name in enumerate(names)
    ]
    page = number(elements, previous=None, is_same_document=False)
    return Moment(page, url="/cart/index.html", objective="Buy")


def row(
    *, seed: int = 0, step: int = 0, before: str = "a", after: str = "b", page_set: str = "own"
) -> Row:
    episode = Episode(page_set, "cart", "cart", seed)  # type: ignore[arg-type]
    transition = Transition(
        episode, step, "None", moment(before), Action("click", 1), moment(after)
    )
    return build_row(transition, browser="chromium 1")


def test_a_row_holds_both_pages_and_what_changed() -> None:
    built = row(before="a", after="b")
    assert (built.observation, built.next_observation) == ("[1] button 'a'", "[1] button 'b'")
    assert (built.new_items, built.deleted_items, built.updated_items) == (
        (),
        (),
        ("[1] button 'b'",),
    )
    assert (built.changed, built.structural, built.next_id, built.split) == (
        True,
        False,
        2,
        "train",
    )
    assert (built.previous_action, built.action, built.predictable) == ("None", "click [1]", True)


def test_a_move_of_the_focus_alone_is_no_change() -> None:
    transition = Transition(
        Episode("own", "cart", "cart", 0),
        0,
        "None",
        moment("a", "b"),
        Action("click", 1),
        moment("a", "b", focus="b"),
    )
    built = build_row(transition, browser="chromium 1")
    assert (built.changed, built.focus_only) == (False, True)


def test_the_row_id_depends_on_what_was_seen_and_done() -> None:
    assert row().row_id == row().row_id
    assert len({row().row_id, row(seed=1).row_id, row(step=1).row_id, row(before="c").row_id}) == 4


def test_a_pair_of_page_and_action_is_kept_once_in_all_splits() -> None:
    rows = [row(seed=0), row(seed=3), row(seed=6, before="z")]
    assert [kept.seed for kept in select_rows(rows)] == [0, 6]


def test_at_most_a_fifth_of_each_split_is_unchanged() -> None:
    changed = [row(step=step, before=f"c{step}") for step in range(8)]
    idle = [row(step=10 + step, before=f"i{step}", after=f"i{step}") for step in range(8)]
    kept = select_rows(changed + idle)
    assert sum(not each.changed for each in kept) == 2
    assert sum(each.changed for each in kept) == 8


@pytest.mark.parametrize(("length", "is_kept"), [(700, True), (900, False)])
def test_pages_longer_than_the_limit_are_left_out(length: int, is_kept: bool) -> None:
    long = row(before="x" * length, after="y")
    assert bool(select_rows([long])) is is_kept


def test_a_foreign_family_gives_at_most_fifty_rows_and_a_site_of_ours_any_number() -> None:
    foreign = [row(page_set="miniwob", seed=seed, before=f"m{seed}") for seed in range(90)]
    own = [row(seed=seed, before=f"o{seed}") for seed in range(90)]
    kept = select_rows([*foreign, *own])
    assert Counter(each.page_set for each in kept) == {"own": 90, "miniwob": 50}


def test_rows_are_sorted_whatever_the_order_in_which_they_came() -> None:
    rows = [
        row(seed=seed, step=step, before=f"{seed}/{step}") for seed in range(3) for step in range(3)
    ]
    foreign = row(page_set="miniwob", before="m")
    assert select_rows([foreign, *reversed(rows)]) == [*rows, foreign]


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    rows = [row(seed=seed, before=str(seed)) for seed in range(5)]
    first = write_parquet(rows, tmp_path / "a" / "rows.parquet")
    assert write_parquet(rows, tmp_path / "b" / "rows.parquet") == first
    assert write_parquet(rows[1:], tmp_path / "c" / "rows.parquet") != first


def test_the_table_gives_back_what_was_written(tmp_path: Path) -> None:
    write_parquet([row()], tmp_path / "rows.parquet")
    table = pq.read_table(tmp_path / "rows.parquet")
    assert table.schema.equals(schema())
    assert table.to_pylist()[0]["updated_items"] == ["[1] button 'b'"]
    assert table.column_names[0] == "row_id"


def test_the_manifest_counts_hidden_and_unchanged_rows() -> None:
    hidden = replace(row(before="p"), hidden_items=("[1] button 'b'",), predictable=False)
    idle = row(before="q", after="q")
    manifest = build_manifest(
        [row(), hidden, idle], [Episode("own", "cart", "cart", 0)], sha256="0"
    )
    assert manifest["all"]["unchanged"] == 0.333
    assert manifest["all"]["hidden_of_changed"] == 0.5
    assert manifest["sites"]["own/cart"]["actions"] == {"click": 3}
    assert manifest["seeds"] == {"own": "0-0"}

"""The outline of a state: every object once, whatever the names say."""

from worldtune.domains.text_game.containment import outline


def thing(uuid, name, *contains):
    return {"uuid": uuid, "name": name, "type": "", "properties": {}, "contains": [*contains]}


def lines(*objects):
    """(depth, name, uuid) of each place; in place of the uuid, why a mention has no object."""
    return [
        (
            place.depth,
            place.name,
            place.thing["uuid"] if place.thing else ("elsewhere" if place.is_known else "unknown"),
        )
        for place in outline(objects)
    ]


def test_content_stands_under_its_container_in_the_order_of_the_container() -> None:
    found = lines(
        thing(4, "cup"), thing(2, "room", "box", "pen"), thing(3, "box", "cup"), thing(1, "pen")
    )
    assert found == [(0, "room", 2), (1, "box", 3), (2, "cup", 4), (1, "pen", 1)]


def test_objects_that_nobody_contains_are_roots() -> None:
    assert lines(thing(1, "a", "b"), thing(2, "b"), thing(3, "c")) == [
        (0, "a", 1),
        (1, "b", 2),
        (0, "c", 3),
    ]


def test_a_circle_is_shown_once_and_ends() -> None:
    assert lines(thing(1, "a", "b"), thing(2, "b", "a"), thing(3, "c", "c"), thing(4, "d")) == [
        (0, "d", 4),
        (0, "a", 1),
        (1, "b", 2),
        (2, "a", "elsewhere"),
        (0, "c", 3),
        (1, "c", "elsewhere"),
    ]


def test_a_name_of_nothing_and_a_second_mention_are_told_as_such() -> None:
    assert lines(thing(1, "a", "ghost", "b"), thing(2, "b"), thing(3, "c", "b")) == [
        (0, "a", 1),
        (1, "ghost", "unknown"),
        (1, "b", 2),
        (0, "c", 3),
        (1, "b", "elsewhere"),
    ]


def test_objects_of_one_name_take_their_places_in_turn() -> None:
    assert lines(thing(1, "a", "b", "b"), thing(2, "b"), thing(3, "b"), thing(4, "b")) == [
        (0, "a", 1),
        (1, "b", 2),
        (1, "b", 3),
        (0, "b", 4),
    ]


def test_ten_thousand_nested_boxes_do_not_exhaust_the_stack() -> None:
    boxes = [thing(i, f"box {i}", f"box {i + 1}") for i in range(10_000)]
    found = lines(*boxes)
    assert len(found) == 10_001 and found[-1] == (10_000, "box 10000", "unknown")


def test_no_objects_make_no_outline() -> None:
    assert lines() == []

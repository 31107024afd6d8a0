from worldtune.domains.text_game.games.dice import Dice
from worldtune.domains.text_game.games.step import Step
from worldtune.domains.text_game.games.world import Plan, Thing, World


def small_world() -> tuple[World, Thing, Thing]:
    """A room with the agent, a red box (2) and an egg (3) in it."""
    world = World(Plan("Room", "kitchen"))
    box = world.add(Plan("Box", "red box", {"open": True}))
    egg = world.add(Plan("Egg", "egg", {"temp": 20, "state": "raw"}), box)
    return world, box, egg


def test_objects_are_dumped_container_first() -> None:
    world, _, _ = small_world()
    world.add(Plan("Egg", "egg"))
    dumped = world.objects()
    assert [thing["uuid"] for thing in dumped] == [0, 1, 2, 3, 4]
    assert dumped[2] == {
        "name": "red box (ID: 2)",
        "uuid": 2,
        "type": "Box",
        "properties": {"open": True},
        "contains": ["egg (ID: 3)"],
    }
    assert dumped[0]["contains"] == ["agent (ID: 1)", "red box (ID: 2)", "egg (ID: 4)"]


def test_a_copy_changes_alone() -> None:
    world, _, egg = small_world()
    before = world.objects()
    copied = world.copy()
    step = Step(copied, Dice())
    step.change(copied.find(3), "is warm", temp=30)
    step.move(copied.find(3), "is taken", copied.agent)
    step.create(Plan("Egg", "egg"), copied.root, cause=copied.root, because="is full")
    assert world.objects() == before
    assert (world.next_uuid, copied.next_uuid) == (4, 5)
    assert copied.find(3).place is copied.agent
    assert egg["temp"] == 20


def test_scattered_things_are_all_there_in_an_order_of_chance() -> None:
    orders = set()
    for seed in range(20):
        world = World(Plan("Room", "hall"))
        world.scatter(Dice(str(seed)), [Plan("Box", noun) for noun in "abc"])
        orders.add("".join(thing.noun for thing in world.all("Box")))
    assert {"".join(sorted(order)) for order in orders} == {"abc"}
    assert len(orders) == 6


def test_things_are_found_by_kind_and_property() -> None:
    world, box, egg = small_world()
    assert world.all("Box", "Egg") == [box, egg]
    assert world.all("Egg", temp=20) == [egg]
    assert world.all("Egg", temp=30) == []


def test_every_change_is_made_and_said() -> None:
    world, box, egg = small_world()
    step = Step(world, Dice())
    step.change(egg, "is hot", temp=60, state="boiled")
    step.change(box, "is closed", open=False)
    step.move(egg, "is taken", world.agent)
    step.turn(egg, "ages", into=Plan("Chick", "chick", {"age": 0}))
    step.create(Plan("Egg", "white egg"), box, cause=egg, because="is grown")
    step.remove(egg, "flies away")
    assert step.sentences == [
        "The egg 3 is hot, so its temp goes from 20 to 60 and its state becomes boiled.",
        "The red box 2 is closed, so its open becomes false.",
        "The egg 3 is taken, so it goes from the red box 2 to the agent 1.",
        "The egg 3 ages, so it turns into the chick 3.",
        "The chick 3 is grown, so the white egg 4 appears in the red box 2.",
        "The chick 3 flies away, so it disappears.",
    ]
    assert [thing["name"] for thing in world.objects()] == [
        "kitchen (ID: 0)",
        "agent (ID: 1)",
        "red box (ID: 2)",
        "white egg (ID: 4)",
    ]


def test_what_is_so_already_is_neither_done_nor_said() -> None:
    world, box, egg = small_world()
    step = Step(world, Dice())
    step.change(box, "is opened", open=True)
    step.move(egg, "is put", box)
    assert step.sentences == []


def test_what_a_removed_thing_contains_is_left_where_the_thing_was() -> None:
    world, box, egg = small_world()
    step = Step(world, Dice())
    step.remove(box, "rots")
    assert egg.place is world.root
    assert step.sentences == [
        "The egg 3 is left by the red box 2, so it goes from the red box 2 to the kitchen 0.",
        "The red box 2 rots, so it disappears.",
    ]

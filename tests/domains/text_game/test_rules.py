from worldtune.domains.text_game.rules import shorten


def test_the_last_block_of_object_rules_is_left_out_as_the_reference_does() -> None:
    assert shorten("a\n==========\nb\n==========\nc") == "a\n\nb"
    assert shorten("alone") == ""

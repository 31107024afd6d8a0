import pytest

from worldtune.domains.web.recorder.actions import Action


@pytest.mark.parametrize(
    ("action", "text"),
    [
        (Action("click", 6), "click [6]"),
        (Action("type", 8, "Sa"), "type [8] [Sa] [0]"),
        (Action("type", 8, "Sa Mo", is_entered=True), "type [8] [Sa Mo] [1]"),
        (Action("select", 5, "By name"), "select [5] [By name]"),
        (Action("goto", text="/cart/list.html"), "goto [/cart/list.html]"),
        (Action("go_back"), "go_back"),
    ],
)
def test_an_action_has_one_text_form(action: Action, text: str) -> None:
    assert str(action) == text

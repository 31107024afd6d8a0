import random
from collections import Counter
from dataclasses import replace

import pytest

from worldtune.domains.web.recorder.policy import Situation, choose, local_address
from worldtune.domains.web.recorder.snapshot import DomElement, Element, number

Attributes = tuple[tuple[str, str], ...]


def element(
    role: str,
    name: str,
    tag: str,
    *,
    attributes: Attributes = (),
    dom: dict[str, str] | None = None,
) -> Element:
    return Element(
        (hash((role, name)), role), role, name, attributes, 0, dom=DomElement(tag, dom or {})
    )


def situation(*elements: Element) -> Situation:
    return Situation(
        page=number(elements, previous=None, is_same_document=False),
        url="/shop/index.html",
        objective="Find Mug.",
        visited=("/shop/index.html",),
        can_go_back=False,
        used=frozenset(),
        surprising=frozenset(),
        is_foreign=False,
        tried=frozenset(),
        words=["Lamp"],
    )


def draws(given: Situation, count: int = 400) -> Counter[str]:
    rng = random.Random(0)
    chosen = [choose(given, rng) for _ in range(count)]
    return Counter(str(each.action) for each in chosen if each is not None)


def test_the_same_seed_makes_the_same_choices() -> None:
    given = situation(element("button", "A", "button"), element("textbox", "B", "input"))
    assert draws(given) == draws(given)


def test_fresh_controls_come_before_used_ones_and_before_text() -> None:
    given = situation(
        element("button", "A", "button"),
        element("button", "B", "button"),
        element("StaticText", "T", ""),
    )
    counts = draws(replace(given, used=frozenset((1,))))
    assert counts["click [2]"] > 2 * counts["click [1]"] > 2 * counts["click [3]"] > 0


def test_a_control_that_brought_hidden_content_is_tried_again() -> None:
    given = situation(element("button", "A", "button"), element("button", "B", "button"))
    counts = draws(replace(given, used=frozenset((1,)), surprising=frozenset((1,))))
    assert counts["click [1]"] > counts["click [2]"]


def test_the_same_action_on_the_same_page_is_never_tried_twice() -> None:
    given = situation(element("button", "A", "button"))
    assert (
        choose(replace(given, tried=frozenset(((given.page.text, "click [1]"),))), random.Random(0))
        is None
    )


def test_a_list_offers_what_is_not_chosen_yet() -> None:
    options = [
        element("option", name, "option", attributes=(("selected", str(name == "Red")),))
        for name in ("Red", "Tan")
    ]
    given = situation(element("combobox", "Colour", "select"), *options)
    assert set(draws(given)) == {"select [1] [Tan]"}


def test_a_disabled_control_is_tried_but_rarely() -> None:
    given = situation(
        element("button", "A", "button"),
        element("button", "B", "button", attributes=(("disabled", "True"),)),
    )
    counts = draws(given)
    assert 0 < counts["click [2]"] < counts["click [1]"] / 3


@pytest.mark.parametrize(
    ("dom", "texts"),
    [
        ({"data-suggest": "One|Two"}, {"One", "Two"}),
        ({"inputmode": "numeric"}, {str(number) for number in range(1, 61)}),
        ({"type": "email"}, {"lamp", "lamp@mail.org", "lamp@post.net"}),
        ({}, {"Mug", "Name", "Lamp"}),
    ],
)
def test_what_is_typed_fits_the_field(dom: dict[str, str], texts: set[str]) -> None:
    counts = draws(situation(element("textbox", "Name", "input", dom=dom)))
    assert {action.split("] [")[1] for action in counts} <= texts


def test_goto_leads_to_linked_and_visited_pages_only() -> None:
    link = element("link", "Cart", "a", dom={"href": "/shop/cart.html?seed=3"})
    given = replace(
        situation(link), visited=("/shop/index.html", "/shop/old.html"), can_go_back=True
    )
    assert set(draws(given)) == {
        "click [1]",
        "goto [/shop/cart.html]",
        "goto [/shop/old.html]",
        "go_back",
    }


@pytest.mark.parametrize(
    ("href", "address"),
    [
        ("/a/b.html?seed=3", "/a/b.html"),
        ("/a/b.html?seed=3&page=2", "/a/b.html?page=2"),
        ("https://example.org/a", ""),
        ("#top", ""),
        ("", ""),
    ],
)
def test_addresses_leave_the_seed_out_and_stay_on_the_site(href: str, address: str) -> None:
    assert local_address(href) == address

import pytest

from worldtune.domains.web.recorder.hidden import fixed_words, given_by, hidden_lines, vocabulary
from worldtune.domains.web.recorder.pages import own_sites
from worldtune.domains.web.recorder.snapshot import DomElement, Element, Page, number
from worldtune.domains.web.tree import diff


def page(*items: tuple[str, bool], previous: Page | None = None, checked: str = "") -> Page:
    """A page of checkboxes; each item is its name and whether it is marked as hidden content."""
    elements = [
        Element(
            (index, "checkbox"),
            "checkbox",
            name,
            (("checked", checked),) if checked else (),
            0,
            dom=DomElement("input", {}, is_hidden_content=is_marked),
        )
        for index, (name, is_marked) in enumerate(items)
    ]
    return number(elements, previous=previous, is_same_document=True)


def hidden(before: Page, after: Page, *texts: str, own_site: str | None = "search") -> list[str]:
    return hidden_lines(
        after, diff(before.nodes, after.nodes), given_by(before, *texts), own_site=own_site
    )


def test_a_marked_new_line_is_hidden() -> None:
    before = page(("one", False))
    assert hidden(before, page(("one", False), ("two", True), previous=before)) == [
        "[2] checkbox 'two'"
    ]


def test_a_marked_line_whose_words_were_known_already_is_hidden_only_when_it_is_new() -> None:
    before = page(("one", True))
    assert hidden(before, page(("one", True), checked="True", previous=before)) == []


def test_a_marked_line_with_another_name_is_hidden() -> None:
    before = page(("5 votes", True))
    assert hidden(before, page(("9 votes", True), previous=before)) == ["[1] checkbox '9 votes'"]


def test_a_vocabulary_word_that_was_not_in_the_input_is_hidden_without_a_mark() -> None:
    before = page(("one", False))
    after = page(("one", False), ("Zelda", False), previous=before)
    assert hidden(before, after) == ["[2] checkbox 'Zelda'"]
    assert hidden(before, after, "type [1] [Zelda] [0]") == []


def test_words_of_the_source_of_a_site_are_known() -> None:
    assert "Search" in fixed_words("search")
    before = page(("one", False))
    assert hidden(before, page(("one", False), ("Search", False), previous=before)) == []


@pytest.mark.parametrize(
    ("name", "is_hidden"), [("one two", True), ("one", False), ("1", True), ("goal", False)]
)
def test_on_a_foreign_page_every_unknown_word_hides_its_line(name: str, is_hidden: bool) -> None:
    before = page(("one", False))
    after = page(("one", False), (name, False), previous=before)
    # The 1 of the id [1] must not make a "1" on the page known.
    assert bool(hidden(before, after, "the goal", own_site=None)) is is_hidden


def test_the_vocabulary_is_large_and_plain() -> None:
    words = vocabulary()
    assert len(words) >= 500
    assert all(word.isascii() and word.isalpha() and word.istitle() for word in words)


def test_no_site_writes_half_the_vocabulary_into_its_source() -> None:
    # Else the second rule would be blind there.
    assert all(len(vocabulary() & fixed_words(site)) < 60 for site in own_sites())

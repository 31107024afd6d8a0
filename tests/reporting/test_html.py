"""Tables and the page shell."""

from html.parser import HTMLParser

from worldtune.reporting.html import Html, Table, page, section, text


def test_text_is_escaped_and_fragments_are_not():
    assert text("<script>") == "&lt;script&gt;"
    assert text(Html("<b>1</b>")) == "<b>1</b>"


def test_table_in_markdown_blanks_repeated_names_and_escapes_bars():
    table = Table("T", ("Rows", "Model", "F1"), (("All", "a|b", "1"), ("All", "c", "2")), 2)
    assert table.to_markdown() == (
        "**T**\n\n| Rows | Model | F1 |\n| --- | --- | ---: |\n| All | a\\|b | 1 |\n|  | c | 2 |\n"
    )


def test_table_in_html_names_its_rows_and_escapes_cells():
    html = Table("T", ("Model", "F1"), (("<x>", Html("<b>1</b>")),)).to_html()
    assert '<th scope="row">&lt;x&gt;</th><td><b>1</b></td>' in html
    assert '<th scope="col">F1</th>' in html


def test_page_closes_every_element_and_declares_both_schemes():
    class Balance(HTMLParser):
        def __init__(self):
            super().__init__()
            self.open = []

        def handle_starttag(self, tag, attrs):
            if tag not in {"meta", "br"}:
                self.open.append(tag)

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

    document = page("A & B", section("S", "<p>x</p>", anchor="s"), navigation=[("s", "S")])
    balance = Balance()
    balance.feed(document)
    assert balance.open == []
    assert "<title>A &amp; B</title>" in document
    assert "prefers-color-scheme:dark" in document and 'href="#s"' in document

"""Per-group tables and the confusion of changed and unchanged rows."""

from html.parser import HTMLParser

from fake_run import evaluation

from worldtune.reporting import groups
from worldtune.reporting.groups import group_name, render_groups


class Tables(HTMLParser):
    """Captions, and every row as the texts of its cells."""

    def __init__(self):
        super().__init__()
        self.captions, self.rows, self.inside = [], [], ""

    def handle_starttag(self, tag, attributes):
        self.inside = tag if tag in ("caption", "th", "td", "title") else self.inside
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        self.inside = "" if tag in ("caption", "th", "td", "title") else self.inside

    def handle_data(self, data):
        if self.inside == "caption":
            self.captions.append(data)
        if self.inside in ("th", "td"):
            self.rows[-1][-1] += data


def tables(run):
    found = Tables()
    found.feed(render_groups(run))
    return found


def test_every_group_has_a_row_sorted_by_name_with_the_gain_of_rlvr():
    found = tables(evaluation())
    assert found.captions[0].startswith("F1 by site, test_iid: held-out rows")
    header, *rows = found.rows
    assert header == ["Site", "SFT", "RLVR", "Copy", "Rows", "RLVR minus SFT", "0 dashed"]
    assert [row[:6] for row in rows[:4]] == [
        ["<todo>", "0.772", "0.791", "0.330", "1", "+0.500"],
        ["cart", "0.652", "0.671", "0.210", "61", "-0.010[-0.025, +0.005]"],
        ["inbox", "0.692", "0.711", "0.250", "1,204", "+0.000[-0.015, +0.015]"],
        ["kanban", "0.732", "0.751", "0.290", "58", "+0.010[-0.005, +0.025]"],
    ]


def test_the_confusion_shows_rows_and_shares_of_what_is_true():
    rows = tables(evaluation()).rows
    said = [f"Said: {saying}" for saying in ("changed", "unchanged", "unreadable")]
    start = rows.index(["Truth", "Model", *said])
    assert rows[start + 1 : start + 7] == [
        ["Changed", "Copy", "0", "1,180100.0 %", "0"],
        ["", "SFT", "1,15097.5 %", "221.9 %", "80.7 %"],
        ["", "RLVR", "1,14396.9 %", "363.1 %", "10.1 %"],
        ["Unchanged", "Copy", "0", "232100.0 %", "0"],
        ["", "SFT", "187.8 %", "21291.4 %", "20.9 %"],
        ["", "RLVR", "93.9 %", "22396.1 %", "0"],
    ]


def test_only_the_largest_groups_are_shown_and_the_caption_says_so(monkeypatch):
    monkeypatch.setattr(groups, "MAX_GROUPS", 2)
    found = tables(evaluation())
    assert "F1 by site, the 2 largest of 4, test_iid" in found.captions[0]
    assert [row[0] for row in found.rows[1:3]] == ["cart", "inbox"]


def test_another_domain_gives_its_own_word():
    run = evaluation() | {"group_name": "game"}
    assert group_name(run) == "game"
    assert tables(run).captions[0].startswith("F1 by game, ")
    assert group_name({}) == "group"


def test_an_evaluation_without_groups_has_no_such_tables():
    assert render_groups({}) == ""
    assert render_groups({"splits": {"test_iid": {"models": {}, "groups": {}}}}) == ""
    partial = {
        "groups": {"a": {}, "b": {"models": {"sft": {"f1": None}}}},
        "confusion": {"sft": {}},
    }
    html = render_groups({"primary_metric": "f1", "splits": {"test_iid": partial}})
    assert "nan" not in html and "n/a" in html

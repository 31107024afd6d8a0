"""The shell of every report: one HTML file with its style and script inside, and safe tables.

Nothing is loaded from anywhere, so a report opens offline and can be mailed. Text is escaped unless
it is ``Html``, the type of fragments that this package (or a domain's view) has built itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from worldtune.reporting.style import SCRIPT, STYLE


class Html(str):
    """A finished fragment: inserted as it is."""

    __slots__ = ()


Cell = str | Html


@dataclass(frozen=True)
class Table:
    """A table before it is rendered: its first ``num_labels`` columns name the rows.

    A row that repeats the first cell of the row above belongs to it, and its first cell is left
    blank in both renderings.
    """

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    num_labels: int = 1

    def to_html(self) -> Html:
        """As a ``<table>`` in a frame that scrolls sideways on narrow screens."""
        head = "".join(
            f'<th scope="col"{self._class(i)}>{text(name)}</th>'
            for i, name in enumerate(self.header)
        )
        body = "".join(self._html_row(row, is_new) for row, is_new in self._grouped())
        return Html(
            f'<div class="table-frame"><table><caption>{text(self.caption)}</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        )

    def to_markdown(self) -> str:
        """As a GitHub table with its caption in bold above."""
        rows = [("" if not is_new else row[0], *row[1:]) for row, is_new in self._grouped()]
        rule = ["---" if i < self.num_labels else "---:" for i in range(len(self.header))]
        lines = [_markdown_row(row) for row in (self.header, rule, *rows)]
        return f"**{self.caption}**\n\n" + "\n".join(lines) + "\n"

    def _grouped(self) -> list[tuple[tuple[Cell, ...], bool]]:
        above = [None, *(row[0] for row in self.rows)]
        return [(row, row[0] != name) for row, name in zip(self.rows, above, strict=False)]

    def _html_row(self, row: Sequence[Cell], is_new: bool) -> str:
        name = text(row[0]) if is_new else Html("")
        cells = "".join(
            f"<td{self._class(i)}>{text(cell)}</td>" for i, cell in enumerate(row[1:], start=1)
        )
        group = ' class="group"' if is_new else ""
        return f'<tr{group}><th scope="row">{name}</th>{cells}</tr>'

    def _class(self, column: int) -> str:
        return ' class="label"' if column < self.num_labels else ""


def text(value: object) -> Html:
    """Any value as safe HTML; ``Html`` passes unchanged."""
    return value if isinstance(value, Html) else Html(escape(str(value)))


def section(title: str, body: str, *, anchor: str, lead: str = "") -> Html:
    """A titled part of the page that the navigation can jump to."""
    intro = f'<p class="lead">{text(lead)}</p>' if lead else ""
    return Html(f'<section id="{text(anchor)}"><h2>{text(title)}</h2>{intro}{body}</section>')


def definitions(pairs: Sequence[tuple[str, object]]) -> Html:
    """Names and values side by side."""
    items = "".join(f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in pairs)
    return Html(f"<dl>{items}</dl>")


def page(title: str, body: str, *, navigation: Sequence[tuple[str, str]] = ()) -> str:
    """A complete document. ``navigation`` holds (anchor, words) of the sections."""
    links = "".join(f'<a href="#{text(anchor)}">{text(words)}</a>' for anchor, words in navigation)
    menu = f'<nav aria-label="Sections">{links}</nav>' if links else ""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{text(title)}</title>\n<style>\n{STYLE}</style>\n</head>\n"
        f"<body>\n{menu}<main>\n{body}\n</main>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n"
    )


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

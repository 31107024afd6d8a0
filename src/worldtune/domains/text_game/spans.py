"""Where the entries of a difference stand in its text, so that one can be left out.

Entries are the elements of ``modified`` and ``removed`` and the members of ``score``. What is left
after one is cut out has a comma too many, which the reader forgives.
"""

import re

from worldtune.domains.text_game.literals import STRING

_TOKEN = re.compile(
    rf"(?P<text>{STRING})|(?P<sign>[{{}}\[\],:])|(?P<word>[^\s{{}}\[\],:\"']+)", re.DOTALL
)
_LISTS = ("modified", "removed", "score")
_ENTRY_DEPTH = 2


def entry_spans(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Character spans of the entries of the difference that stands at ``text[start:end]``."""
    spans: list[tuple[int, int]] = []
    depth, key, opened, last = 0, "", -1, -1
    for match in _TOKEN.finditer(text, start, end):
        sign = match["sign"]
        if sign and sign in "}]":
            depth -= 1
        if opened >= 0 and depth <= _ENTRY_DEPTH and sign in (",", "}", "]"):
            if sign == "," or depth < _ENTRY_DEPTH:
                spans.append((opened, last))
                opened = -1
        elif opened < 0 and depth == _ENTRY_DEPTH and key in _LISTS and sign not in tuple(",}]:"):
            opened = match.start()
        elif depth == 1 and match["text"]:
            key = match["text"][1:-1]
        if sign and sign in "{[":
            depth += 1
        last = match.end()
    return spans

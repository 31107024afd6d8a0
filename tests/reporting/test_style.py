"""Colours of both schemes: every text colour is readable on what it stands on."""

import re

import pytest

from worldtune.reporting.style import STYLE

PAIRS = [
    ("ink", "bg"),
    ("ink", "panel"),
    ("soft", "bg"),
    ("soft", "panel"),
    ("soft", "faint"),
    ("ink", "faint"),
    ("ink", "target"),
    ("soft", "target"),
    ("accent", "bg"),
    ("accent", "panel"),
    ("bg", "accent"),
    ("copy", "panel"),
    ("sft", "panel"),
    ("rlvr", "panel"),
    ("right", "right-bg"),
    ("wrong", "wrong-bg"),
    ("soft", "right-bg"),
]


def schemes():
    blocks = re.findall(r":root\{([^}]*)\}", STYLE)
    light, dark = (dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{3,6})", block)) for block in blocks)
    return {"light": light, "dark": light | dark}


def luminance(colour):
    digits = colour[1:] if len(colour) == 7 else "".join(2 * d for d in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_contrast_formula_gives_21_for_black_on_white():
    assert (luminance("#fff") + 0.05) / (luminance("#000000") + 0.05) == pytest.approx(21)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), PAIRS)
def test_text_is_readable_in_both_schemes(scheme, text, ground):
    colours = schemes()[scheme]
    low, high = sorted((luminance(colours[text]), luminance(colours[ground])))
    assert (high + 0.05) / (low + 0.05) >= 4.5


def test_style_loads_nothing():
    assert "url(" not in STYLE and "@import" not in STYLE

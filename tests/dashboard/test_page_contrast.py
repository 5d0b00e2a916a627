"""Every text colour of the palette can be read on every background it stands on (WCAG AA)."""

from __future__ import annotations

import re
from typing import Final

import pytest

from tests.support.fake_gateway import PAGE

_BACKGROUNDS: Final = ("bg", "bg-raised", "bg-sunken", "bg-hover", "bg-selected")
_TEXTS: Final = ("fg", "fg-muted", "accent", "ok", "info", "debug", "warn", "error", "critical")
_PAIRS: Final = (
    *((text, ground) for text in _TEXTS for ground in _BACKGROUNDS),
    *((tone, f"{tone}-bg") for tone in ("ok", "info", "warn", "error", "critical")),
    *(("fg", f"{tone}-bg") for tone in ("ok", "info", "warn", "error", "critical")),
    *((f"worker-{number}", "bg") for number in range(8)),
    ("fg", "hit-bg"), ("on-accent", "accent-bg"), ("bg", "error"),
)  # fmt: skip


def _palette(dark: bool) -> dict[str, str]:
    css = (PAGE / "theme.css").read_text()
    found = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", css)
    return {name: pair[dark] for name, *pair in found}


def _luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    dim, bright = sorted((_luminance(one), _luminance(other)))
    return (bright + 0.05) / (dim + 0.05)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_has_a_contrast_of_four_and_a_half_at_least(dark: bool) -> None:
    palette = _palette(dark)
    ratios = {pair: _contrast(palette[pair[0]], palette[pair[1]]) for pair in _PAIRS}
    assert {pair: round(ratio, 2) for pair, ratio in ratios.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_edges_of_controls_and_the_focus_have_a_contrast_of_three_at_least(dark: bool) -> None:
    palette = _palette(dark)
    edges = [(edge, ground) for edge in ("border-strong", "focus") for ground in _BACKGROUNDS[:3]]
    assert [pair for pair in edges if _contrast(palette[pair[0]], palette[pair[1]]) < 3] == []

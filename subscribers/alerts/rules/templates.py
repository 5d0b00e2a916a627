"""Annotations' templates: `{name}` is replaced by a text, `{{` and `}}` are braces. Pure.

Nothing but a name stands between the braces: no attribute, no index, no format, no code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Final, NamedTuple

NAMES: Final = {
    "line": "the line; of a traceback its last one; of a job's status why, in Ray's words",
    "number": "the line's number, from 0; of a traceback its first one's",
    "before": "the lines before it",
    "after": "the lines after it",
    "traceback": "the whole traceback",
    "url": "the line, or the job, in the dashboard",
    "job": "the job",
    "cluster": "its cluster",
    "status": "the job's status",
    "name": "the rule's name",
    "severity": "its severity",
    "value": "the count, the rate, the seconds or the number that was too much",
}
MOST_CHARACTERS: Final = 8_000
_PIECE: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_LABEL: Final = re.compile(r"labels\.[A-Za-z_][A-Za-z0-9_]*")


class Template(NamedTuple):
    """A parsed template: literal text and names in turn."""

    pieces: tuple[tuple[str, str], ...]  # (literal text, the name after it or empty)

    @property
    def names(self) -> frozenset[str]:
        """The names in it."""
        return frozenset(name for _, name in self.pieces if name)

    def render(self, values: Mapping[str, str]) -> str:
        """The text, cut to a bound; a name without a value is empty."""
        text = "".join(literal + values.get(name, "") for literal, name in self.pieces)
        return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"


def parse(text: str) -> Template:
    """The template. Raises `ValueError` that says what is wrong with it, and where."""
    return Template(tuple(_pieces(text)))


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    literal, at = "", 0
    for found in _PIECE.finditer(text):
        literal += text[at : found.start()]
        at = found.end()
        if found[0] in ("{{", "}}"):
            literal += found[0][0]
            continue
        if found[1] is None:
            raise ValueError(
                f"a {found[0]} stands alone at character {found.start() + 1}; "
                f"{found[0] * 2} is a brace"
            )
        name = found[1].strip()
        if name not in NAMES and not _LABEL.fullmatch(name):
            raise ValueError(f"{{{name}}}: {_hint(name)}")
        yield literal, name
        literal = ""
    yield literal + text[at:], ""


def _hint(name: str) -> str:
    near = get_close_matches(name, NAMES, n=1)
    if near:
        return f"no such name; did you mean {{{near[0]}}}?"
    return f"no such name; known are {', '.join(NAMES)} and labels.NAME"

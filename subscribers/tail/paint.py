"""Colours for a terminal: one for each job and each worker, and for what is highlighted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import click

from subscribers.tail.patterns import any_of

_COLOURS: Final = (
    *("cyan", "green", "yellow", "magenta", "blue", "bright_cyan", "bright_green"),
    *("bright_yellow", "bright_magenta", "bright_blue"),
)
_MAX_NAMES: Final = 1_000


class Paint:
    """Colours in the order in which names come up, so that the first ten of them differ. Bounded.

    Raises `ClientError` 400 for a pattern that is none.
    """

    def __init__(self, highlight: Sequence[str] = ()) -> None:
        self._highlight = any_of("--highlight", highlight)
        self._jobs: dict[str, str] = {}
        self._workers: dict[str, str] = {}

    def job(self, name: str, text: str) -> str:
        """The text in the job's colour."""
        return click.style(text, fg=_colour(self._jobs, name))

    def worker(self, name: str, text: str) -> str:
        """The text in the worker's colour."""
        return click.style(self.plain(text), fg=_colour(self._workers, name))

    def plain(self, text: str) -> str:
        """The text with what matches the highlight marked."""
        if self._highlight is None or self._highlight.search(text) is None:
            return text
        return str(self._highlight.sub(_marked, text))


def _marked(found: re.Match[str]) -> str:
    """Only what it sets is undone: the colour around it goes on."""
    return f"\x1b[1;7m{found[0]}\x1b[22;27m" if found[0] else ""


def _colour(known: dict[str, str], name: str) -> str:
    colour = known.get(name)
    if colour is None:
        if len(known) >= _MAX_NAMES:
            del known[next(iter(known))]
        colour = known[name] = _COLOURS[len(known) % len(_COLOURS)]
    return colour

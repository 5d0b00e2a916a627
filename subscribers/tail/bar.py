"""A progress bar on a terminal: each refresh overwrites the one before, as its writer meant it."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from typing import Final

from broker.frame import Frame

_ERASE: Final = "\x1b[K"


class Bar:
    """Whether the terminal's last line is a bar, which the next line may overwrite. `columns` is
    the terminal's width, as it is now."""

    def __init__(self, columns: Callable[[], int]) -> None:
        self._columns = columns
        self._is_open = False

    def settled(self, frame: Frame, indices: Sequence[int]) -> tuple[Sequence[int], bool]:
        """The lines that stay to be seen, of those that are shown; and whether the last of them is
        a bar that may move on."""
        refreshes = set(frame.cr)
        if not refreshes or not indices:
            return indices, False
        last = indices[-1]
        return [index for index in indices if index not in refreshes or index == last], (
            last in refreshes
        )

    def cut(self, line: str, taken: int) -> str:
        """As much of a bar as stays on one line of the terminal, beside `taken` columns: one that
        is wrapped could not be overwritten."""
        room = self._columns() - taken - 1
        for index, character in enumerate(line):
            room -= 2 if unicodedata.east_asian_width(character) in "WF" else 1
            if room < 0:
                return line[:index]
        return line

    def written(self, text: str, *, moves_on: bool) -> str:
        """What to write for whole lines, over a bar that is there; the last of them may be one."""
        erase = _ERASE if self._is_open else ""
        self._is_open = moves_on
        return f"{erase}{text[:-1]}\r" if moves_on else erase + text

    def ended(self) -> str:
        """What to write before anything else comes: a bar that is there stays."""
        was_open, self._is_open = self._is_open, False
        return "\n" if was_open else ""

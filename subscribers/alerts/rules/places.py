"""Where in a TOML file what was written, which `tomllib` does not tell. Pure.

Headers and keys only: a setting's line, by its table, that table's index among those of its name,
and its key. What cannot be read so is said with its table's line.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_KEY: Final = r"""(?:[\w-]+|"[^"]*"|'[^']*')"""
_KEYS: Final = rf"({_KEY}(?:\s*\.\s*{_KEY})*)"
_MANY: Final = re.compile(rf"\s*\[\[\s*{_KEYS}\s*\]\]")
_TABLE: Final = re.compile(rf"\s*\[\s*{_KEYS}\s*\]")
_SETTING: Final = re.compile(rf"\s*{_KEYS}\s*=")
_ONE_KEY: Final = re.compile(_KEY)
_TRIPLE: Final = re.compile(r'"""|' + "'''")


class Place(NamedTuple):
    """A setting: `key` of the `nth` (from 0) `[[table]]`; both empty at the file's top."""

    table: str
    nth: int
    key: str


class Places:
    """The lines of one file, from 1."""

    def __init__(self, text: str) -> None:
        self._lines: dict[Place, int] = {}
        counts: dict[str, int] = {}
        table, prefix, quote = "", "", ""
        for number, line in enumerate(text.split("\n"), start=1):
            inside, quote = quote, _open_quote(line, quote)
            if inside:
                continue
            if many := _MANY.match(line):
                table, prefix = _name(many[1]), ""
                counts[table] = counts.get(table, -1) + 1
                self._note(Place(table, counts[table], ""), number)
            elif one := _TABLE.match(line):  # [alert.labels] belongs to the last [[alert]]
                table, _, prefix = _name(one[1]).partition(".")
                self._note(Place(table, counts.get(table, 0), prefix), number)
            elif setting := _SETTING.match(line):
                first = f"{prefix}.{_name(setting[1])}" if prefix else _name(setting[1])
                for key in (first, first.partition(".")[0]):
                    self._note(Place(table, counts.get(table, 0), key), number)

    def line(self, place: Place) -> int | None:
        """The line of a setting, else of what it stands in."""
        parts = place.key.split(".")
        while parts:
            if found := self._lines.get(Place(place.table, place.nth, ".".join(parts))):
                return found
            parts.pop()
        table = self._lines.get(Place(place.table or place.key, place.nth, ""))
        return table or self._lines.get(Place("", 0, place.table))

    def _note(self, place: Place, number: int) -> None:
        self._lines.setdefault(place, number)


def _name(keys: str) -> str:
    return ".".join(key.strip("\"'") for key in _ONE_KEY.findall(keys))


def _open_quote(line: str, quote: str) -> str:
    """The triple quote that is open after the line, given the one before it."""
    for found in _TRIPLE.findall(line):
        if not quote:
            quote = found
        elif quote == found:
            quote = ""
    return quote

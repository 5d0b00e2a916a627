"""Which line of a TOML file a setting was written in, for error messages. Pure.

`tomllib` does not tell. This reads headers and keys only; what it cannot read it leaves out.
"""

from __future__ import annotations

import re
from typing import Final

_KEYS: Final = r"""((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)"""
_HEADER: Final = re.compile(rf"\s*\[\s*{_KEYS}\s*\]")
_ASSIGNMENT: Final = re.compile(rf"\s*{_KEYS}\s*=")
_KEY: Final = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")


def find_lines(text: str) -> dict[tuple[str, ...], int]:
    """The first line (from 1) of each table and setting, by its path."""
    lines: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.split("\n"), start=1):
        if header := _HEADER.match(line):
            table = _path(header[1])
            lines.setdefault(table, number)
        elif assignment := _ASSIGNMENT.match(line):
            lines.setdefault(table + _path(assignment[1]), number)
    return lines


def _path(keys: str) -> tuple[str, ...]:
    return tuple(key.strip("\"'") for key in _KEY.findall(keys))

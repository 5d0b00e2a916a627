"""Which worker wrote a line, by the prefix that Ray puts in front, and which lines stand for many.
Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from subscribers.recognition.prefix import NAME
from subscribers.recognition.text import joined

_LINE: Final = re.compile(rf"(?:\(({NAME})\)(?=[ ]|$))?[^\n]*+\n", re.VERBOSE | re.MULTILINE)
_REPEATED: Final = re.compile(r"\[repeated (\d{1,9})x across cluster\]")
_MARKS: Final = ("pid=", "(raylet", "(autoscaler +")  # no prefix is without one of them


class Worker(NamedTuple):
    """Line `index` begins with a prefix of `end` characters, the space after it included. `name`
    is what stands in its parentheses: `train pid=12, ip=10.0.0.1`, `raylet`, `autoscaler +3s`."""

    index: int  # type: ignore[assignment]  # hides `tuple.index`, which nobody needs here
    name: str
    end: int


def workers(lines: Sequence[str]) -> list[Worker]:
    """The lines that have a prefix, in order."""
    text = joined(lines)
    if not any(mark in text for mark in _MARKS):
        return []
    return [
        Worker(index, name, min(len(name) + 3, len(lines[index])))
        for index, name in enumerate(_LINE.findall(text))
        if name
    ]


def repeats(lines: Sequence[str]) -> list[tuple[int, int]]:
    """`(index, N)` of the lines that Ray marked `[repeated Nx across cluster]`, in order."""
    text = joined(lines)
    found: dict[int, int] = {}
    index = at = 0
    for match in _REPEATED.finditer(text) if "x across cluster]" in text else ():
        index += text.count("\n", at, match.start())
        at = match.start()
        found.setdefault(index, int(match[1]))
    return list(found.items())

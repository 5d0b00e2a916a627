"""Regexes of rules: re2 only, which never backtracks. Pure."""

from __future__ import annotations

import re
from typing import Any, Final

import re2

_MEMORY: Final = 2 << 20  # for each pattern's automaton
_MOST_CHARACTERS: Final = 2_000
# Screened in pieces of many lines, these would mean something else than on a line.
_TEXT_ANCHOR: Final = re.compile(r"\\(?:Q.*?(?:\\E|$)|([AzC])|.)", re.DOTALL)
_MULTILINE_OFF: Final = re.compile(r"\(\?[a-zA-Z]*-[a-zA-Z]*m")
_ADVICE: Final = {
    "(?=": "re2 has no lookahead",
    "(?!": "re2 has no lookahead; `unless` says what must not be there",
    "(?<": "re2 has no lookbehind",
    "\\1": "re2 has no backreferences",
    "\\Z": "use $",
}


def compile_line(pattern: str) -> Any:
    """For lines, of one or many at once: `^` and `$` are a line's, and nothing crosses a line's
    end. Raises `ValueError` that says what is wrong, and where."""
    return _compile(pattern, crosses=False)


def compile_block(pattern: str) -> Any:
    """For a traceback as a whole: `^` and `$` are a line's, `\\n` and `(?s)` cross lines."""
    return _compile(pattern, crosses=True)


def _compile(pattern: str, *, crosses: bool) -> Any:
    if len(pattern) > _MOST_CHARACTERS:
        raise ValueError(f"a regex of more than {_MOST_CHARACTERS:,} characters")
    _refuse_anchors(pattern)
    options = re2.Options()
    options.never_nl = not crosses
    options.log_errors = False
    options.max_mem = _MEMORY
    try:
        re2.compile(pattern.encode("utf-8", "replace"), options)  # its errors tell of this text
        compiled = re2.compile(f"(?m:{pattern})".encode(), options)
    except (re2.error, UnicodeEncodeError) as error:
        raise ValueError(_explained(pattern, error)) from None
    if compiled.search(b"") is not None:
        raise ValueError("it matches the empty text, and so every line; leave it out for that")
    return compiled


def _refuse_anchors(pattern: str) -> None:
    for found in _TEXT_ANCHOR.finditer(pattern):
        if found[1]:
            instead = {"A": "^", "z": "$", "C": "."}[found[1]]
            raise ValueError(f"\\{found[1]} at character {found.start() + 1}: use {instead}")
    if off := _MULTILINE_OFF.search(pattern):
        raise ValueError(f"{off[0]} at character {off.start() + 1}: ^ and $ are always a line's")


def _explained(pattern: str, error: Exception) -> str:
    said = error.args[0] if error.args else ""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    _, _, fragment = text.partition(": ")
    at = pattern.find(fragment) if fragment else -1
    where = f", at character {at + 1}" if at >= 0 else ""
    advice = next(
        (f"; {what}" for start, what in _ADVICE.items() if fragment[:3].startswith(start)), ""
    )
    return f"no regex (re2): {text}{where}{advice}"

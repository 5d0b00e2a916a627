"""Private keys, the one secret that goes over many lines. Pure."""

from __future__ import annotations

import re
from typing import Final

from broker.text.rules import KEY_BEGIN, MARK

MAX_LINES: Final = 200
"""Lines a key may have: an RSA key of 16,384 bits needs 197."""

_WORDS: Final = b"PRIVATE KEY"
_BEGIN: Final = re.compile(KEY_BEGIN.encode())
_END: Final = re.compile(rb"-----END[A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----")


def redact(data: bytes, key_lines: int = 0) -> tuple[bytes, int, int]:
    """Each line of a key, from its BEGIN to its END or for `MAX_LINES`, becomes the mark.

    `key_lines` are the lines that a key open at the start may still go on for (0: none is open).
    Returns the lines, `key_lines` at their end, and how many keys began. Whatever stands in front
    of a key's line (Ray's `(f pid=…) `) goes with it. A key that begins and ends on one line is
    left to the rules.
    """
    if not key_lines and _WORDS not in data:
        return data, 0, 0
    pieces: list[bytes] = []
    keys = done = 0
    while True:
        if key_lines:
            stop, lines, closed = _body(data, done, key_lines)
            pieces.append((MARK + b"\n") * lines)
            key_lines = 0 if closed else key_lines - lines
            done = stop
            if key_lines:
                return b"".join(pieces), key_lines, keys
        start = _opening(data, done)
        if start < 0:
            pieces.append(data[done:])
            return b"".join(pieces), 0, keys
        keys += 1
        key_lines = MAX_LINES - 1
        pieces += (data[done:start], MARK, b"\n")
        done = data.index(b"\n", start) + 1


def _opening(data: bytes, start: int) -> int:
    """Where the next line starts on which a key begins and does not end, or -1."""
    at = start
    while begin := _BEGIN.search(data, at):
        end = _END.search(data, begin.end(), data.index(b"\n", begin.end()))
        if end is None:
            return data.rfind(b"\n", start, begin.start()) + 1 or start
        at = end.end()
    return -1


def _body(data: bytes, start: int, limit: int) -> tuple[int, int, bool]:
    """Where an open key's lines stop, how many they are, and whether the END line is among them."""
    stop = start
    for lines in range(limit):
        newline = data.find(b"\n", stop)
        if newline < 0:
            return stop, lines, False
        closed = _END.search(data, stop, newline) is not None
        stop = newline + 1
        if closed:
            return stop, lines + 1, True
    return stop, limit, False

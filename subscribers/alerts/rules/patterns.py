"""All rules' regexes over a chunk of lines in one pass, and which lines they matched. Pure.

A chunk is looked through in pieces of a few KiB. First a screen says which rules may match in a
piece at all: re2's `Filter`, which looks for all the literal texts that the regexes cannot do
without, as one automaton; or Hyperscan, where it is installed (the extra `fast`), which says it
for the whole regexes. Only those rules' own regexes then look at that piece. Neither grows with
what rules have in common, as one automaton of all regexes would: 500 of `a.*b` have 2^500 states.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import re2

from subscribers.alerts.rules.regexes import compile_line

PIECE: Final = 4096
"""Bytes: the smaller, the less a rule that matches looks at; the larger, the fewer the calls."""

FILTER: Final = 16_000
"""Characters of the patterns that share a filter; RE2 refuses it beyond about 70,000."""

_Screen = Callable[[bytes], Sequence[int]]


class Hit(NamedTuple):
    """A pattern, by its index, matched in a line, by its index in the chunk. The match's offsets
    are those of a piece of the chunk."""

    line: int
    pattern: int
    match: Any


class Patterns:
    """Compiled regexes. For one thread at a time. Raises `ValueError` for what is no regex."""

    def __init__(self, patterns: Sequence[str], *, hyperscan: bool = True) -> None:
        self._compiled = [compile_line(pattern) for pattern in patterns]
        self._filter = _filter_screen(patterns)
        self._fast = _hyperscan_screen(patterns) if hyperscan and patterns else None

    @property
    def fast(self) -> bool:
        """Whether Hyperscan screens what is ASCII."""
        return self._fast is not None

    def find(self, text: bytes) -> list[Hit]:
        """The first match of each pattern in each line, by line and then by pattern."""
        hits: list[Hit] = []
        line = counted = 0  # lines before the byte up to which they were counted
        for start, piece in _pieces(text):
            screen = self._fast if self._fast is not None and piece.isascii() else self._filter
            found = screen(piece)
            if not found:
                continue
            line += text.count(b"\n", counted, start)
            counted = start
            for index in found:
                hits += self._search(index, piece, line)
        if len(hits) > 1:
            hits.sort(key=_place)
        return hits

    def _search(self, index: int, piece: bytes, line: int) -> Iterator[Hit]:
        search = self._compiled[index].search
        at = counted = 0
        while (match := search(piece, at)) is not None:
            line += piece.count(b"\n", counted, match.start())
            counted = match.start()
            yield Hit(line, index, match)
            at = piece.find(b"\n", match.end()) + 1
            if not at:
                return


def without_literal(patterns: Sequence[str]) -> list[int]:
    """The indices of those that hold no literal text (of three characters): re2's screen lets every
    line through to them, at the cost of a search each."""
    return list(_filter_screen(patterns)(b""))


def _place(hit: Hit) -> tuple[int, int]:
    return hit.line, hit.pattern


def _pieces(text: bytes) -> Iterator[tuple[int, bytes]]:
    """Pieces of whole lines, each with its offset."""
    size = len(text)
    if size <= PIECE:
        yield 0, text
        return
    at = 0
    while at < size:
        end = text.rfind(b"\n", at, at + PIECE) + 1 or text.find(b"\n", at + PIECE) + 1 or size
        if size - at <= PIECE:
            end = size
        yield at, text[at:end]
        at = end


def _filter_screen(patterns: Sequence[str]) -> _Screen:
    """RE2's filters, as few as there can be: the automaton of each is bounded."""
    filters = [
        made
        for group in _groups(patterns)
        for made in _filters([(index, patterns[index]) for index in group])
    ]
    if len(filters) == 1:
        ((_, only),) = filters
        if only is not None:
            return lambda piece: only.Match(piece, True) or ()

    def screen(piece: bytes) -> Sequence[int]:
        found: list[int] = []
        for indices, one in filters:
            passed = range(len(indices)) if one is None else one.Match(piece, True) or ()
            found += [indices[index] for index in passed]
        return found

    return screen


def _groups(patterns: Sequence[str]) -> Iterator[list[int]]:
    """Indices of patterns with so many characters as one filter takes with ease."""
    group: list[int] = []
    size = 0
    for index, pattern in enumerate(patterns):
        if group and size + len(pattern) > FILTER:
            yield group
            group, size = [], 0
        group.append(index)
        size += len(pattern)
    if group:
        yield group


def _filters(patterns: Sequence[tuple[int, str]]) -> list[tuple[list[int], Any]]:
    """One filter, or several where that is too large; None in place of one that cannot be made,
    whose pattern is tried on everything."""
    options = re2.Options()
    options.never_nl = True
    options.log_errors = False
    made = re2.Filter()
    for _, pattern in patterns:
        made.Add(f"(?m:{pattern})".encode(), options)
    indices = [index for index, _ in patterns]
    try:
        made.Compile()
    except re2.error:
        if len(patterns) == 1:
            return [(indices, None)]
        half = len(patterns) // 2
        return [*_filters(patterns[:half]), *_filters(patterns[half:])]
    return [(indices, made)]


def _hyperscan_screen(patterns: Sequence[str]) -> _Screen | None:
    """None where Hyperscan is not installed or does not know one of the patterns. It matches at
    least where re2 does: on ASCII, where a byte is a character for both."""
    if not all(_same_for_both(pattern) for pattern in patterns):
        return None
    try:
        import hyperscan
    except ImportError:
        return None
    flags = hyperscan.HS_FLAG_MULTILINE | hyperscan.HS_FLAG_SINGLEMATCH
    database = hyperscan.Database()
    try:
        database.compile(
            expressions=[pattern.encode() for pattern in patterns],
            ids=list(range(len(patterns))),
            elements=len(patterns),
            flags=[flags] * len(patterns),
        )
        scratch = hyperscan.Scratch(database)
    except hyperscan.error:
        return None

    def screen(piece: bytes) -> Sequence[int]:
        found: list[int] = []
        database.scan(piece, match_event_handler=_found, context=found, scratch=scratch)
        return found

    return screen


def _same_for_both(pattern: str) -> bool:
    return pattern.isascii() and not any(part in pattern for part in (r"\p", r"\P", r"\v", r"\x{"))


def _found(pattern: int, _start: int, _end: int, _flags: int, found: Any) -> None:
    found.append(pattern)

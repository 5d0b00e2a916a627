"""Which lines of a chunk need a closer look, asked of Hyperscan at several GB/s. Pure.

Most lines of most logs hold no secret and no control byte. RE2 needs a pass at under 1 GB/s to say
so and the control bytes another; Hyperscan (the extra `fast`) says it in one, quicker than either,
and says where. It only ever screens: what it points at goes the way it goes without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from broker.text.rules import PRIVATE_KEY, Rule

_CONTROLS: Final = r"[\x00-\x08\x0b-\x1f\x7f\x{80}-\x{9f}]"
_EVERYTHING: Final = 0  # the id under which a pattern speaks for the whole chunk
_MOST_HITS: Final = 512  # in a chunk; with more, RE2 over all of it is quicker


class Screen:
    """For one thread at a time; `clone` gives another thread its own, of the same database.

    It matches at least where RE2 does: both take the chunk as UTF-8, and what RE2 must not do
    (cross a line) is allowed here.
    """

    def __init__(self, database: Any) -> None:
        self._database = database
        self._scratch: Any = None  # made when first used: a silent job needs none

    def clone(self) -> Screen:
        """The same for another thread."""
        return Screen(self._database)

    def suspects(self, data: bytes) -> list[tuple[int, int]] | None:
        """The lines of valid UTF-8 in which a rule may match, as `[start, stop)`, in order.

        None where all of it needs work: a control byte, the begin of a private key, or too many
        such lines.
        """
        import hyperscan

        if self._scratch is None:
            self._scratch = hyperscan.Scratch(self._database)
        ends: list[int] = []
        try:
            self._database.scan(
                data, match_event_handler=_found, context=ends, scratch=self._scratch
            )
        except hyperscan.ScanTerminated:
            return None
        stops: dict[int, int] = {}
        for end in ends:
            last = max(end - 1, 0)  # the match's last byte, which may be its line's end
            stops[data.rfind(b"\n", 0, last) + 1] = data.find(b"\n", last) + 1 or len(data)
        return sorted(stops.items())


def _found(rule: int, _start: int, end: int, _flags: int, ends: list[int]) -> bool:
    ends.append(end)
    return rule == _EVERYTHING or len(ends) > _MOST_HITS  # then there is no need to look further


def make_screen(rules: Sequence[Rule]) -> Screen | None:
    """A screen for these rules; None where Hyperscan is not installed or does not know one of the
    patterns, and all goes through RE2 then."""
    try:
        import hyperscan
    except ImportError:
        return None
    patterns = {_CONTROLS: _EVERYTHING}
    for number, rule in enumerate(rules, 1):
        patterns[rule.screen or rule.pattern] = _EVERYTHING if rule == PRIVATE_KEY else number
    database = hyperscan.Database()
    try:
        database.compile(
            expressions=[pattern.encode() for pattern in patterns],
            ids=list(patterns.values()),
            elements=len(patterns),
            flags=[hyperscan.HS_FLAG_MULTILINE | hyperscan.HS_FLAG_UTF8] * len(patterns),
        )
    except hyperscan.error:
        return None
    return Screen(database)

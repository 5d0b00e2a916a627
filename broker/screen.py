"""Whether a chunk needs any work at all, asked of Hyperscan at several GB/s. Pure.

Most chunks of most logs hold no secret, no escape and no control byte. RE2 needs one pass at under
1 GB/s to say so and the control bytes another; Hyperscan (the extra `fast`) says it in one, quicker
than either. It only ever screens: what it does not call clean goes the way it goes without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from broker.rules import Rule

_CONTROLS: Final = rb"[\x00-\x08\x0b-\x1f\x7f]"


class Screen:
    """For one thread at a time; `clone` gives another thread its own, of the same database.

    It matches at least where RE2 does: only ASCII is screened, where a byte is a character for
    both, and what RE2 must not do (cross a line) is allowed here.
    """

    def __init__(self, database: Any) -> None:
        self._database = database
        self._scratch: Any = None  # made when first used: a silent job needs none

    def clone(self) -> Screen:
        """The same for another thread."""
        return Screen(self._database)

    def clean(self, data: bytes) -> bool:
        """Whether no rule can match, and no byte is to be taken out; False where in doubt."""
        if not data.isascii():
            return False
        import hyperscan

        if self._scratch is None:
            self._scratch = hyperscan.Scratch(self._database)
        hits: list[int] = []
        try:
            self._database.scan(
                data, match_event_handler=_found, context=hits, scratch=self._scratch
            )
        except hyperscan.ScanTerminated:
            return False
        return not hits


def _found(rule: int, _start: int, _end: int, _flags: int, hits: list[int]) -> bool:
    hits.append(rule)
    return True  # no need to look further


def make_screen(rules: Sequence[Rule]) -> Screen | None:
    """A screen for these rules; None where Hyperscan is not installed or does not know one of the
    patterns, and all goes through RE2 then."""
    try:
        import hyperscan
    except ImportError:
        return None
    patterns = [_CONTROLS, *((rule.screen or rule.pattern).encode() for rule in rules)]
    flags = hyperscan.HS_FLAG_MULTILINE | hyperscan.HS_FLAG_SINGLEMATCH
    database = hyperscan.Database()
    try:
        database.compile(
            expressions=patterns,
            ids=list(range(len(patterns))),
            elements=len(patterns),
            flags=[flags] * len(patterns),
        )
    except hyperscan.error:
        return None
    return Screen(database)

"""Wrong tokens by address, so that trying many is slow. Pure."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

LIMIT: Final = 20
WINDOW_S: Final = 60.0
_MAX_ADDRESSES: Final = 10_000
_MAX_RIGHT: Final = 1_000


class Attempts:
    """An address that was wrong `LIMIT` times within `WINDOW_S` is shut until the window is over.

    A token that was right there before still is let in: a program with an old token must not shut
    out another on the same machine, or behind the same proxy. Bounded; what is forgotten first is
    what was quiet longest. One thread at a time.
    """

    def __init__(self) -> None:
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()  # times, since when
        self._right: OrderedDict[tuple[str, str], None] = OrderedDict()  # address, token's hash

    def shut_for(self, address: str, digest: str, now: float) -> float:
        """Seconds until the address may try again; 0 where it may now."""
        times, since = self._wrong.get(address, (0, now))
        left = since + WINDOW_S - now
        return left if times >= LIMIT and left > 0 and (address, digest) not in self._right else 0.0

    def wrong(self, address: str, now: float) -> int:
        """Count one; how often it was wrong in this window."""
        times, since = self._wrong.pop(address, (0, now))
        if now >= since + WINDOW_S:
            times, since = 0, now
        self._wrong[address] = (times + 1, since)
        if len(self._wrong) > _MAX_ADDRESSES:
            self._wrong.popitem(last=False)
        return times + 1

    def right(self, address: str, digest: str) -> None:
        """Remember a token that was let in."""
        self._right[address, digest] = None
        self._right.move_to_end((address, digest))
        if len(self._right) > _MAX_RIGHT:
            self._right.popitem(last=False)

"""Wrong tokens by address, so that trying many is slow. Pure."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

LIMIT: Final = 20
WINDOW_S: Final = 60.0
_MAX_ADDRESSES: Final = 10_000


class Attempts:
    """How often an address was wrong, within `WINDOW_S` from the first time on. Bounded; what is
    forgotten first is what was quiet longest. One thread at a time."""

    def __init__(self) -> None:
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()  # times, since when

    def wrong(self, address: str, now: float) -> tuple[int, float]:
        """Count one; how often it was wrong in this window, and the seconds until that is over."""
        times, since = self._wrong.pop(address, (0, now))
        if now >= since + WINDOW_S:
            times, since = 0, now
        self._wrong[address] = (times + 1, since)
        if len(self._wrong) > _MAX_ADDRESSES:
            self._wrong.popitem(last=False)
        return times + 1, since + WINDOW_S - now

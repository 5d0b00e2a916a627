"""Clients whose streams were ended for being slow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from broker.events import get_logger

events: Final = get_logger("dashboard")

Why = Literal["full", "stalled"]

_MOST_NAMES: Final = 50
_OTHER: Final = "other"


class SlowDisconnects:
    """Counted by their token's name; beyond `_MOST_NAMES` of them, the rest together as `other`.
    `count` is called for each. The event loop's thread; `by_name` may be copied on any."""

    def __init__(self, count: Callable[[], object]) -> None:
        self.by_name: dict[str, int] = {}
        self._count = count

    def add(self, name: str, address: str, what: str, why: Why) -> None:
        """`full`: its buffer was, and `on_slow` says so; `stalled`: it took nothing for long."""
        self._count()
        key = name if name in self.by_name or len(self.by_name) < _MOST_NAMES else _OTHER
        self.by_name[key] = self.by_name.get(key, 0) + 1
        events.warning("client_cut", name=name, address=address, what=what, why=why)

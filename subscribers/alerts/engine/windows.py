"""How many there were in the last so many seconds. Pure; the clock is the caller's."""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

import msgspec

MOST_ENTRIES: Final = 512
CELLS: Final = 256
"""Beyond `MOST_ENTRIES` different times, those within a 256th of the window become one."""


class Window(msgspec.Struct, array_like=True):
    """Counts by their times, oldest first. Exact up to `MOST_ENTRIES` times; beyond that a count
    may be kept for a 256th of the window too long."""

    times: list[float] = []
    counts: list[int] = []
    total: int = 0

    def add(self, time: float, count: int, span: float) -> None:
        """`count` more. A time before the newest one is taken for that one."""
        self.total += count
        if self.times and time <= self.times[-1]:
            self.counts[-1] += count
            return
        self.times.append(time)
        self.counts.append(count)
        if len(self.times) > MOST_ENTRIES:
            self._compact(span / CELLS)

    def count(self, now: float, span: float) -> int:
        """How many in `(now - span, now]`; older ones are let go."""
        old = bisect_right(self.times, now - span)
        self._drop(old)
        return self.total

    def within(self, now: float, span: float) -> int:
        """The same, and nothing is let go."""
        return sum(self.counts[bisect_right(self.times, now - span) :])

    def keep(self, newest: int) -> None:
        """Let go of what is not among the `newest` last ones."""
        old, left = 0, self.total
        while old < len(self.counts) and left - self.counts[old] >= newest:
            left -= self.counts[old]
            old += 1
        self._drop(old)

    def since(self, newest: int) -> float | None:
        """The time of the one that is the `newest`th from the end; None where there are fewer."""
        for time, count in zip(reversed(self.times), reversed(self.counts), strict=True):
            newest -= count
            if newest <= 0:
                return time
        return None

    def _drop(self, entries: int) -> None:
        if entries:
            self.total -= sum(self.counts[:entries])
            del self.times[:entries], self.counts[:entries]

    def _compact(self, cell: float) -> None:
        times: list[float] = []
        counts: list[int] = []
        for time, count in zip(self.times, self.counts, strict=True):
            if times and time // cell == times[-1] // cell:
                times[-1] = time
                counts[-1] += count
            else:
                times.append(time)
                counts.append(count)
        newest = self.times[-1]
        kept = bisect_right(times, newest - cell * CELLS)
        self.total -= sum(counts[:kept])
        self.times, self.counts = times[kept:], counts[kept:]

"""When the lines of a log file were printed, by the times they begin with. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

_TIME: Final = re.compile(
    r"^(?:\([^)\n]{0,200}\) )?[^\w\n]{0,3}"
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,6})\d*)?(Z|[+-]\d\d:?\d\d)?",
    re.MULTILINE,
)


class Clock:
    """Gives each line a time: its own, else that of the line before, and never one before that.

    Where the first lines have none, `lines_per_second` are assumed, from 0 on. Times without a
    zone are taken for UTC.
    """

    def __init__(self, lines_per_second: float) -> None:
        self.known: bool | None = None  # whether the lines have times; None before any
        self._pace = 1 / lines_per_second
        self._now = 0.0

    def runs(self, lines: Sequence[str]) -> Iterator[tuple[float, int]]:
        """The time, in seconds, and the number of lines that have it; lines of a second are one."""
        if self.known is None:
            first = next((time for line in lines if (time := _of(line)) is not None), None)
            self.known = first is not None
            self._now = -self._pace if first is None else first
        begins, count = self._now, 0
        for line in lines:
            self._now = max(self._now, _of(line) or 0.0) if self.known else self._now + self._pace
            if count and int(self._now) != int(begins):
                yield begins, count
                count = 0
            if not count:
                begins = self._now
            count += 1
        if count:
            yield begins, count


def _of(line: str) -> float | None:
    found = _TIME.match(line)
    if found is None:
        return None
    day, time, fraction, zone = found.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{time}{(zone or '').replace('Z', '+00:00')}")
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.timestamp() + float(f"0.{fraction or 0}")

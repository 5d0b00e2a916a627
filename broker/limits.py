"""How much one stream may take: totals as a library, budgets for a window in the daemon. Pure."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import ceil
from typing import Final, NamedTuple

from broker.errors import ClientError

MIB: Final = 1 << 20
_ROUNDING_S: Final = 1e-6  # `now + wait` must be past the window's end, whatever floats round to


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Limits of one stream; each a positive int, else `ClientError` 400 that names the field."""

    max_messages: int = 10_000  # websocket messages or HTTP reads; frames in the daemon
    max_lines: int = 50_000
    max_bytes: int = 50 * MIB  # as received, line ends included
    max_message_size: int = 10_240  # bytes of one line; what is longer is truncated, and says so
    queue_size: int = 1_000  # messages between the reading thread and the consumer
    exception_queue_size: int = 10  # errors kept

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ClientError(400, f"{field.name}: a positive int is needed, not {value!r:.40}")


class Room(NamedTuple):
    """What a window has left. None of them is negative; a 0 means: wait."""

    messages: int
    lines: int
    bytes: int


class WindowBudget:
    """One stream's budget: `max_messages`, `max_lines` and `max_bytes` for each window.

    A message (frame) is never split. It may pass when the window has room for all of it; one that
    is over the budget by itself may pass when nothing is owed, and what it takes too much is owed
    by the next windows, so that nothing blocks for ever and the mean rate still holds.

        if (seconds := budget.wait(now, lines, size)): sleep, drop or stop
        else: budget.spend(now, lines, size)

    `now` is seconds of any clock that does not go back. Windows follow each other without a break
    from the first call on. Not thread-safe. `window_s` over 0.001, else `ClientError` 400.
    """

    def __init__(self, limits: StreamLimits, window_s: float = 1.0) -> None:
        if not 0.001 <= window_s < float("inf"):
            raise ClientError(400, f"window: at least 0.001 s is needed, not {window_s!r}")
        self._limits = (limits.max_messages, limits.max_lines, limits.max_bytes)
        self._window_s = window_s
        self._start: float | None = None
        self._spent = (0, 0, 0)

    def room(self, now: float) -> Room:
        """What may still be taken in this window: how much it is worth to read."""
        self._roll(now)
        return Room(
            *(max(0, limit - spent) for limit, spent in zip(self._limits, self._spent, strict=True))
        )

    def wait(self, now: float, lines: int = 1, size: int = 1) -> float:
        """Seconds until a message of `lines` lines and `size` bytes may pass; 0.0: now."""
        start = self._roll(now)
        wanted = (1, lines, size)
        counts = list(zip(self._limits, self._spent, wanted, strict=True))
        if all(want <= limit for limit, _, want in counts):
            windows = max(ceil((spent + want - limit) / limit) for limit, spent, want in counts)
        else:
            windows = max(ceil(spent / limit) for limit, spent, _ in counts)
        return max(0.0, start + windows * self._window_s - now) if windows > 0 else 0.0

    def spend(self, now: float, lines: int, size: int) -> None:
        """Take one message out of the budget, whether it fits or not."""
        self._roll(now)
        messages, had_lines, had_bytes = self._spent
        self._spent = (messages + 1, had_lines + lines, had_bytes + size)

    def _roll(self, now: float) -> float:
        """Begin the window that `now` lies in, and give back its start."""
        if self._start is None:
            self._start = now
        windows = int((now - self._start + _ROUNDING_S) // self._window_s)
        if windows > 0:
            self._start += windows * self._window_s
            messages, lines, size = (
                max(0, spent - windows * limit)
                for limit, spent in zip(self._limits, self._spent, strict=True)
            )
            self._spent = (messages, lines, size)
        return self._start

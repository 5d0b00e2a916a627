"""What is known of one job's stream. Pure.

Its clock is that of its frames: when the broker read them. While lines are known to be there that
have not come yet, it stands still; else it goes with the wall clock.
"""

from __future__ import annotations

from typing import Final

import msgspec

from broker.frame import Frame, trim
from broker.jobview import JobView
from subscribers.alerts.rules.blocks import Blocks

PATIENCE_S: Final = 120.0
"""Wall clock seconds without a frame after which lines that should come are no more waited for."""

AHEAD_S: Final = 60.0
"""A frame from further in the future than that is one of a clock that was wrong: a job's clock
never goes back, so it would stand still until then."""


class Mark(msgspec.Struct, array_like=True):
    """At `time`, the broker had (or Ray's file held) all up to `at`."""

    epoch: str
    at: int
    time: float


class StreamState(msgspec.Struct, array_like=True):
    """A stream's position and clock, and what the broker said of it."""

    clock: float = 0.0  # event time, seconds since 1970
    epoch: str = ""
    next: int | None = None  # the next line; None before any frame
    fed: float = 0.0  # wall clock of the last frame
    status: str = ""
    run: int = 0
    running: float | None = None  # it has been RUNNING since we know of it
    base: int | None = None  # where the broker stood when it was first told of
    mark: Mark | None = None  # lines that the broker has and that have not come
    source_mark: Mark | None = None  # bytes of Ray's file that the broker has not read
    size: int | None = None
    offset: int | None = None
    reconnects: int | None = None
    told: float = 0.0  # wall clock of the broker's last word on it
    held: bool = False  # restored, and the broker has not said yet where it stands
    tail: list[str] = []  # its last lines, for {before}
    matched: list[str] = []  # the rules that the partial last line met
    blocks: Blocks = msgspec.field(default_factory=Blocks)

    def time(self, now: float) -> float:
        """Its clock at the wall clock's `now`."""
        waits = self.held or self.mark is not None
        if waits and now - max(self.fed, self.told) < PATIENCE_S:
            return self.clock
        return max(self.clock, now)

    def accept(self, frame: Frame, now: float) -> Frame | None:
        """Advance to a frame of any kind; its part that is new, None where it is a repeat."""
        self.fed = now
        time = frame.ts / 1e9 if frame.ts else now
        self.clock = max(self.clock, min(time, now + AHEAD_S))
        if frame.kind not in ("log", "gap"):
            if self.next is None or frame.kind == "reset":
                self.epoch, self.next = frame.epoch, frame.next
            return frame
        if frame.epoch != self.epoch or self.next is None:
            self.epoch, self.next = frame.epoch, frame.next
            return frame
        if frame.amends and frame.first == self.next - 1:
            self.next = frame.next
            return frame
        if frame.next <= self.next:
            return None
        new = trim(frame, self.next) if frame.kind == "log" else frame
        self.next = frame.next
        return new

    def reached(self) -> float | None:
        """The time of a mark that was reached by now: all that was there then was seen."""
        if self.mark is None or not self._has(self.mark):
            return None
        time, self.mark = self.mark.time, None
        return time

    def heard(self, view: JobView, now: float) -> None:
        """The broker's word on where it stands."""
        self.told = now
        self.held = False
        if self.base is None:
            self.base = view.next
        seen = Mark(view.epoch, view.next, now)
        if self.mark is not None and self.mark.epoch not in (view.epoch, ""):
            self.mark = None  # another file; nobody waits for the old one
        if self.mark is None and not self._has(seen):
            self.mark = seen
        self._heard_source(view, now)

    def lag(self, now: float) -> tuple[float, float]:
        """For how many seconds lines that were there have not been here, and since when."""
        times = [mark.time for mark in (self.mark, self.source_mark) if mark is not None]
        since = min(times, default=now)
        return now - since, since

    def _has(self, mark: Mark) -> bool:
        if self.next is None:
            return mark.at == self.base
        return mark.epoch in (self.epoch, "") and self.next >= mark.at

    def _heard_source(self, view: JobView, now: float) -> None:
        before = (self.size, self.offset)
        self.size, self.offset = view.size, view.offset
        behind = view.size is not None and view.offset is not None and view.offset < view.size
        # A last line without its end is never read on: it is not what is waited for.
        still = view.state == "streaming" and before == (view.size, view.offset)
        if not behind or still:
            self.source_mark = None
        elif self.source_mark is None or (view.offset or 0) >= self.source_mark.at:
            self.source_mark = Mark(view.epoch, view.size or 0, now)

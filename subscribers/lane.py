"""One epoch of one stream: frames in from anywhere, lines out once and in order. Pure.

      expected                 first of what waits          target
         │   hole: ask the journal     │                       │
─────────┼─────────────────────────────┼═══════════════════════┼──────▶ lines
delivered                              waiting                  known to exist
"""

from __future__ import annotations

from bisect import bisect_right, insort
from typing import Final, NamedTuple

from broker.frame import Frame, replace, trim
from subscribers.stats import Budget, Stats

_LINE_OVERHEAD: Final = 64  # what a decoded line takes beyond its bytes
_MOST_GAPS: Final = 256
_LINGER_NS: Final = 120 * 10**9  # a log is looked at for less than that after its end


class _Waiting(NamedTuple):
    first: int
    has_lines: bool  # what is said about a position goes before the lines that begin there
    order: int
    frame: Frame
    size: int


class Lane:
    """The position in one epoch. `accept` and `settle` return what is to be delivered, in order."""

    def __init__(self, epoch: str, start: int, budget: Budget, stats: Stats) -> None:
        self.epoch = epoch
        self.expected = start
        self.target = 0  # the highest position anyone told of; `start` may be beyond it
        self._start = start
        self._budget = budget
        self._stats = stats
        self._waiting: list[_Waiting] = []
        self._order = 0
        self._gaps: list[Frame] = []  # what brokers could not send, until a journal is asked
        self._open_line: str | None = None  # the text of line expected-1 while it has no end
        self._open_ts = 0  # when a broker read that
        self._last_ts = 0  # of what was told last, by any broker
        self._given_up = False  # no journal has more of that line: others may follow it

    @property
    def position(self) -> int:
        """`expected`, or the end of what is known where `start` is beyond it."""
        return min(self.expected, self.target)

    @property
    def lacking(self) -> int:
        """The line to ask a journal from: one that was delivered without its end may have grown."""
        return self.expected - (self._open_line is not None)

    def may_have_grown(self, ts: int) -> bool:
        """Whether the last line lacks its end, and a position that was told at `ts` leaves open
        whether it has grown: no number shows that."""
        told = self._open_line is not None and self.expected >= self.target
        return told and ts <= self._last_ts + _LINGER_NS

    def accept(self, frame: Frame, size: int) -> list[Frame]:
        """A frame of any kind with lines or a position, from a broker or a journal."""
        self.target = max(self.target, frame.next)
        self._last_ts = max(self._last_ts, frame.ts)
        if frame.kind == "gap":
            if frame.next > self.expected:
                self._gaps = [*self._gaps[1 - _MOST_GAPS :], frame]
            return []
        if frame.first > self._next(frame.kind == "log"):
            self._hold(frame, size + _LINE_OVERHEAD * len(frame.lines))
            return []
        return [*self._take(frame), *self._drain()]

    @property
    def blocked(self) -> bool:
        """Whether lines that follow wait only because the one before them lacks its end."""
        return bool(self._waiting) and self._waiting[0].first <= self.expected

    def missing(self) -> tuple[int, int] | None:
        """Lines `[first, next)` that are known to exist and have not come, or not to their end."""
        if self._waiting:
            return self.lacking, self._waiting[0].first
        return (self.lacking, self.target) if self.target > self.expected else None

    def settle(self, upto: int, why: Frame, *, whole: bool = False) -> list[Frame]:
        """No journal has more: what lacks before line `upto` is delivered as gaps, with the reason
        a broker gave for it, else as `why` says. `whole`: nor has any the end of the line before
        `upto`; it stays without."""
        frames: list[Frame] = []
        self.target = max(self.target, upto)
        if self.expected == upto and (whole or why.first < upto == why.next):
            self._given_up = True
            frames += self._drain()
        while self.expected < upto and not self.blocked:
            edge = min(upto, self._waiting[0].first) if self._waiting else upto
            for gap in self._gap_frames(self.expected, edge, why):
                frames.append(gap)
                self._stats.gaps += 1
                self._stats.missing += gap.next - gap.first
            self.expected, self._open_line = edge, None
            frames += self._drain()
        return frames

    def release(self) -> None:
        """Let go of what waits."""
        self._budget.give(sum(item.size for item in self._waiting))
        self._waiting.clear()

    def _next(self, has_lines: bool) -> int:
        """Where a frame has to begin that need not wait. Lines do not pass one that lacks its end:
        it would never get it."""
        return self.lacking if has_lines and not self._given_up else self.expected

    def _take(self, frame: Frame) -> list[Frame]:
        """A frame that begins at or before `expected`."""
        if frame.kind != "log":
            last_word = frame.kind == "end" and frame.next == self.target
            return [frame] if frame.first >= self._start or last_word else []
        last = self.expected - 1
        if self._open_line is not None and frame.first <= last < frame.next:
            text = frame.lines[last - frame.first]
            whole = frame.next > self.expected or not frame.partial
            if not whole and not self._has_grown(text, frame.ts):
                self._stats.repeats += 1
                return []
            fresh = replace(trim(frame, last), amends=True)
        elif frame.next <= self.expected:
            self._stats.repeats += 1
            return []
        else:
            fresh = trim(frame, self.expected)
            if fresh.amends:  # nothing was delivered that it could replace
                fresh = replace(fresh, amends=False)
        self.expected = fresh.next
        self._open_line = fresh.lines[-1] if fresh.partial else None
        self._open_ts, self._given_up = fresh.ts, False
        self._gaps = [gap for gap in self._gaps if gap.next > self.expected]
        return [fresh]

    def _has_grown(self, text: str, ts: int) -> bool:
        """Whether a text without its end is a later one of the open line. It may be shorter: what
        was added can make a secret of it."""
        known = self._open_line or ""
        return not known.startswith(text) and (text.startswith(known) or ts > self._open_ts)

    def _hold(self, frame: Frame, size: int) -> None:
        self._order += 1
        item = _Waiting(frame.first, frame.kind == "log", self._order, frame, size)
        index = bisect_right(self._waiting, item)
        if item.has_lines and index:
            before = self._waiting[index - 1]
            if before.has_lines and before.frame.next >= frame.next and not before.frame.partial:
                self._stats.repeats += 1
                return
        if self._budget.take(size):
            insort(self._waiting, item)
        else:
            self._stats.dropped += 1

    def _drain(self) -> list[Frame]:
        frames: list[Frame] = []
        done = 0
        for item in self._waiting:
            if item.first > self._next(item.has_lines):
                break
            frames += self._take(item.frame)
            self._budget.give(item.size)
            done += 1
        del self._waiting[:done]
        return frames

    def _gap_frames(self, first: int, end: int, why: Frame) -> list[Frame]:
        """`[first, end)` as gap frames, cut where the reason changes."""
        pieces: list[Frame] = []
        while first < end:
            known = next((gap for gap in self._gaps if gap.first <= first < gap.next), None)
            if known is not None:
                edge, template = min(end, known.next), known
            else:
                starts = [gap.first for gap in self._gaps if first < gap.first < end]
                edge, template = min(starts, default=end), why
            if pieces and pieces[-1].reason == template.reason:
                pieces[-1] = replace(pieces[-1], next=edge)
            else:
                pieces.append(replace(template, epoch=self.epoch, first=first, next=edge))
            first = edge
        self._gaps = [gap for gap in self._gaps if gap.next > end]
        return pieces

"""What one client has of each log, so that it gets each line once and no hole goes unseen. Pure.

Live frames and replayed ones of a job overlap, and which of them comes first is not known. Each
goes through `take`, which lets pass what is new and names what lacks before it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from itertools import islice
from typing import Final, NamedTuple

from broker.frame import Frame, replace, trim
from broker.topic import Stream

_REMEMBERED: Final = 256
_MOST_PLACES: Final = 20_000


class Place(NamedTuple):
    """One epoch of one log."""

    stream: Stream
    epoch: str

    @classmethod
    def of(cls, frame: Frame) -> Place:
        """Where a frame belongs."""
        return cls(Stream(frame.cluster, frame.job), frame.epoch)


class Hole(NamedTuple):
    """Lines `[first, next)` lack."""

    place: Place
    first: int
    next: int


class Positions:
    """The line that comes next in each place, as far as that is known: in a place that is not,
    the first frame says where the client begins. `before` may know it of a place that turns up
    later: the line, and whether the one before it is open."""

    def __init__(self, before: Callable[[Place], tuple[int, bool] | None] = lambda _: None) -> None:
        self._before = before
        self._next: dict[Place, int] = {}
        self._open: dict[Place, int] = {}  # characters of the last line, while it has no end
        self._began: dict[Place, int] = {}  # while what is before it was had earlier, or replayed
        self._said: dict[Hashable, None] = {}

    def begin(self, place: Place, line: int, *, is_open: bool = False) -> None:
        """The client has what is before `line`; `is_open`: of the line before it, only a part."""
        self._set(place, line)
        self._began[place] = line
        if is_open and line:
            self._open[place] = 0

    def next(self, place: Place) -> int | None:
        """The line that comes next; None where nothing came yet."""
        line = self._next.get(place)
        if line is None and (had := self._before(place)) is not None:
            line, is_open = had
            self.begin(place, line, is_open=is_open)
        return line

    def is_open(self, place: Place) -> bool:
        """Whether the last line had no end."""
        return place in self._open

    def recent(self, count: int) -> list[tuple[Place, int, bool]]:
        """The last `count` places in which something came: the line that comes next, and whether
        the one before it had no end."""
        last = islice(reversed(self._next.items()), count)
        return [(place, line, place in self._open) for place, line in last]

    def __len__(self) -> int:
        return len(self._next)

    def settled(self) -> None:
        """What was replayed has met what is live."""
        self._began.clear()

    def pass_over(self, place: Place, line: int) -> None:
        """The client was told that it does not get what is before `line`."""
        self._set(place, line)
        self._open.pop(place, None)

    def take(self, frame: Frame, place: Place, *, replayed: bool = False) -> Frame | Hole | None:
        """The frame, or what is new of it; None where that is nothing; a `Hole` where lines lack
        before it, and then nothing has changed."""
        expected = self._next.get(place)
        if expected is None:
            expected = self.next(place)
        if expected is not None and frame.first > expected:
            return Hole(place, expected, frame.first)
        if frame.kind not in ("log", "gap"):
            return self._said_once(frame, place, replayed)
        fresh: Frame | None = frame
        if expected is not None and (frame.first != expected or frame.amends):
            fresh = self._rest(frame, place, expected)
        if fresh is None:
            return None
        self._set(place, fresh.next)
        if fresh.partial:
            self._open[place] = len(fresh.lines[-1])
        elif self._open:
            self._open.pop(place, None)
        return fresh

    def _set(self, place: Place, line: int) -> None:
        self._next.pop(place, None)
        self._next[place] = line  # the last is the most recent
        if len(self._next) > _MOST_PLACES:
            oldest = next(iter(self._next))
            for known in (self._next, self._open, self._began):
                known.pop(oldest, None)

    def _rest(self, frame: Frame, place: Place, expected: int) -> Frame | None:
        last = expected - 1
        had = self._open.get(place)
        if frame.kind == "log" and had is not None and frame.first <= last < frame.next:
            whole = frame.next > expected or not frame.partial
            if not whole and len(frame.lines[last - frame.first]) <= had:
                return None
            same = frame.amends and frame.first == last  # else its shared bytes would not do
            return frame if same else replace(trim(frame, last), amends=True)
        if frame.next <= expected:
            return None
        fresh = trim(frame, expected)
        return replace(fresh, amends=False) if fresh.amends else fresh

    def _said_once(self, frame: Frame, place: Place, replayed: bool) -> Frame | None:
        key = frame.kind, place, frame.first, frame.status, frame.run, frame.code, frame.message
        if key in self._said:
            return None
        if replayed:
            if len(self._said) >= _REMEMBERED:
                del self._said[next(iter(self._said))]
            self._said[key] = None
        elif frame.first < self._began.get(place, 0):
            return None
        return frame

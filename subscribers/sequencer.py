"""One stream put in order: live frames of any broker and replayed ones, each line once. Pure.

No socket, clock or thread: frames are fed in, frames to deliver come out, and `questions` says
what a journal must be asked for. Order holds within an epoch; another epoch is another file, and
does not wait for the holes of the one before.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import Final, Literal, NamedTuple

from broker.frame import Frame, replace
from broker.topic import Stream
from subscribers.lane import Lane
from subscribers.stats import Budget, Stats

Start = Literal["live", "begin"] | int

_REMEMBERED: Final = 1024  # what was said about a position, so that it is said once
_MOST_EPOCHS: Final = 64


class Question(NamedTuple):
    """Ask a journal for lines `[first, next)` of an epoch; `next` None: all that there is."""

    stream: Stream
    epoch: str
    first: int
    next: int | None


class Sequencer:
    """The positions in one stream, one for each epoch.

    `start`: "live" begins at the first position anyone tells, "begin" at line 0, N at line N, -N
    that many lines before the first position told. Every later epoch is begun at line 0. An `end`
    is delivered also where line N is beyond it. `at`: an epoch and the line in it to go on from,
    in place of `start`.
    """

    def __init__(
        self,
        stream: Stream,
        start: Start,
        budget: Budget,
        stats: Stats,
        at: tuple[str, int] | None = None,
    ) -> None:
        self.stream = stream
        self._start = start
        self._budget = budget
        self._stats = stats
        self._lanes: OrderedDict[str, Lane] = OrderedDict()
        self._said: OrderedDict[Hashable, None] = OrderedDict()
        self._ended: dict[str, Frame] = {}  # the last `end` delivered, by epoch
        self._unended: dict[str, Frame] = {}  # heartbeats that tell of an `end` that lacks
        self._open: dict[str, int] = {}  # epochs to ask for to their end, and the line from which
        if at is not None:
            self._lanes[at[0]] = Lane(*at, budget, stats)

    def feed(self, frame: Frame, size: int = 0) -> list[Frame]:
        """A frame of any kind from a broker or a journal (its gaps excepted: `settle`); `size` is
        its bytes. What is to be delivered now, in order."""
        lane = self._lane(frame.epoch, frame.first)
        if frame.kind == "heartbeat":
            lane.target = max(lane.target, frame.first)
            if frame.state == "ended" and not self._has_end(frame):
                self._unended[frame.epoch] = frame
                self._open.setdefault(frame.epoch, min(lane.lacking, lane.target))
            return []
        return self._once(lane.accept(frame, size))

    def settle(self, epoch: str, upto: int, why: Frame) -> list[Frame]:
        """The journals were asked and have no more of the lines before `upto`. `why` is the gap
        frame to deliver for those that no broker gave a reason for."""
        lane = self._lane(epoch, upto)
        return self._once(lane.settle(upto, why))

    def questions(self) -> list[Question]:
        """What to ask a journal for now, one question for each epoch at most."""
        asked = []
        for epoch, lane in self._lanes.items():
            if (hole := lane.missing()) is not None:
                asked.append(Question(self.stream, epoch, *hole))
            elif epoch in self._open:
                first = max(self._open[epoch], min(lane.lacking, lane.target))
                asked.append(Question(self.stream, epoch, first, None))
        return asked

    def answered(self, question: Question) -> list[Frame]:
        """A question without an end was answered, or can't be. An `end` that the journals no
        longer have is made up from the heartbeat that told of it."""
        self._open.pop(question.epoch, None)
        hint = self._unended.pop(question.epoch, None)
        if hint is None and question.first > 0 and not any(self._lanes):
            self._open[question.epoch] = 0  # the log may end before that line
        if hint is None or self._has_end(hint):
            return []
        end = replace(hint, kind="end", state="", http="", next=hint.first)
        return self._once(self._lane(hint.epoch, hint.first).accept(end, 0))

    def ask_from_start(self) -> None:
        """Nobody tells of this stream: a journal may know it all the same."""
        for epoch, lane in self._lanes.items():  # where a position was given
            self._open.setdefault(epoch, lane.lacking)
        if not self._lanes and not (isinstance(self._start, int) and self._start < 0):
            self._open[self._lane("", 0).epoch] = self._start if isinstance(self._start, int) else 0

    @property
    def ended(self) -> bool:
        """Whether the newest epoch's last word was its `end`."""
        newest = next(reversed(self._lanes), "")
        end = self._ended.get(newest)
        return end is not None and end.next >= self._lanes[newest].position

    def release(self) -> None:
        """Hand back the memory of what waits; the sequencer is done with."""
        for lane in self._lanes.values():
            lane.release()

    def _lane(self, epoch: str, position: int) -> Lane:
        if (lane := self._lanes.get(epoch)) is not None:
            return lane
        newest = next(reversed(self._lanes), None)
        start = self._first_line(position) if newest is None and epoch else 0
        if isinstance(self._start, int) and self._start > 0 and newest in (None, "") and epoch:
            start = self._start
        if newest:  # its last lines may have been lost just before: nothing else would tell
            self._open.setdefault(newest, self._lanes[newest].lacking)
        while len(self._lanes) >= _MOST_EPOCHS:
            oldest, gone = self._lanes.popitem(last=False)
            gone.release()
            for by_epoch in (self._ended, self._unended, self._open):
                by_epoch.pop(oldest, None)
        lane = self._lanes[epoch] = Lane(epoch, start, self._budget, self._stats)
        return lane

    def _first_line(self, position: int) -> int:
        if self._start == "live":
            return position
        if self._start == "begin":
            return 0
        return self._start if self._start >= 0 else max(0, position + self._start)

    def _once(self, frames: Iterable[Frame]) -> list[Frame]:
        fresh = []
        for frame in frames:
            if frame.kind not in ("log", "gap"):
                key = _identity(frame)
                if key in self._said:
                    self._stats.repeats += 1
                    continue
                self._said[key] = None
                if len(self._said) > _REMEMBERED:
                    self._said.popitem(last=False)
                if frame.kind == "end":
                    self._ended[frame.epoch] = frame
            fresh.append(frame)
        return fresh

    def _has_end(self, hint: Frame) -> bool:
        end = self._ended.get(hint.epoch)
        if end is None:
            return False
        return end.run >= hint.run if end.run and hint.run else end.first >= hint.first


def _identity(frame: Frame) -> Hashable:
    """What makes two frames without lines the same, whichever broker sent them."""
    if frame.kind == "status":  # known before the epoch is, so a broker may say it without one
        return "status", frame.run, frame.status
    if frame.kind == "end":
        return "end", frame.epoch, frame.run, frame.status, frame.first
    if frame.kind == "reset":
        return "reset", frame.epoch
    return "error", frame.epoch, frame.first, frame.code, frame.message

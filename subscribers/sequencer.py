"""One stream put in order: live frames of any broker and replayed ones, each line once. Pure.

No socket, clock or thread: frames are fed in, frames to deliver come out, and `questions` says
what a journal must be asked for. Order holds within an epoch; another epoch is another file, and
does not wait for the holes of the one before.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Sequence
from typing import Final, Literal, NamedTuple

from broker.frame import Frame, replace
from broker.topic import Stream
from subscribers.lane import Lane
from subscribers.stats import Budget, Stats

Start = Literal["live", "begin"] | int

_REMEMBERED: Final = 1024  # what was said about a position, so that it is said once
_MOST_EPOCHS: Final = 64


class Question(NamedTuple):
    """Ask the journals for lines `[first, next)` of an epoch; `next` None: all that there is.
    `whole`: the last of them is known to have its end."""

    stream: Stream
    epoch: str
    first: int
    next: int | None
    whole: bool = False


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
        self._ended: dict[str, Frame] = {}  # the furthest `end` delivered, by epoch
        self._unended: dict[str, Frame] = {}  # heartbeats that tell of an `end` that lacks
        self._open: dict[str, int] = {}  # epochs to ask for to their end, and the line from which
        self._again: set[str] = set()  # of those, once more: they may have been asked for already
        self._later: dict[str, int] = {}  # those that no journal could be asked for
        self._gone: OrderedDict[str, None] = OrderedDict()  # epochs whose positions were let go of
        if at is not None:
            self._lanes[at[0]] = Lane(*at, budget, stats)

    def feed(self, frame: Frame, size: int = 0) -> list[Frame]:
        """A frame of any kind from a broker or a journal (its gaps excepted: `settle`); `size` is
        its bytes. What is to be delivered now, in order."""
        if frame.epoch in self._gone:
            return []
        lane = self._lane(frame.epoch, frame.first)
        if frame.kind == "heartbeat":
            lane.target = max(lane.target, frame.first)
            ended = frame.state == "ended" and not self._has_end(frame)
            if ended:
                _keep_furthest(self._unended, frame)
            if ended or lane.may_have_grown(frame.ts):
                self._want(frame.epoch, min(lane.lacking, lane.target))
            while self._later:
                self._want(*self._later.popitem())
            return []
        return self._once(lane.accept(frame, size))

    def settle(self, epoch: str, upto: int, why: Frame, *, whole: bool = False) -> list[Frame]:
        """The journals were asked and have no more of the lines before `upto`. `why` is the gap
        frame to deliver for those that no broker gave a reason for; `whole` as in the question."""
        if epoch in self._gone:
            return []
        lane = self._lane(epoch, upto)
        return self._once(lane.settle(upto, why, whole=whole))

    def questions(self) -> list[Question]:
        """What to ask a journal for now, one question for each epoch at most."""
        asked = []
        for epoch, lane in self._lanes.items():
            if (hole := lane.missing()) is not None:
                asked.append(Question(self.stream, epoch, *hole, whole=lane.blocked))
            elif epoch in self._open:
                first = max(self._open[epoch], min(lane.lacking, lane.target))
                asked.append(Question(self.stream, epoch, first, None))
        return asked

    def answered(self, question: Question, *, again: bool = False) -> list[Frame]:
        """A question without an end was answered, or can't be (`again`: as long as a journal is
        away; it is put once more when a broker is heard). An `end` that the journals no longer
        have is made up from the heartbeat that told of it."""
        if question.epoch in self._again:
            self._again.discard(question.epoch)
            return []
        start = self._open.pop(question.epoch, question.first)
        newest = next(reversed(self._lanes), "")
        if again and question.epoch in self._lanes:
            self._later[question.epoch] = start
        elif newest and not question.epoch:  # one journal named the file; others may have more
            self._want(newest, self._lanes[newest].lacking)
        hint = self._unended.pop(question.epoch, None)
        if hint is None and question.first > 0 and not any(self._lanes):
            self._open[question.epoch] = 0  # the log may end before that line
        if hint is None or self._has_end(hint):
            return []
        end = replace(hint, kind="end", state="", http="", next=hint.first)
        return self._once(self._lane(hint.epoch, hint.first).accept(end, 0))

    def learn(self, epochs: Sequence[str]) -> None:
        """All epochs that a journal has of this stream, the oldest first: one that came and went
        unheard, after one that is known, is asked for."""
        known = ""
        for epoch in epochs:
            if epoch in self._lanes:
                known = epoch
            elif known and epoch not in self._gone and len(self._lanes) < _MOST_EPOCHS:
                self._insert(epoch, known)
                known = epoch

    def _insert(self, epoch: str, before: str) -> None:
        lanes = list(self._lanes.items())
        at = list(self._lanes).index(before) + 1
        lanes.insert(at, (epoch, Lane(epoch, 0, self._budget, self._stats)))
        self._lanes = OrderedDict(lanes)
        self._want(before, self._lanes[before].lacking)
        self._want(epoch, 0)

    def ask_from_start(self) -> None:
        """Nobody tells of this stream: a journal may know it all the same."""
        for epoch, lane in self._lanes.items():  # where a position was given
            self._want(epoch, lane.lacking)
        if not self._lanes and not (isinstance(self._start, int) and self._start < 0):
            self._open[self._lane("", 0).epoch] = self._start if isinstance(self._start, int) else 0

    @property
    def reached(self) -> tuple[str, int] | None:
        """The newest epoch, and the line in it to go on from."""
        epoch = next(reversed(self._lanes), "")
        return (epoch, self._lanes[epoch].lacking) if epoch else None

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
            self._want(newest, self._lanes[newest].lacking)
            if epoch:  # it may be an older one, told of by a broker that lags
                self._want(epoch, 0)
        while len(self._lanes) >= _MOST_EPOCHS:
            self._forget(
                next((e for e in self._lanes if self._is_still(e)), next(iter(self._lanes)))
            )
        lane = self._lanes[epoch] = Lane(epoch, start, self._budget, self._stats)
        return lane

    def _is_still(self, epoch: str) -> bool:
        """Whether nothing of it lacks or is being asked for."""
        return self._lanes[epoch].missing() is None and epoch not in self._open

    def _forget(self, epoch: str) -> None:
        self._lanes.pop(epoch).release()
        self._again.discard(epoch)
        for by_epoch in (self._ended, self._unended, self._open, self._later):
            by_epoch.pop(epoch, None)
        self._gone[epoch] = None
        if len(self._gone) > _REMEMBERED:
            self._gone.popitem(last=False)

    def _want(self, epoch: str, line: int) -> None:
        """Ask for an epoch from `line` on to its end; once more where that is being asked."""
        if epoch in self._open:
            self._again.add(epoch)
        else:
            self._open[epoch] = line

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
                    _keep_furthest(self._ended, frame)
            fresh.append(frame)
        return fresh

    def _has_end(self, hint: Frame) -> bool:
        end = self._ended.get(hint.epoch)
        if end is None:
            return False
        if end.run and hint.run and end.run != hint.run:
            return end.run > hint.run
        return end.first >= hint.first


def _keep_furthest(by_epoch: dict[str, Frame], frame: Frame) -> None:
    """Brokers that stand at different positions speak in any order."""
    known = by_epoch.get(frame.epoch)
    if known is None or (known.first, known.run) <= (frame.first, frame.run):
        by_epoch[frame.epoch] = frame


def _identity(frame: Frame) -> Hashable:
    """What makes two frames without lines the same, whichever broker sent them."""
    if frame.kind == "status":  # known before the epoch is, so a broker may say it without one
        return "status", frame.run, frame.status
    if frame.kind == "end":
        return "end", frame.epoch, frame.run, frame.status, frame.first
    if frame.kind == "reset":
        return "reset", frame.epoch
    return "error", frame.epoch, frame.first, frame.code, frame.message

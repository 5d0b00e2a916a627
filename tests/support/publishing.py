"""A job's files as they are, and brokers that read, publish and journal them, all without time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from broker.errors import ClientError
from broker.frame import Frame
from broker.frame import replace as changed
from broker.jobview import JobView
from broker.journal.memory import MemoryJournal
from broker.journal.replay import replay
from broker.topic import Stream
from tests.support.journal_records import STREAM, record

GIB = 1 << 30


@dataclass
class Files:
    """A job's log, one file after another: the last line of the last one may have no end yet."""

    epochs: list[list[str]] = field(default_factory=lambda: [[]])
    is_open: bool = False
    over: bool = False
    ticks: int = 0

    def write(self, count: int, *, is_open: bool) -> None:
        """The open line gets more; then come `count` lines."""
        lines = self.epochs[-1]
        if self.is_open:
            lines[-1] += "+"
        self.is_open = is_open and (count > 0 or self.is_open)
        first = len(lines)
        lines += [f"{len(self.epochs)}:{line} " for line in range(first, first + count)]

    def replaced(self) -> None:
        """Another file begins."""
        if self.epochs[-1]:
            self.epochs.append([])
        self.is_open = self.over = False

    def now(self) -> int:
        """Nanoseconds."""
        self.ticks += 1
        return self.ticks * 10**6


@dataclass(frozen=True)
class Reached:
    """Where a broker stands."""

    file: int = 0
    line: int = 0
    partial: str = ""
    ended: bool = False

    @property
    def epoch(self) -> str:
        return f"{self.file:012x}" if self.line or self.partial else ""

    @property
    def next(self) -> int:
        return self.line + bool(self.partial)


class Publishing:
    """A broker: what it publishes waits in `wire`. It is its journal's client, too."""

    def __init__(self, name: str, files: Files) -> None:
        self.base = f"http://{name}"
        self.wire: deque[Frame] = deque()
        self.journal = MemoryJournal(GIB, GIB, 3600.0)
        self.kept: dict[tuple[str, int], str] = {}  # the text of each line in the journal
        self.known_epochs: tuple[str, ...] = ()
        self.up = True
        self._name = name
        self._files = files
        self._at = self._committed = Reached()
        self._sent: list[Frame] = []

    def read(self, count: int, *, journaled: bool, as_gap: bool) -> None:
        """Publish up to `count` whole lines."""
        at, files = self._at, self._files
        if at.file != len(files.epochs) - 1:
            at = Reached(len(files.epochs) - 1)
        lines = files.epochs[-1]
        stop = min(at.line + count, len(lines) - files.is_open)
        if stop <= at.line:
            return
        new = replace(at, line=stop, partial="", ended=False)
        if at.file and not at.next:
            self._put(Frame("reset", *STREAM, 0, 0, reason="truncated"), new, journaled)
        if as_gap:
            frame = Frame("gap", *STREAM, at.line, stop, reason="limit")
        else:
            frame = Frame(
                "log", *STREAM, at.line, stop, lines=lines[at.line : stop], amends=bool(at.partial)
            )
        self._put(frame, new, journaled)

    def finish(self, *, journaled: bool) -> None:
        """The job is over: publish a last line without its end, and `end`."""
        at, files = self._at, self._files
        lines = files.epochs[-1]
        here = at.file == len(files.epochs) - 1 and at.line == len(lines) - files.is_open
        if not (here and files.over and lines):
            return
        if files.is_open and lines[-1] != at.partial:
            new = replace(at, partial=lines[-1], ended=False)
            if at.file and not at.next:
                self._put(Frame("reset", *STREAM, 0, 0, reason="truncated"), new, journaled)
            frame = Frame(
                "log", *STREAM, at.line, new.next, lines=lines[-1:], partial=True,
                amends=bool(at.partial),
            )  # fmt: skip
            self._put(frame, new, journaled)
        if not self._at.ended:
            at = replace(self._at, ended=True)
            end = Frame("end", *STREAM, at.next, at.next, status="SUCCEEDED", run=1, complete=True)
            self._put(end, at, journaled)

    def restart(self, repeats: int) -> None:
        """It is killed, goes on from what it committed, and publishes the last frames again."""
        self._at = self._committed
        self.wire += self._sent[-repeats:]

    def heartbeat(self) -> Frame:
        """What it says of where it stands."""
        at, view = self._at, self.view()
        return Frame(
            "heartbeat", *STREAM, at.next, at.next, ts=self._files.now(), epoch=at.epoch,
            broker=self._name, state=view.state, status=view.status, run=1,
        )  # fmt: skip

    def view(self) -> JobView:
        """Its row in the list."""
        at = self._at
        return JobView(
            *STREAM, "ended" if at.ended else "streaming", epoch=at.epoch, next=at.next,
            status="SUCCEEDED" if at.ended else "RUNNING", run=1,
            complete=True if at.ended else None,
        )  # fmt: skip

    def replay(
        self, stream: Stream, first: int, epoch: str = "", limit: int | None = None
    ) -> Iterator[tuple[Frame, int]]:
        """As a `JournalClient` does."""
        if not self.up:
            raise ClientError(503, "away")
        found = replay(self.journal, stream, epoch or None, first, limit)
        self.known_epochs = found.epochs
        for frame in found.frames:
            yield frame, 50

    def _put(self, frame: Frame, at: Reached, journaled: bool) -> None:
        self._at = at
        frame = changed(frame, epoch=at.epoch, broker=self._name, ts=self._files.now())
        self.wire.append(frame)
        if journaled:
            self.journal.append([record(frame)])
            self.kept.update(
                ((at.epoch, frame.first + index), text) for index, text in enumerate(frame.lines)
            )
            self._committed = at
            self._sent.append(frame)

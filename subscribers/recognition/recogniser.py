"""All that is recognised in a stream's frames, one after the other. Pure."""

from __future__ import annotations

from typing import Final, NamedTuple

from broker.frame import Frame
from subscribers.recognition.levels import Level, levels
from subscribers.recognition.tracebacks import Tracebacks
from subscribers.recognition.workers import Worker, repeats, workers

_OF_ROLES: Final = bytes.maketrans(b".Tt", bytes([Level.NONE, Level.ERROR, Level.ERROR]))


class Marks(NamedTuple):
    """Of a frame's lines: a `Level` byte and a role (`.`, `T`, `t`) each, and those that have a
    worker's prefix or stand for many, by index."""

    levels: bytes
    roles: str
    workers: list[Worker]
    repeats: list[tuple[int, int]]

    @property
    def errors(self) -> int:
        """How many errors they tell of: a traceback is one, and one with the error line that it
        follows."""
        grave = self.levels.count(Level.ERROR) + self.levels.count(Level.CRITICAL)
        if not self.roles.strip("."):
            return grave
        told = 0
        before = int(Level.NONE)
        for level, role in zip(self.levels, self.roles, strict=True):
            told += level >= Level.ERROR and (role == "." or (role == "T" and before < Level.ERROR))
            before = level if role == "." else Level.NONE
        return told


class Recogniser:
    """Of one stream. Frames come in order; another epoch or a hole begins anew."""

    def __init__(self) -> None:
        self._tracebacks = Tracebacks()
        self._before_last: Tracebacks | None = None  # of a line without its end: it may come again
        self._epoch = ""
        self._next = 0

    @property
    def open(self) -> bool:
        """Whether the last line belongs to a traceback that may go on."""
        return self._tracebacks.open

    def mark(self, frame: Frame) -> Marks:
        """What the lines of a `log` frame are. Lines of a traceback that have no level of their
        own are errors."""
        self._move_to(frame)
        roles = self._roles(frame)
        found = levels(frame.lines)
        if roles.strip("."):
            errors = roles.encode().translate(_OF_ROLES)
            found = bytes([own or role for own, role in zip(found, errors, strict=True)])
        return Marks(found, roles, workers(frame.lines), repeats(frame.lines))

    def _move_to(self, frame: Frame) -> None:
        again = frame.amends and frame.first == self._next - 1
        if frame.epoch == self._epoch and again and self._before_last is not None:
            self._tracebacks = self._before_last
        elif frame.epoch != self._epoch or frame.first != self._next:
            self._tracebacks.reset()
        self._before_last = None
        self._epoch, self._next = frame.epoch, frame.next

    def _roles(self, frame: Frame) -> str:
        if not frame.partial:
            return self._tracebacks.feed(frame.lines)
        roles = self._tracebacks.feed(frame.lines[:-1])
        self._before_last = self._tracebacks.copy()
        return roles + self._tracebacks.feed(frame.lines[-1:])

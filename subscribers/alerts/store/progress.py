"""How far the engine has seen each log, so that a restart shows it nothing twice. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from hashlib import sha256
from typing import Final

import msgspec

from broker.frame import Frame, trim
from broker.jobview import JobView
from broker.topic import Stream

MOST_POSITIONS: Final = 50_000  # jobs; those that were silent for longest are forgotten first
STALE_NS: Final = 7 * 86_400 * 10**9
_SAID: Final = 16  # words about a job that are remembered
_OLDER: Final = 8  # epochs of a job whose late lines are still told from repeated ones


class Position(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was seen of one job: the lines before `line` of the file `epoch`."""

    epoch: str = ""
    line: int = 0
    partial: bool = False  # the last one had no end yet, and may come again with more to it
    ended: bool = False  # the log's end was told, and nothing after it
    ts: int = 0  # of the last frame, ns since 1970
    said: tuple[str, ...] = ()  # what was told beside the lines, the newest last


class Progress:
    """The positions of all jobs; those given first are the oldest. One thread."""

    def __init__(self, positions: Mapping[str, Position]) -> None:
        self._positions = dict(positions)
        self._older: dict[str, OrderedDict[str, Position]] = {}
        self._changed: set[str] = set()

    @property
    def known(self) -> Collection[str]:
        """The jobs it has a position of, as cluster/job."""
        return self._positions.keys()

    def take(self, frame: Frame) -> Frame | None:
        """What is new in a frame, which counts as seen from now on; None where nothing is."""
        stream = f"{frame.cluster}/{frame.job}"
        at = self._positions.get(stream, Position())
        if frame.kind not in ("log", "gap"):
            return self._heard(stream, at, frame)
        older = self._older.get(stream)
        if older is not None and frame.epoch in older and frame.epoch != at.epoch:
            late = older[frame.epoch]
            fresh = _fresh(late, frame)
            if fresh is not None:
                older[frame.epoch] = _beyond(late, fresh)
            return fresh
        if frame.epoch != at.epoch:
            if at.epoch:
                self._leave(stream, at)
            at = Position(frame.epoch, said=at.said)
        fresh = _fresh(at, frame)
        if fresh is not None:
            self._put(stream, _beyond(at, fresh))
        return fresh

    def time(self, stream: Stream) -> int:
        """Of its last frame, ns since 1970; 0 where none was seen."""
        return self._positions.get(str(stream), Position()).ts

    def skip(self, views: Iterable[JobView]) -> None:
        """What the brokers have of these jobs by now counts as seen."""
        for view in views:
            stream = f"{view.cluster}/{view.job}"
            at = self._positions.get(stream, Position())
            if view.state in ("skipped", "queued"):
                continue
            if at.epoch == view.epoch and at.line >= view.next:
                continue
            end = Frame("end", view.cluster, view.job, view.next, view.next, epoch=view.epoch,
                        status=view.status, run=view.run)  # fmt: skip
            said: tuple[str, ...] = (_identity(msgspec.structs.replace(end, kind="status")),)
            ended = view.state == "ended"
            if ended:
                said += (_identity(end),)
            self._put(
                stream,
                Position(view.epoch, view.next, said=said, ended=ended, ts=view.last_frame_ts),
            )

    def reached(
        self, wanted: Callable[[Stream], bool], listed: Collection[Stream] | None, now_ns: int
    ) -> dict[str, tuple[str, int]]:
        """Where a subscription to these goes on. A partial line is asked for once more.

        `listed`: the jobs that brokers tell of; None where that is not known. Of the others those
        are left out that are over or were silent for a week: each would cost a question.
        """
        found = {}
        for name, at in self._positions.items():
            stream = Stream(*name.split("/"))
            stale = at.ended or now_ns - at.ts > STALE_NS
            if listed is not None and stale and stream not in listed:
                continue
            if at.epoch and wanted(stream):
                found[name] = (at.epoch, max(0, at.line - at.partial))
        return found

    def changed(self) -> dict[str, Position]:
        """The positions that moved since the last call."""
        moved = {stream: self._positions[stream] for stream in self._changed}
        self._changed.clear()
        return moved

    def mark(self, streams: Iterable[str]) -> None:
        """Let the next `changed` give these again."""
        self._changed.update(stream for stream in streams if stream in self._positions)

    def _heard(self, stream: str, at: Position, frame: Frame) -> Frame | None:
        identity = _identity(frame)
        if identity in at.said:
            return None
        said = (*at.said, identity)[-_SAID:]
        ended = frame.kind == "end" or (at.ended and frame.kind != "status")
        self._put(stream, msgspec.structs.replace(at, said=said, ended=ended, ts=frame.ts or at.ts))
        return frame

    def _leave(self, stream: str, at: Position) -> None:
        older = self._older.setdefault(stream, OrderedDict())
        older[at.epoch] = at
        while len(older) > _OLDER:
            older.popitem(last=False)

    def _put(self, stream: str, at: Position) -> None:
        self._positions.pop(stream, None)
        self._positions[stream] = at
        self._changed.add(stream)
        if len(self._positions) > MOST_POSITIONS:
            oldest = next(iter(self._positions))
            del self._positions[oldest]
            self._older.pop(oldest, None)
            self._changed.discard(oldest)


def _fresh(at: Position, frame: Frame) -> Frame | None:
    last = at.line - 1
    if at.partial and frame.kind == "log" and frame.first <= last < frame.next:
        if frame.amends and frame.first == last:
            return frame
        if frame.next > at.line or not frame.partial:
            # A new subscription does not know what we have seen of the line that is whole now.
            return msgspec.structs.replace(trim(frame, last), amends=True)
    return trim(frame, at.line) if frame.next > at.line else None


def _beyond(at: Position, frame: Frame) -> Position:
    return Position(at.epoch, frame.next, frame.partial, False, frame.ts or at.ts, at.said)


def _identity(frame: Frame) -> str:
    """The same for what is said twice. A status may be told before the epoch is known."""
    if frame.kind == "status":
        parts: tuple[object, ...] = ("status", frame.run, frame.status)
    elif frame.kind == "end":
        parts = ("end", frame.epoch, frame.run, frame.status, frame.first)
    elif frame.kind == "reset":
        parts = ("reset", frame.epoch)
    else:
        parts = (frame.kind, frame.epoch, frame.first, frame.code, frame.message)
    return sha256("\0".join(map(str, parts)).encode("utf-8", "replace")).hexdigest()[:12]

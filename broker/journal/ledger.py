"""What the writer knows of each stream without asking the disk: counts, positions, endings. Pure.

It is loaded when a journal is opened, changed beside each transaction, and loaded again after
one that failed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from broker.checkpoint import Checkpoint
from broker.errors import FrameError
from broker.frame import decode
from broker.journal import Record, Usage
from broker.topic import Stream


@dataclass(slots=True, eq=False)
class Epoch:
    """One file of a stream. It outlives its frames."""

    id: int
    stream: Stream
    name: str
    next: int = 0
    widest: int = 0  # most lines in one `log` frame: how far back a frame over a line can begin
    frames: int = 0
    stored: int = 0  # bytes
    ts: int = 0  # of its newest frame, ns
    ended: bool = False
    complete: bool = False


@dataclass(slots=True, eq=False)
class Log:
    """One stream."""

    id: int
    stream: Stream
    checkpoint: Checkpoint | None = None
    last: int = 0  # the sequence of its newest frame
    ended: bool = False
    epochs: dict[str, Epoch] = field(default_factory=dict)  # in order of their first frame
    frames: int = 0
    stored: int = 0


class Victim(NamedTuple):
    """A frame to let go of."""

    sequence: int
    epoch_id: int
    ts: int
    size: int


class Ledger:
    """Every stream, and the sums over them."""

    def __init__(self) -> None:
        self.logs: dict[Stream, Log] = {}
        self.by_id: dict[int, Epoch] = {}
        self.sequence = 0
        self.next_id = 1
        self.frames = 0
        self.stored = 0

    def log(self, stream: Stream) -> Log:
        """The stream, made where it is new."""
        log = self.logs.get(stream)
        if log is None:
            log = self.logs[stream] = Log(self._id(), stream)
        return log

    def epoch(self, stream: Stream, name: str) -> Epoch:
        """The stream's epoch, made where it is new."""
        log = self.log(stream)
        epoch = log.epochs.get(name)
        if epoch is None:
            epoch = log.epochs[name] = Epoch(self._id(), stream, name)
            self.by_id[epoch.id] = epoch
        return epoch

    def restore(self, log: Log, epochs: Iterable[Epoch]) -> None:
        """Take over what was read from the disk."""
        self.logs[log.stream] = log
        for epoch in epochs:
            log.epochs[epoch.name] = epoch
            self.by_id[epoch.id] = epoch
            log.frames += epoch.frames
            log.stored += epoch.stored
        self.frames += log.frames
        self.stored += log.stored

    def add(self, record: Record, size: int) -> Epoch:
        """Count one frame; its sequence is `self.sequence` then."""
        epoch = self.epoch(record.stream, record.epoch)
        log = self.logs[record.stream]
        self.sequence += 1
        log.last = self.sequence
        epoch.next = max(epoch.next, record.next)
        epoch.ts = max(epoch.ts, record.ts)
        if record.kind == "log":
            epoch.widest = max(epoch.widest, record.next - record.first)
        self._count(epoch, 1, size)
        if record.kind == "end":
            log.ended = epoch.ended = True
            epoch.complete = _complete(record.payload)
        elif record.kind in ("log", "status") and not (
            record.checkpoint is not None and record.checkpoint.ended
        ):
            log.ended = epoch.ended = epoch.complete = False
        return epoch

    def subtract(self, victims: Iterable[Victim]) -> set[Epoch]:
        """Count frames off; the epochs that changed."""
        changed = set()
        for victim in victims:
            epoch = self.by_id[victim.epoch_id]
            self._count(epoch, -1, -victim.size)
            changed.add(epoch)
        return changed

    def remove(self, stream: Stream) -> Log | None:
        """Drop a stream with all it has."""
        log = self.logs.pop(stream, None)
        if log is not None:
            for epoch in log.epochs.values():
                del self.by_id[epoch.id]
            self.frames -= log.frames
            self.stored -= log.stored
        return log

    def remove_epoch(self, epoch: Epoch) -> None:
        """Drop an epoch whose frames are gone."""
        del self.logs[epoch.stream].epochs[epoch.name]
        del self.by_id[epoch.id]

    def usage(self, evicted: int) -> Usage:
        """The sums, as they are now."""
        return Usage(self.frames, self.stored, evicted)

    def _count(self, epoch: Epoch, frames: int, size: int) -> None:
        log = self.logs[epoch.stream]
        epoch.frames += frames
        log.frames += frames
        self.frames += frames
        epoch.stored += size
        log.stored += size
        self.stored += size

    def _id(self) -> int:
        self.next_id += 1
        return self.next_id - 1


def _complete(payload: bytes) -> bool:
    try:
        return bool(decode(payload).complete)
    except FrameError:
        return False

"""Journal records as the bus makes them, from a few numbers."""

from __future__ import annotations

from random import Random

from broker.checkpoint import Checkpoint, Mark
from broker.frame import Frame, Kind, encode
from broker.journal import Record
from broker.topic import Stream

STREAM = Stream("ray", "job-1")
OTHER = Stream("ray", "job-12")
EPOCH = "aaaaaaaaaaaa"
SECOND = 10**9


def record(frame: Frame, checkpoint: Checkpoint | None = None, mark: Mark | None = None) -> Record:
    """The record of a frame."""
    return Record(
        Stream(frame.cluster, frame.job),
        frame.kind,
        frame.epoch,
        frame.first,
        frame.next,
        frame.ts,
        encode(frame),
        checkpoint,
        mark,
    )


def text(line: int) -> str:
    """What line `line` says wherever these helpers wrote it."""
    return f"line {line:08d}"


def log_frame(
    first: int,
    following: int,
    stream: Stream = STREAM,
    *,
    ts: int = SECOND,
    epoch: str = EPOCH,
    partial: bool = False,
    amends: bool = False,
) -> Frame:
    """Lines `[first, following)`; a partial last line is cut short."""
    lines = [text(line) for line in range(first, following)]
    if partial:
        lines[-1] = lines[-1][:6]
    return Frame(
        "log", *stream, first, following, ts=ts, epoch=epoch, lines=lines,
        partial=partial, amends=amends,
    )  # fmt: skip


def gap_frame(first: int, following: int, reason: str = "limit", stream: Stream = STREAM) -> Frame:
    """A published gap."""
    return Frame("gap", *stream, first, following, ts=SECOND, epoch=EPOCH, reason=reason)


def point_frame(
    kind: Kind, at: int, stream: Stream = STREAM, *, ts: int = SECOND, epoch: str = EPOCH
) -> Frame:
    """A frame without lines; an `end` is complete."""
    complete = True if kind == "end" else None
    status = {"end": "SUCCEEDED", "status": "RUNNING"}.get(kind, "")
    return Frame(kind, *stream, at, at, ts=ts, epoch=epoch, status=status, complete=complete)


def noise_records(count: int, size: int, at: int = 0, stream: Stream = STREAM) -> list[Record]:
    """`count` records of one line from line `at`, whose `size` bytes no codec makes smaller."""
    noise = Random(at)
    return [
        Record(stream, "log", EPOCH, line, line + 1, SECOND, noise.randbytes(size))
        for line in range(at, at + count)
    ]


def log_records(
    count: int, size: int = 10, stream: Stream = STREAM, ts: int = SECOND
) -> list[Record]:
    """`count` frames of `size` lines from line 0, each with its checkpoint."""
    return [
        record(
            log_frame(first, first + size, stream, ts=ts),
            Checkpoint(EPOCH, first + size, first * 14),
        )
        for first in range(0, count * size, size)
    ]

"""Frames ready for an outbox."""

from __future__ import annotations

from broker.bus.outbox import Outgoing
from broker.frame import Frame, encode
from broker.publisher import Message
from broker.topic import Stream

JOB = Stream("default", "job-1")


def log_message(stream: Stream, line: int, size: int = 10) -> Message:
    """A `log` frame of one line of `size` characters, number `line`."""
    frame = Frame(
        kind="log",
        cluster=stream.cluster,
        job=stream.job,
        first=line,
        next=line + 1,
        lines=["x" * size],
    )
    return Message(stream.topic, encode(frame))


def outgoing(first: int, stop: int, stream: Stream = JOB, size: int = 10) -> list[Outgoing]:
    """Frames of lines `[first, stop)`, their journal sequences one greater."""
    return [
        Outgoing(line + 1, stream, log_message(stream, line, size)) for line in range(first, stop)
    ]

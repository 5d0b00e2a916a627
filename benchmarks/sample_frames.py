"""Frames as a training job's log gives them: each about 64 KiB of lines, numbered on."""

from __future__ import annotations

from broker.bus.outbox import Outgoing
from broker.frame import Frame, encode
from broker.publisher import Message
from broker.topic import Stream

STREAM = Stream("default", "job-1")
LINES = 550  # of about 118 bytes: 64 KiB a frame


def sample_lines(first: int, count: int) -> list[str]:
    """Lines `[first, first + count)`; each says its number."""
    return [
        f"(train pid=23607) 2025-06-01 12:00:{n % 60:02d},417 INFO trainer.py:118 -- step={n} "
        f"loss={n % 97 / 31:.6f} lr=0.000300 tokens/s=18231.5"
        for n in range(first, first + count)
    ]


def sample_frames(count: int, lines: int = LINES) -> list[Outgoing]:
    """`count` frames of `lines` lines; the same ones each time."""
    frames = []
    for index in range(count):
        first = index * lines
        frame = Frame(
            kind="log",
            cluster=STREAM.cluster,
            job=STREAM.job,
            first=first,
            next=first + lines,
            epoch="0123456789ab",
            lines=sample_lines(first, lines),
        )
        frames.append(Outgoing(index + 1, STREAM, Message(STREAM.topic, encode(frame))))
    return frames

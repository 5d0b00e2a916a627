"""A replay's frames as bytes of one media type, piece by piece. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

import msgspec

from broker.frame import Frame

_PIECE: Final = 64 << 10  # bytes
_OBJECTS: Final = 2048  # JSON lines made at once; a frame may hold 64 Ki empty lines
_GZIP_LEVEL: Final = 1  # 200 MB/s of log; higher levels cost far more than they save
_GZIP_WINDOW: Final = 31

_json: Final = msgspec.json.Encoder()


class LineObject(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of `application/x-ndjson`."""

    line: int
    text: str
    ts: int
    cluster: str
    job: str
    epoch: str
    cr: bool = False
    partial: bool = False
    amends: bool = False


class GapObject(msgspec.Struct, frozen=True):
    """Lines `[first, next)` that cannot be had, and why."""

    gap: tuple[int, int]
    reason: str
    ts: int
    cluster: str
    job: str
    epoch: str


def as_ndjson(frames: Iterable[Frame]) -> Iterator[bytes]:
    """A line an object, a gap an object; other kinds with the fields of the frame."""
    for frame in frames:
        if frame.kind == "log":
            for start in range(0, len(frame.lines), _OBJECTS):
                yield _json.encode_lines(_line_objects(frame, start))
        elif frame.kind == "gap":
            span, where = (frame.first, frame.next), (frame.cluster, frame.job, frame.epoch)
            yield _json.encode(GapObject(span, frame.reason, frame.ts, *where)) + b"\n"
        else:
            yield _json.encode(frame) + b"\n"


def _line_objects(frame: Frame, start: int) -> list[LineObject]:
    cr = set(frame.cr)
    last = len(frame.lines) - 1
    return [
        LineObject(
            frame.first + index,
            text,
            frame.ts,
            frame.cluster,
            frame.job,
            frame.epoch,
            index in cr,
            frame.partial and index == last,
            frame.amends and index == 0,
        )
        for index, text in enumerate(frame.lines[start : start + _OBJECTS], start)
    ]


def as_text(frames: Iterable[Frame]) -> Iterator[bytes]:
    """The lines with their ends (a lone CR stays one, a partial line has none), a gap as a marked
    line of its own; other kinds say nothing about the text."""
    is_open = False  # the last line sent has no end
    for frame in frames:
        if frame.kind == "log":
            text = _joined(frame)
        elif frame.kind == "gap":
            missing = f"lines {frame.first} to {frame.next - 1} are missing: {frame.reason}"
            text = f"[raytap: {missing}]\n"
        else:
            continue
        yield (f"\n{text}" if is_open else text).encode()
        is_open = frame.partial


def _joined(frame: Frame) -> str:
    ends = ["\n"] * len(frame.lines)
    for index in frame.cr:
        ends[index] = "\r"
    if frame.partial:
        ends[-1] = ""
    return "".join(chain.from_iterable(zip(frame.lines, ends, strict=True)))


def grouped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Small pieces put together, so that each costs one hop between threads and one write."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= _PIECE:
            yield b"".join(held)
            held, size = [], 0
    if size:
        yield b"".join(held)


def gzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces as one gzip stream."""
    deflate = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    for piece in pieces:
        if packed := deflate.compress(piece):
            yield packed
    yield deflate.flush()

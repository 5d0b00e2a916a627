"""The frame: what crosses the bus. Pure; the public specification is docs/protocol.md.

payload = one msgpack map, string keys, unknown keys ignored, defaults left out
┌───┬──────┬─────────┬─────┬───────┬────────┬───────┬──────┬───────┬────┬───┐
│ v │ kind │ cluster │ job │ epoch │ broker │ first │ next │ lines │ ts │ … │
└───┴──────┴─────────┴─────┴───────┴────────┴───────┴──────┴───────┴────┴───┘
ZeroMQ message = [topic, payload]      Redis: channel = "raytap/" + topic
"""

from __future__ import annotations

from typing import Final, Literal

import msgpack
import msgspec

from broker.errors import FrameError

VERSION: Final = 1

Kind = Literal["log", "gap", "status", "end", "error", "heartbeat", "reset"]


class Frame(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="v", tag=VERSION):
    """Lines `[first, next)` of one job's log, or something said about that position."""

    kind: Kind
    cluster: str
    job: str
    first: int
    next: int
    ts: int = 0  # ns since 1970, when the broker read it
    epoch: str = ""
    broker: str = ""
    lines: list[str] = []
    cr: list[int] = []
    partial: bool = False
    amends: bool = False
    reason: str = ""
    offset: int | None = None
    redacted: int = 0
    truncated: int = 0
    status: str = ""
    run: int = 0  # the job's start_time in ms since 1970
    complete: bool | None = None
    state: str = ""
    http: str = ""
    code: int = 0
    message: str = ""


def encode(frame: Frame) -> bytes:
    """The frame's bytes. They are made once and handed to every publisher and the journal."""
    return bytes(msgpack.packb(msgspec.to_builtins(frame)))


def decode(payload: bytes) -> Frame:
    """Read bytes from outside; raises `FrameError` that says what is wrong and keeps the bytes."""
    try:
        fields = msgpack.unpackb(payload, strict_map_key=True)
    except (ValueError, TypeError, RecursionError) as error:  # msgpack's errors derive from these
        raise FrameError(f"not msgpack: {error}", payload) from None
    if not isinstance(fields, dict):
        raise FrameError(f"a frame is a map, this is {type(fields).__name__}", payload)
    if fields.get("v") != VERSION:
        raise FrameError(f"frame version {fields.get('v')!r}; this raytap reads {VERSION}", payload)
    try:
        frame = msgspec.convert(fields, Frame)
    except msgspec.ValidationError as error:
        raise FrameError(f"bad frame: {error}", payload) from None
    span = frame.next - frame.first
    if frame.first < 0 or span < 0:
        raise FrameError(f"bad frame: lines [{frame.first}, {frame.next})", payload)
    if len(frame.lines) != (span if frame.kind == "log" else 0):
        raise FrameError(
            f"bad frame: {len(frame.lines)} lines for [{frame.first}, {frame.next})", payload
        )
    if frame.cr and not (min(frame.cr) >= 0 and max(frame.cr) < len(frame.lines)):
        raise FrameError(f"bad frame: cr of lines that it has not ({len(frame.lines)})", payload)
    return frame


def replace(frame: Frame, **changes: object) -> Frame:
    """The frame with some fields changed."""
    return msgspec.structs.replace(frame, **changes)


def trim(frame: Frame, start: int) -> Frame:
    """The part of a `log` or `gap` frame from line `start` on; `first <= start <= next`."""
    skip = start - frame.first
    if skip <= 0:
        return frame
    return replace(
        frame,
        first=start,
        lines=frame.lines[skip:],
        cr=[index - skip for index in frame.cr if index >= skip],
    )

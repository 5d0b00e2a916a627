"""Server-sent events as bytes. Pure."""

from __future__ import annotations

from typing import Final

import msgspec

from broker.frame import Frame
from broker.topic import Stream
from subscribers.dashboard.page_frame import PageFrame

PING: Final = b": ping\n\n"
OPEN: Final = "p"  # behind a position: its last line had no end yet

_encode: Final = msgspec.json.Encoder().encode  # JSON has no bare line end, so one `data:` is it


def event(name: str, body: bytes, event_id: str = "") -> bytes:
    """One event. `body` is JSON."""
    return b"%sevent: %s\ndata: %s\n\n" % (id_line(event_id), name.encode(), body)


def id_line(event_id: str) -> bytes:
    """The line that makes a browser remember where it is; nothing without an id."""
    return b"id: %s\n" % event_id.encode() if event_id else b""


def frame_event(frame: PageFrame) -> bytes:
    """A frame, without its id: a job's stream and a cluster's have different ones."""
    return event("frame", _encode(frame))


def position_id(epoch: str, line: int, *, is_open: bool = False) -> str:
    """What a job's stream goes on from: `Last-Event-ID`."""
    return f"{epoch}:{line}{OPEN if is_open else ''}"


def frame_id(frame: Frame) -> str:
    """The id of a frame on its job's stream; empty while the epoch is not known."""
    return position_id(frame.epoch, frame.next, is_open=frame.partial) if frame.epoch else ""


def skipped_event(stream: Stream, epoch: str, first: int, following: int) -> bytes:
    """This client was too slow for lines `[first, following)`; the journal has them."""
    return event(
        "skipped",
        _encode(
            {
                "cluster": stream.cluster,
                "job": stream.job,
                "epoch": epoch,
                "first": first,
                "next": following,
                "reason": "slow",
            }
        ),
    )


def state_event(connected: bool, problem: str, event_id: str = "") -> bytes:
    """How the gateway's own link to the brokers is."""
    return event("state", _encode({"connected": connected, "problem": problem}), event_id)

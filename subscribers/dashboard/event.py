"""Server-sent events as bytes. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from broker.frame import Frame
from broker.topic import Stream
from subscribers.dashboard.page_frame import PageFrame

PING: Final = b": ping\n\n"
_FRAME: Final = b"event: frame\ndata: "
_END: Final = b"\n\n"
OPEN: Final = "p"  # behind a position: its last line had no end yet

_encode: Final = msgspec.json.Encoder().encode  # JSON has no bare line end, so one `data:` is it


def event(name: str, body: bytes, event_id: str = "") -> bytes:
    """One event. `body` is JSON."""
    return b"%sevent: %s\ndata: %s\n\n" % (id_line(event_id), name.encode(), body)


def id_line(event_id: str) -> bytes:
    """The line that makes a browser remember where it is; nothing without an id."""
    return b"id: %s\n" % event_id.encode() if event_id else b""


def frame_event(frame: PageFrame) -> bytes:
    """A frame on its job's stream, without its id."""
    return _FRAME + _encode(frame) + _END


def frames_event(frame_events: Iterable[bytes], event_id: str) -> bytes:
    """What `frame_event` made, as one event of a cluster's stream: a client has all of it and its
    id, or nothing."""
    bodies = [one[len(_FRAME) : -len(_END)] for one in frame_events]
    return event("frames", b"[%s]" % b",".join(bodies), event_id)


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


def again_event(stream: Stream, epoch: str) -> bytes:
    """All lines of this epoch come now, though the client may have had some of them."""
    place = {"cluster": stream.cluster, "job": stream.job, "epoch": epoch}
    return event("again", _encode({**place, "first": 0}))


def state_event(connected: bool, problem: str, event_id: str = "") -> bytes:
    """How the gateway's own link to the brokers is."""
    return event("state", _encode({"connected": connected, "problem": problem}), event_id)

"""A frame of the feed on its way to the clients: encoded once, shared by all of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from broker.frame import Frame
from broker.topic import Stream
from subscribers.dashboard.event import frame_event, frame_id, id_line
from subscribers.dashboard.page_frame import PageFrame
from subscribers.dashboard.positions import Place

_OVERHEAD: Final = 200  # what it takes in a buffer beyond its text


class LiveFrame(NamedTuple):
    """`body` is the event on its job's stream, without the `id_line` that goes before it."""

    place: Place
    frame: Frame
    id_line: bytes
    body: bytes

    @classmethod
    def of(cls, frame: Frame, shown: PageFrame) -> LiveFrame:
        """Encode a frame."""
        return cls(Place.of(frame), frame, id_line(frame_id(frame)), frame_event(shown))

    @property
    def stream(self) -> Stream:
        """The log it belongs to."""
        return self.place.stream

    @property
    def size(self) -> int:
        """Bytes, about."""
        return len(self.body) + _OVERHEAD


def single_events(lives: Sequence[LiveFrame]) -> bytes:
    """As they go out on their job's stream: an event each, which can be gone on from."""
    return b"".join([part for live in lives for part in (live.id_line, live.body)])


class Batch:
    """Frames that are handed to many clients at once."""

    __slots__ = ("frames", "size")

    def __init__(self, frames: list[LiveFrame]) -> None:
        self.frames = frames
        self.size = sum(frame.size for frame in frames)

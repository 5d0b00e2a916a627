"""Frames on their way to one transport, in order and bounded. Pure."""

from __future__ import annotations

import heapq
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from broker.publisher import Message
from broker.topic import Stream


class Outgoing(NamedTuple):
    """A frame to be published. `sequence` is the journal's, and never falls from one to the next;
    a frame that is not journaled (a heartbeat) has that of the one before it."""

    sequence: int
    stream: Stream
    message: Message


class _Share:
    """What one stream holds of the queue: the places of its waiting frames, oldest first."""

    __slots__ = ("places", "size")

    def __init__(self) -> None:
        self.places: deque[int] = deque()
        self.size = 0


class FrameQueue:
    """Waiting frames, and the batch that was taken and is not settled yet.

    Both together stay within `max_frames` and `max_bytes` of payload, except that the newest
    frame is always kept. Not for several threads at once.
    """

    def __init__(self, max_frames: int, max_bytes: int) -> None:
        self._max_frames = max_frames
        self._max_bytes = max_bytes
        self._waiting: OrderedDict[int, Outgoing] = OrderedDict()  # by place
        self._taken: list[tuple[int, Outgoing]] = []
        self._shares: dict[Stream, _Share] = {}
        self._newest = 0
        self.size = 0  # bytes of payload, waiting or taken
        self.last = 0  # the place of the newest frame ever put; places grow by one
        self.released = 0  # every frame put up to this sequence was settled or dropped

    def __len__(self) -> int:
        return len(self._waiting) + len(self._taken)

    @property
    def crowded(self) -> bool:
        """More than half full."""
        return len(self) * 2 > self._max_frames or self.size * 2 > self._max_bytes

    @property
    def oldest(self) -> int:
        """The place of the oldest frame that is not settled; `last + 1` where there is none."""
        if self._taken:
            return self._taken[0][0]
        return next(iter(self._waiting), self.last + 1)

    def put(self, frames: Iterable[Outgoing]) -> list[Outgoing]:
        """Append; returns what had to be dropped: the oldest of the streams that hold most."""
        for frame in frames:
            self.last += 1
            self._waiting[self.last] = frame
            self._count_in(self.last, frame, first=False)
            self.size += len(frame.message.payload)
            self._newest = max(self._newest, frame.sequence)
        dropped = self._shed(lambda share: len(share.places), self._too_many)
        dropped += self._shed(lambda share: share.size, self._too_big)
        self._release()
        return dropped

    def take(self, max_frames: int, max_bytes: int) -> list[Message]:
        """The oldest frames, within the bounds but one at least; none where none waits.
        What was taken before is settled or given back first."""
        size = 0
        while self._waiting and len(self._taken) < max_frames:
            place, frame = next(iter(self._waiting.items()))
            size += len(frame.message.payload)
            if self._taken and size > max_bytes:
                break
            del self._waiting[place]
            self._count_out(frame)
            self._taken.append((place, frame))
        return [frame.message for _, frame in self._taken]

    def settle(self) -> tuple[int, int]:
        """What was taken has left; returns its frames and bytes."""
        frames, size = len(self._taken), sum(len(f.message.payload) for _, f in self._taken)
        self._taken.clear()
        self.size -= size
        self._release()
        return frames, size

    def give_back(self) -> None:
        """What was taken could not be sent, and waits again, at the front."""
        for place, frame in reversed(self._taken):
            self._waiting[place] = frame
            self._waiting.move_to_end(place, last=False)
            self._count_in(place, frame, first=True)
        self._taken.clear()

    def _too_many(self) -> bool:
        return len(self) > self._max_frames

    def _too_big(self) -> bool:
        return self.size > self._max_bytes

    def _shed(self, weight: Callable[[_Share], int], over: Callable[[], bool]) -> list[Outgoing]:
        if not over():
            return []
        dropped = []
        heap = [(-weight(share), share.places[0], s) for s, share in self._shares.items()]
        heapq.heapify(heap)
        while over() and len(self._waiting) > 1:
            _, place, stream = heap[0]
            frame = self._waiting.pop(place)
            self._count_out(frame)
            self.size -= len(frame.message.payload)
            dropped.append(frame)
            share = self._shares.get(stream)
            if share is None:
                heapq.heappop(heap)
            else:
                heapq.heapreplace(heap, (-weight(share), share.places[0], stream))
        return dropped

    def _count_in(self, place: int, frame: Outgoing, first: bool) -> None:
        share = self._shares.get(frame.stream)
        if share is None:
            share = self._shares[frame.stream] = _Share()
        if first:
            share.places.appendleft(place)
        else:
            share.places.append(place)
        share.size += len(frame.message.payload)

    def _count_out(self, frame: Outgoing) -> None:
        """The stream's oldest waiting frame is no longer waiting."""
        share = self._shares[frame.stream]
        share.places.popleft()
        share.size -= len(frame.message.payload)
        if not share.places:
            del self._shares[frame.stream]

    def _release(self) -> None:
        if self._taken:
            released = self._taken[0][1].sequence - 1
        elif self._waiting:
            released = next(iter(self._waiting.values())).sequence - 1
        else:
            released = self._newest
        self.released = max(self.released, released)

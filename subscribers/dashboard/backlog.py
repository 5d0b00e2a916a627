"""What waits for one client, bounded in bytes. Pure."""

from __future__ import annotations

from collections import deque

from subscribers.dashboard.live_frame import Batch, LiveFrame
from subscribers.dashboard.positions import Place


class Backlog:
    """Batches in order. One that does not fit pushes out all that waits: the client is behind, and
    goes on with what is newest. Frames without lines stay, as far as a quarter of the room."""

    def __init__(self, limit: int) -> None:
        self.size = 0
        self.dropped: dict[Place, tuple[int, int]] = {}  # lines let go since it was last emptied
        self._limit = limit
        self._batches: deque[Batch] = deque()
        self._begun = 0  # frames of the first batch that were taken

    def __len__(self) -> int:
        return len(self._batches)

    def put(self, batch: Batch) -> bool:
        """Add a batch; False where what waited had to go."""
        fits = not self._batches or self.size + batch.size <= self._limit
        if not fits:
            self._overflow()
        self._batches.append(batch)
        self.size += batch.size
        return fits

    def take(self, limit: int) -> list[LiveFrame]:
        """The next frames, `limit` bytes of them or one."""
        taken: list[LiveFrame] = []
        size = 0
        while self._batches and size < limit:
            batch = self._batches[0]
            if not self._begun and size + batch.size <= limit:  # the usual case, in one step
                self._batches.popleft()
                taken += batch.frames
                size += batch.size
                continue
            frame = batch.frames[self._begun]
            if taken and size + frame.size > limit:
                break
            taken.append(frame)
            size += frame.size
            self._begun += 1
            if self._begun == len(batch.frames):
                self._batches.popleft()
                self._begun = 0
        self.size -= size
        return taken

    def give_back(self, frames: list[LiveFrame]) -> None:
        """Put frames back that were taken last, in their order."""
        if not frames:
            return
        if self._begun:
            first = self._batches.popleft()
            frames = [*frames, *first.frames[self._begun :]]
            self.size -= sum(frame.size for frame in first.frames[self._begun :])
            self._begun = 0
        batch = Batch(frames)
        self._batches.appendleft(batch)
        self.size += batch.size

    def clear(self) -> None:
        """Let go of everything."""
        self._batches.clear()
        self._begun = self.size = 0

    def _overflow(self) -> None:
        kept: list[LiveFrame] = []
        room = self._limit // 4
        for live in self.take(self.size + 1):
            frame = live.frame
            if frame.next == frame.first and live.size <= room:
                kept.append(live)
                room -= live.size
                continue
            first, following = self.dropped.get(live.place, (frame.first, frame.next))
            self.dropped[live.place] = min(first, frame.first), max(following, frame.next)
        self.clear()
        self.give_back(kept)

"""What the live and the replay threads hand to the one thread that iterates. Bounded in bytes."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

_LIVE, _REPLAY, _CONTROL = range(3)


class Inbox:
    """A queue with a bound for live frames (the newest is dropped and counted: a slow reader must
    slow nobody) and another for replayed ones (the replay waits: it is what repairs the drops).
    Few and small other events always fit. All methods may be called on any thread."""

    def __init__(self, live_bytes: int, replay_bytes: int) -> None:
        self._free = [live_bytes, replay_bytes, 0]
        self._items: deque[tuple[int, Any, int]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._dropped = 0

    def put_live(self, item: object, size: int) -> None:
        """Add a live frame of `size` bytes, or drop it where there is no room."""
        with self._changed:
            if self._free[_LIVE] <= 0:
                self._dropped += 1
            else:
                self._add(_LIVE, item, size)

    def put_replay(self, item: object, size: int, timeout: float) -> bool:
        """Add a replayed frame; False where there was no room for `timeout` seconds, or closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._free[_REPLAY] > 0 or self._closed, timeout)
            if self._closed or self._free[_REPLAY] <= 0:
                return False
            self._add(_REPLAY, item, size)
            return True

    def put(self, item: object) -> None:
        """Add anything else."""
        with self._changed:
            self._add(_CONTROL, item, 0)

    def get(self, timeout: float) -> Any | None:
        """The next item, or None after `timeout` seconds or once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._closed, timeout)
            if self._closed or not self._items:
                return None
            kind, item, size = self._items.popleft()
            if size:
                blocked = self._free[kind] <= 0
                self._free[kind] += size
                if blocked:
                    self._changed.notify_all()
            return item

    def take_dropped(self) -> int:
        """How many live frames were dropped since the last call."""
        with self._changed:
            dropped, self._dropped = self._dropped, 0
            return dropped

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def close(self) -> None:
        """Wake everyone; what is in it is let go."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()

    def _add(self, kind: int, item: object, size: int) -> None:
        if self._closed:
            return
        self._free[kind] -= size
        self._items.append((kind, item, size))
        if len(self._items) == 1:  # else its reader is awake, or on its way
            self._changed.notify_all()

"""The notifications that wait for one receiver, and which of them are sent next. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from itertools import islice

from subscribers.alerts.notifications.notification import Notification


class Waiting:
    """In the order in which they were added. Each has a number, which is never given twice."""

    def __init__(self) -> None:
        self._queue: dict[int, Notification] = {}
        self._tried: dict[int, int] = {}
        self._of_alert: Counter[str] = Counter()  # those in the queue, by fingerprint
        self._next = 0

    def __len__(self) -> int:
        return len(self._queue)

    def __getitem__(self, number: int) -> Notification:
        return self._queue[number]

    def has(self, fingerprint: str) -> bool:
        """Whether something about that alert waits."""
        return fingerprint in self._of_alert

    def add(self, notifications: Iterable[Notification]) -> None:
        """Behind what waits."""
        for one in notifications:
            self._queue[self._next] = one
            self._next += 1
            self._of_alert[one.alert.fingerprint] += 1

    def remove(self, number: int) -> Notification:
        """It waits no more."""
        one = self._queue.pop(number)
        self._tried.pop(number, None)
        self._of_alert[one.alert.fingerprint] -= 1
        if not self._of_alert[one.alert.fingerprint]:
            del self._of_alert[one.alert.fingerprint]
        return one

    def put_before(self, stored: list[Notification]) -> None:
        """What the store has goes in front; what waits already may be a part of it."""
        last = stored[-1].id if stored else 0
        added = [one for one in self._queue.values() if not 0 < one.id <= last]
        self._queue.clear()
        self._of_alert.clear()
        self.add([*stored, *added])

    def cut(self, most: int, in_hand: Collection[int]) -> list[Notification]:
        """Let go of the oldest that are beyond `most`, but not of those that are being sent."""
        count = max(0, len(self._queue) - most)
        oldest = list(islice((n for n in self._queue if n not in in_hand), count))
        return [self.remove(number) for number in oldest]

    def missed(self, numbers: Iterable[int]) -> None:
        """They were tried in vain."""
        for number in numbers:
            self._tried[number] = self._tried.get(number, 0) + 1

    def heads(self, most: int) -> list[int]:
        """The first of each alert, of those that were tried least; `most` at once. What was tried
        goes alone: one of them may be what the receiver fails at."""
        heads: dict[str, int] = {}
        for number, one in self._queue.items():
            heads.setdefault(one.alert.fingerprint, number)
            if len(heads) == most and not self._tried:
                break
        untried = [number for number in heads.values() if number not in self._tried]
        if untried or not heads:
            return untried[:most]
        return [min(heads.values(), key=lambda number: (self._tried[number], number))]

"""Since when each job is listened to: what was printed before that fires nothing. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from broker.topic import Stream
from subscribers.selection import Selection

_MOST: Final = 20  # eras; older ones are of no use any more
_REMEMBERED: Final = 50_000  # jobs


class Era(msgspec.Struct, frozen=True):
    """The rules are about the jobs that match. What was printed before `since`, ns since 1970, is
    passed over; 0: where each job stood was known, so that no time is needed."""

    since: int
    patterns: list[str]


class Eras:
    """The oldest first; a new one begins when the rules are about other jobs. One thread."""

    def __init__(self, eras: Iterable[Era] = ()) -> None:
        self._eras = [(era, Selection(era.patterns)) for era in eras]
        self._last = max((era.since for era, _ in self._eras), default=0)
        self._known: dict[Stream, int] = {}

    @property
    def all(self) -> list[Era]:
        """To be kept."""
        return [era for era, _ in self._eras]

    @property
    def patterns(self) -> Sequence[str]:
        """Of the jobs that are listened to now; empty where none ever were."""
        return self._eras[-1][0].patterns if self._eras else ()

    def begin(self, patterns: Sequence[str], since: int) -> None:
        """The rules are about these from now on; `since` as of an `Era`."""
        self._eras = [*self._eras, (Era(since, list(patterns)), Selection(patterns))][-_MOST:]
        self._last = max(era.since for era, _ in self._eras)
        self._known.clear()

    def is_old(self, stream: Stream, ts: int) -> bool:
        """Whether what was printed then, ns, was before the job was listened to."""
        return ts < self._last and ts < self._since(stream)

    def _since(self, stream: Stream) -> int:
        known = self._known.get(stream)
        if known is None:
            known = 0
            for era, wanted in reversed(self._eras):
                if stream not in wanted:
                    break
                known = era.since
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[stream] = known
        return known

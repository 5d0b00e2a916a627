"""Where the lines of each job begin. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from broker.frame import Frame
from broker.jobview import JobView
from broker.topic import Stream
from subscribers.sequencer import Start


class Place(NamedTuple):
    """`start` as of `Subscription`, and for listed jobs a line in `since` before which none is
    shown, because it was read before `since_ns` (ns since 1970); None where that was not asked
    for."""

    start: Start
    since: Mapping[Stream, int] | None = None
    since_ns: int = 0

    def line(self, view: JobView) -> int:
        """The first line to show of a job, as it was listed."""
        if self.start == "live":
            line = view.next
        elif self.start == "begin":
            line = 0
        elif self.start < 0:
            line = max(0, view.next + self.start)
        else:
            line = min(self.start, view.next) if view.state == "ended" else self.start
        return max(line, (self.since or {}).get(Stream(view.cluster, view.job), 0))

    def positions(self, views: Iterable[JobView]) -> dict[str, tuple[str, int]]:
        """For `Subscription`: where it goes on, for the jobs of which a line is known."""
        if self.since is None:
            return {}
        return {
            f"{view.cluster}/{view.job}": (view.epoch, self.line(view) - self._may_grow(view))
            for view in views
            if (view.cluster, view.job) in self.since
        }

    def is_before(self, frame: Frame) -> bool:
        """Whether a frame is there only because its line might have grown since."""
        line = (self.since or {}).get(Stream(frame.cluster, frame.job))
        old = frame.kind == "log" and frame.ts < self.since_ns
        return line is not None and old and frame.next <= line

    def _may_grow(self, view: JobView) -> bool:
        """Whether the last line, though older, may have no end yet: then it comes again."""
        return 0 < view.next == (self.since or {}).get(Stream(view.cluster, view.job))

    @property
    def begins_late(self) -> bool:
        """Whether jobs may be over before it: their ends are no news then."""
        return self.start == "live" or self.since is not None

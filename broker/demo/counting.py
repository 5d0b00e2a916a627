"""How many lines there are, counted apart from raytap's own reading of logs and frames.

The daemon's splitter, frames and `Subscription` are what the demo checks, so none is used here.
"""

from __future__ import annotations

import re
import threading
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Final

import msgpack

_LINE_END: Final = re.compile(rb"\r\n|\r|\n")


def count_lines(log: bytes) -> int:
    """Lines of a log that is over; a last one without an end counts."""
    ends = 0
    after = 0
    for end in _LINE_END.finditer(log):
        ends += 1
        after = end.end()
    return ends + (after < len(log))


@dataclass(slots=True)
class Received:
    """What one subscriber got of one job."""

    texts: dict[tuple[str, int], str] = field(default_factory=dict)  # by epoch and line
    reached: dict[str, int] = field(default_factory=dict)  # epoch: the line that comes next
    repeats: int = 0
    redacted: int = 0
    status: str = ""  # of its `end`; empty while there was none
    complete: bool = False

    @property
    def lines(self) -> int:
        """How many different ones."""
        return len(self.texts)

    @property
    def missing(self) -> int:
        """Lines before the highest position that did not come."""
        return sum(self.reached.values()) - self.lines


class Tally:
    """One subscriber's lines, job by job. Any thread may call."""

    def __init__(self) -> None:
        self._jobs: dict[str, Received] = {}
        self._lock = threading.Lock()

    def of(self, job: str) -> Received:
        """A copy of the job's count so far."""
        with self._lock:
            return deepcopy(self._jobs.get(job, Received()))

    def take(self, payload: bytes) -> None:
        """Count one frame."""
        frame = msgpack.unpackb(payload)
        with self._lock:
            self._count(self._jobs.setdefault(frame["job"], Received()), frame)

    @staticmethod
    def _count(got: Received, frame: dict[str, Any]) -> None:
        epoch = frame.get("epoch", "")
        if frame["kind"] in ("log", "gap"):
            got.reached[epoch] = max(got.reached.get(epoch, 0), frame["next"])
        if frame["kind"] == "log":
            for number, text in enumerate(frame["lines"], frame["first"]):
                amended = frame.get("amends", False) and number == frame["first"]
                got.repeats += (epoch, number) in got.texts and not amended
                got.texts[epoch, number] = text
            got.redacted += frame.get("redacted", 0)
            got.status = ""  # lines after an end: the log goes on
        elif frame["kind"] == "end":
            got.complete = bool(frame.get("complete"))
            got.status = frame["status"]


@dataclass(frozen=True, slots=True)
class JobCount:
    """One job's line of the report."""

    source_lines: int
    zeromq: int
    redis: int
    gaps: int  # lines that either subscriber lacks
    repeats: int
    redacted: int
    agrees: bool


def compare(log: bytes, zeromq: Received, redis: Received) -> JobCount:
    """The counts of one job, and whether all of them and the texts agree."""
    source = count_lines(log)
    gaps = zeromq.missing + redis.missing
    repeats = zeromq.repeats + redis.repeats
    agrees = (
        source == zeromq.lines == redis.lines
        and zeromq.texts == redis.texts
        and zeromq.redacted == redis.redacted
        and zeromq.complete
        and redis.complete
        and not gaps
        and not repeats
    )
    return JobCount(source, zeromq.lines, redis.lines, gaps, repeats, zeromq.redacted, agrees)

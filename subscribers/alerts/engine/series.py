"""One rule on one set of labels: when its condition began to hold, fires, and resolves. Pure.

What happens has the time of its cause, not of the moment it was noticed: however often `due` is
called, it says the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal, NamedTuple

import msgspec

from subscribers.alerts.engine.alert import Alert
from subscribers.alerts.engine.windows import Window
from subscribers.alerts.rules.rule import Rule


class Detail(msgspec.Struct, array_like=True):
    """What was seen when the condition last held, for the annotations."""

    cluster: str = ""
    job: str = ""
    epoch: str = ""
    number: int | None = None  # the line's; of a traceback its first one's
    line: str = ""
    traceback: str = ""
    before: list[str] = []
    after: list[str] = []
    status: str = ""
    value: float | None = None
    next: int = 0  # the line that `after` waits for


class Change(NamedTuple):
    """It fired or resolved, and when."""

    what: Literal["firing", "resolved"]
    time: float


class Series(msgspec.Struct, array_like=True):
    """Times are seconds since 1970. A condition holds for an instant (`pulse`), or from one time
    to another (`hold`, `clear`)."""

    values: list[str]  # of the labels that the rule counts by, in its order
    stream: str = ""  # the job it is about; empty where it is about several, or none
    window: Window = msgspec.field(default_factory=Window)
    since: float | None = None  # the condition has held, with no long pause, since
    last: float = 0.0  # when it held last
    held: bool = False  # it holds until it is cleared
    until: float | None = None  # it resolves then, whether it is held or not
    detail: Detail = msgspec.field(default_factory=Detail)
    fired: float | None = None  # it fires since
    alert: Alert | None = None  # what was told; None while its `after` lines are waited for

    @property
    def idle(self) -> bool:
        """Whether forgetting it changes nothing but its window."""
        return self.since is None and self.fired is None and not self.held

    def pulse(self, time: float) -> None:
        """The condition holds at this moment. `due` was called for it before."""
        if self.since is None:
            self.since = time
        self.last = max(self.last, time)

    def hold(self, time: float) -> None:
        """The condition holds from now on."""
        if not self.held:
            self.pulse(time)
            self.held = True

    def clear(self, time: float) -> None:
        """The condition holds no more."""
        if self.held:
            self.held = False
            self.last = max(self.last, time)
            if self.fired is None:
                self.since = None

    def due(self, rule: Rule, now: float) -> Iterator[Change]:
        """What has happened up to `now`."""
        if self.fired is None and self.since is not None:
            ends = math.inf if self.held else self.last + rule.span
            fires = self.since + rule.for_
            if fires <= min(now, ends):
                self.fired = fires
                yield Change("firing", fires)
            elif now > ends:
                self.since = None
        if self.fired is not None:
            ends = math.inf if self.held else self.last + rule.resolves
            if self.until is not None:
                ends = min(ends, self.until)
            if ends <= now:
                yield from self.end(max(ends, self.fired))

    def end(self, time: float) -> Iterator[Change]:
        """The condition is over, whatever was seen."""
        if self.fired is not None:
            yield Change("resolved", time)
        self.since = self.fired = self.until = self.alert = None
        self.held = False

"""What rules would have done on a log that is there: `raytap alerts try`. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from broker.frame import Frame
from broker.jobview import JobView
from subscribers.alerts.engine.alert import Alert, Transition
from subscribers.alerts.engine.engine import Engine
from subscribers.alerts.engine.links import Links
from subscribers.alerts.rules.rule import Rule

_LIST_S: Final = 1.0  # the broker's list comes so often, in the log's own time


class Trial:
    """Runs rules over a job's frames in the frames' own time, as if it had been watched then.

    The broker is taken to have been well all the time, and the log's first line, where no status
    came before it, to be of a running job.
    """

    def __init__(self, rules: Sequence[Rule], links: Links) -> None:
        self.fired: list[Alert] = []  # in order; `ends_at` is None where it fires at the log's end
        self.lines = 0
        self._engine = Engine(rules, links)
        self._at: dict[tuple[str, float], int] = {}
        self._status, self._run = "RUNNING", 1
        self._listed = float("-inf")

    def run(self, frames: Iterable[Frame]) -> Iterator[Alert]:
        """Feed them all; each alert as it fires."""
        last: Frame | None = None
        position = 0
        for frame in frames:
            time = frame.ts / 1e9
            yield from self._list(frame, position, time, first=last is None)
            if frame.kind in ("status", "end") and frame.status:
                self._status, self._run = frame.status, frame.run or self._run
            yield from self._saw(self._engine.feed(frame, time))
            if frame.kind == "log":
                self.lines += len(frame.lines)
            position, last = frame.next, frame
        if last is not None and last.kind != "end":
            yield from self._list(last, position, last.ts / 1e9 + _LIST_S, first=True)
            yield from self._saw(self._engine.tick(last.ts / 1e9 + 3 * _LIST_S))

    def _list(self, frame: Frame, position: int, time: float, *, first: bool) -> list[Alert]:
        """What the broker would have told just before the frame came."""
        if time - self._listed < _LIST_S and not first:
            return []
        self._listed = time
        view = JobView(
            cluster=frame.cluster,
            job=frame.job,
            state="streaming",
            status=self._status,
            run=self._run,
            epoch=frame.epoch if frame.kind != "reset" else "",
            next=position,
        )
        told = self._engine.told([view], [], time)
        return self._saw([*told, *self._engine.tick(time)])

    def _saw(self, transitions: Sequence[Transition]) -> list[Alert]:
        fresh = []
        for alert, what in ((one.alert, one.what) for one in transitions):
            key = alert.fingerprint, alert.starts_at
            if what == "firing":
                self._at[key] = len(self.fired)
                self.fired.append(alert)
                fresh.append(alert)
            elif key in self._at:
                self.fired[self._at[key]] = alert
        return fresh


def untried(rules: Sequence[Rule], *, file: bool) -> list[str]:
    """The rules on which a log has no word: on the broker's health, and (a file) on the job's
    life."""
    return [
        rule.name
        for rule in rules
        if (rule.kind == "broker" and (file or rule.broker != "gap"))
        or (file and rule.kind in ("status", "running"))
    ]

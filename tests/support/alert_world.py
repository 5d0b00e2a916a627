"""An engine with a clock that tests turn, and a job whose lines and life they say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from broker.frame import Frame
from broker.jobview import JobView
from subscribers.alerts.engine.alert import Transition
from subscribers.alerts.engine.engine import Engine
from subscribers.alerts.engine.links import Links
from subscribers.alerts.rules.rules_file import parse

START = 1_700_000_000.0


class World:
    """One engine, one job at a time, one clock. `seen` is all that happened."""

    def __init__(self, rules: str, *, hyperscan: bool = False, told: bool = True) -> None:
        self.rules = parse(rules).rules
        self.hyperscan = hyperscan
        self.engine = self.make()
        self.now = START
        self.seen: list[Transition] = []
        self.positions: dict[str, int] = {}
        self.runs: dict[str, int] = {}
        if told:
            self.engine.told([], [], self.now)

    def make(self) -> Engine:
        """Another engine of the same rules."""
        return Engine(self.rules, Links("http://dash"), hyperscan=self.hyperscan)

    def restart(self, rules: str | None = None) -> None:
        """As after a crash: another engine goes on from the first one's dump."""
        data = self.engine.dump()
        if rules is not None:
            self.rules = parse(rules).rules
        self.engine = self.make()
        self.engine.restore(data)

    def lines(self, *lines: str, job: str = "a", **fields: Any) -> list[str]:
        """The job prints; what that brought."""
        first = self.positions.get(job, 0) - bool(fields.get("amends"))
        self.positions[job] = first + len(lines)
        return self.frame(
            "log", job, first=first, next=first + len(lines), lines=list(lines), **fields
        )

    def frame(self, kind: Any, job: str = "a", **fields: Any) -> list[str]:
        """A frame of any kind."""
        at = self.positions.get(job, 0)
        given: dict[str, Any] = {"first": at, "next": at, "epoch": "e1", "ts": int(self.now * 1e9)}
        frame = Frame(kind=kind, cluster="c", job=job, **(given | fields))
        self.positions[job] = frame.next
        return self._saw(self.engine.feed(frame, self.now))

    def status(self, status: str, job: str = "a", run: int = 0, kind: str = "status") -> list[str]:
        """The job's status changes."""
        self.runs[job] = run or self.runs.get(job) or int(self.now * 1000)
        return self.frame(kind, job, status=status, run=self.runs[job])

    def end(self, status: str = "SUCCEEDED", job: str = "a") -> list[str]:
        """The job's log is over."""
        return self.status(status, job, kind="end")

    def view(self, job: str = "a", **fields: Any) -> JobView:
        """What the broker lists."""
        given: dict[str, Any] = {
            "state": "streaming",
            "status": "RUNNING",
            "run": self.runs.get(job, int(START * 1000)),
            "epoch": "e1",
            "next": self.positions.get(job, 0),
        }
        return JobView(cluster="c", job=job, **(given | fields))

    def told(self, *views: JobView, degraded: Sequence[str] = ()) -> list[str]:
        """The broker's list comes."""
        return self._saw(self.engine.told(views, degraded, self.now))

    def tick(self) -> list[str]:
        """The clock ticks."""
        return self._saw(self.engine.tick(self.now))

    def wait(self, seconds: float, step: float = 1.0, **fields: Any) -> list[str]:
        """Time passes; the broker lists the job all the while, unless `step` is 0."""
        seen: list[str] = []
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + (step or seconds))
            if step:
                seen += self.told(self.view(**fields))
            seen += self.tick()
        return seen

    def _saw(self, transitions: list[Transition]) -> list[str]:
        self.seen += transitions
        return [f"{one.alert.rule} {one.what}" for one in transitions]

    @property
    def last(self) -> Transition:
        """The last thing that happened."""
        return self.seen[-1]

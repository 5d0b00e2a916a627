"""Alerts, an engine and frames that do what a test says."""

from __future__ import annotations

import queue
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from broker.frame import Frame
from broker.jobview import JobView
from subscribers.alerts.engine.alert import Alert, Transition, fingerprint
from subscribers.alerts.notifications.notification import Notification, State
from subscribers.alerts.rules.receiver_config import Receiver, parse_receiver

EPOCH = "aaaaaaaaaaaa"
TS = 2_000_000_000 * 10**9  # when every frame was read: later than any test runs


def alert(name: str = "oom", starts_at: float = 1000.0, **changes: Any) -> Alert:
    """A firing one of job ray/train-1."""
    labels = {"alertname": name, "severity": "critical", "cluster": "ray", "job": "train-1"}
    labels |= changes.pop("labels", {})
    fields: dict[str, Any] = {
        "fingerprint": fingerprint(name, labels),
        "rule": name,
        "severity": "critical",
        "labels": labels,
        "annotations": {"summary": f"{name} happened"},
        "cluster": "ray",
        "job": "train-1",
        "epoch": EPOCH,
        "line": 41,
        "starts_at": starts_at,
        "url": "http://127.0.0.1:8271/jobs/ray/train-1#L41",
    }
    return Alert(**(fields | changes))


def over(one: Alert, ends_at: float) -> Alert:
    """The same, resolved."""
    return msgspec.structs.replace(one, ends_at=ends_at)


def firing(one: Alert) -> Transition:
    return Transition(one, "firing")


def resolved(one: Alert, ends_at: float) -> Transition:
    return Transition(over(one, ends_at), "resolved")


def notification(
    one: Alert | None = None,
    receiver: str = "a",
    state: State = "firing",
    repeat: int = 0,
    id: int = 0,
) -> Notification:
    return Notification(receiver, one or alert(), state, repeat, 1000.0, id)


def receiver(name: str = "a", kind: str = "webhook", **fields: object) -> Receiver:
    """A webhook, unless another kind is asked for."""
    return parse_receiver({"name": name, "kind": kind, "url": "http://127.0.0.1:9/x", **fields})


def log(first: int, *lines: str, job: str = "train-1", epoch: str = EPOCH, **fields: Any) -> Frame:
    """Lines of a job from line `first` on."""
    return Frame("log", "ray", job, first, first + len(lines), lines=list(lines), epoch=epoch,
                 ts=TS, **fields)  # fmt: skip


class ScriptedEngine:
    """A line `fire NAME` fires an alert of that name, `resolve NAME` resolves it. An alert starts
    at the number of its line. One that `forgets` restores nothing."""

    def __init__(self, forgets: bool = False) -> None:
        self.forgets = forgets
        self.fired: dict[str, Alert] = {}
        self.fed: list[Frame] = []
        self.jobs: list[JobView] = []
        self.degraded: list[str] = []
        self.revision = 0

    @property
    def firing(self) -> list[Alert]:
        return list(self.fired.values())

    def feed(self, frame: Frame, now: float) -> list[Transition]:
        self.fed.append(frame)
        self.revision += 1
        found = []
        for number, line in enumerate(frame.lines, frame.first):
            word, _, name = line.partition(" ")
            if word == "fire" and name not in self.fired:
                self.fired[name] = one = alert(name, float(number), line=number, job=frame.job)
                found.append(firing(one))
            elif word == "resolve" and name in self.fired:
                found.append(resolved(self.fired.pop(name), float(number)))
            elif word == "crash":
                raise RuntimeError("a bug in a rule")
        return found

    def tick(self, now: float) -> list[Transition]:
        return []

    def told(
        self, jobs: Sequence[JobView], degraded: Sequence[str], now: float
    ) -> list[Transition]:
        self.jobs, self.degraded = list(jobs), list(degraded)
        return []

    def dump(self) -> bytes:
        return msgspec.msgpack.encode(self.fired)

    def restore(self, data: bytes) -> None:
        if not self.forgets:
            self.fired = msgspec.msgpack.decode(data, type=dict[str, Alert])


class ScriptedFrames:
    """A subscription: what is put comes; where it goes on from is in `positions`."""

    def __init__(self) -> None:
        self.patterns: list[str] = []
        self.positions: dict[str, tuple[str, int]] = {}
        self.subscribed = 0
        self.connected = True
        self.problem = ""
        self._queue: queue.Queue[Frame] = queue.Queue()

    def subscribe(
        self, patterns: Sequence[str], positions: Mapping[str, tuple[str, int]]
    ) -> ScriptedFrames:
        self.patterns, self.positions = list(patterns), dict(positions)
        self.subscribed += 1
        return self

    def put(self, *frames: Frame) -> None:
        for frame in frames:
            self._queue.put(frame)

    def receive(self, timeout: float | None = None) -> Frame | None:
        try:
            return self._queue.get(timeout=timeout)
        except queue.Empty:
            return None

    def close(self) -> None:
        """It may be subscribed to again."""

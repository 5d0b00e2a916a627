"""Frames in, committed steps out: engine, planner and store put together. One thread; the clocks
are handed in.

A step is what came within a fraction of a second. It is committed as one transaction, and only
then are its notifications handed on: whoever is told of an alert is told of one that a restart
still knows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol

import msgspec

from broker.events import get_logger
from broker.frame import Frame
from broker.jobview import JobView
from broker.topic import Stream
from subscribers.alerts.engine.alert import Alert, Transition
from subscribers.alerts.notifications.notification import Notification
from subscribers.alerts.notifications.planner import Plan, Planner, Room, Waiting
from subscribers.alerts.rules.receiver_config import Receiver
from subscribers.alerts.rules.rule import TERMINAL
from subscribers.alerts.service.metrics import Metrics
from subscribers.alerts.store.backlog import Backlog
from subscribers.alerts.store.eras import Eras
from subscribers.alerts.store.progress import Progress
from subscribers.alerts.store.schema import StoreError
from subscribers.alerts.store.store import Store

events: Final = get_logger("alerts")

STEP_S: Final = 0.15  # what comes within it is committed together
LONGEST_STEP_S: Final = 2.0
IDLE_STEP_S: Final = 5.0  # the engine's clockwork is saved so often where no frame came
_SHARE: Final = 9  # a commit takes at most a tenth of the time
_TICK_S: Final = 0.5
_MOST_UNSAVED: Final = 10_000  # alerts that the store could not take


class Engine(Protocol):
    """`subscribers.alerts.engine.engine.Engine`."""

    def feed(self, frame: Frame, now: float) -> list[Transition]: ...
    def tick(self, now: float) -> list[Transition]: ...
    def told(
        self, jobs: Sequence[JobView], degraded: Sequence[str], now: float
    ) -> list[Transition]: ...
    @property
    def firing(self) -> list[Alert]: ...
    @property
    def revision(self) -> int: ...  # another one where `dump` would be

    def dump(self) -> bytes: ...
    def restore(self, data: bytes) -> None: ...


class Evaluation:
    """`put` takes the notifications of a committed step, `waiting` tells those not sent yet,
    and `room` how many more may be.

    `addresses`: what `use_receivers` was given last, in an earlier life. `eras` and `backlog`: of
    what is older, nothing fires. `clock` gives unix seconds, `monotonic` any. `problem` says why
    steps are not committed.
    """

    def __init__(
        self,
        store: Store,
        planner: Planner,
        progress: Progress,
        put: Callable[[Iterable[Notification]], None],
        waiting: Waiting,
        room: Room,
        metrics: Metrics,
        addresses: Mapping[str, str],
        eras: Eras,
        backlog: Backlog,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.problem = ""
        self.firing: list[Alert] = planner.firing  # as of the last step
        self.planner = planner
        self._store = store
        self._progress = progress
        self._put = put
        self._waiting = waiting
        self._room = room
        self._metrics = metrics
        self._clock = clock
        self._monotonic = monotonic
        self._engine: Engine | None = None
        self._transitions: list[Transition] = []
        self._unsaved: dict[tuple[str, int], Alert] = {}
        self._addresses = dict(addresses)
        self._eras = eras
        self._backlog = backlog
        self._eras_changed = False  # or the backlog
        self._saved_revision = -1  # of the engine
        self._stirred = False  # a frame came since the last step
        self._next_tick = self._next_step = self._next_idle = 0.0
        metrics.store_ok.set(1)

    def use_engine(self, engine: Engine) -> None:
        """Evaluate with it from now on. What fires for it fires, and nothing else does: its state
        may have been lost, or the alerts'."""
        self._engine = engine
        now = self._clock()
        self._transitions += engine.tick(now)
        known = {alert.fingerprint: alert for alert in engine.firing}
        changing = {transition.alert.fingerprint for transition in self._transitions}
        ours = {alert.fingerprint: alert for alert in self.planner.firing}
        for fingerprint, alert in ours.items():
            if fingerprint not in known and fingerprint not in changing:
                over = msgspec.structs.replace(alert, ends_at=max(now, alert.starts_at))
                self._transitions.append(Transition(over, "resolved"))
        self._transitions += [
            Transition(alert, "firing")
            for fingerprint, alert in known.items()
            if fingerprint not in ours and fingerprint not in changing
        ]
        self._saved_revision = -1
        self._stirred = True

    def use_receivers(
        self, receivers: Sequence[Receiver], repeat_s: float, addresses: Mapping[str, str]
    ) -> None:
        """Tell these from now on; what waits for others is let go of. `addresses`: hashes of where
        each of them is, by name."""
        before, self._addresses = self._addresses, dict(addresses)
        moved = {name for name, at in addresses.items() if before.get(name, "") not in ("", at)}
        self.planner.use_receivers(receivers, repeat_s, moved)
        try:
            gone = self._store.replace_told(self.planner.told, self._addresses)
        except StoreError as error:
            events.error(
                "store_failed", why=error.message, effect="old receivers are not forgotten"
            )
        else:
            if gone:
                events.warning("notifications_dropped", count=gone, why="their receiver is gone")

    def listen(self, patterns: Sequence[str], fresh: Iterable[JobView], *, by_time: bool) -> None:
        """The rules are about these jobs from now on: remembered with the next step. `fresh` were
        not listened to before; what they hold already is passed over. `by_time`: so are lines from
        before now of all others that come up."""
        fresh = list(fresh)
        self._progress.skip(fresh)
        self._backlog.begin(fresh)
        self._eras.begin(patterns, int(self._clock() * 1e9) if by_time else 0)
        self._eras_changed = self._stirred = True

    def prune(self, history_s: float) -> None:
        """Let go of what is too old; seconds."""
        now = self._clock()
        try:
            self._store.prune(now - history_s, now)
        except StoreError as error:
            events.warning("store_failed", why=error.message, effect="nothing was let go of")

    def dump(self) -> bytes:
        """The engine's state; empty where there is none."""
        return self._engine.dump() if self._engine else b""

    def feed(self, frame: Frame) -> None:
        """One frame of the subscription."""
        fresh = self._progress.take(frame)
        if fresh is None or self._engine is None:
            return
        self._stirred = True
        if self._backlog.hides(fresh) or self._is_old(fresh):
            return
        self._metrics.frames.inc()
        if fresh.lines:
            self._metrics.lines.inc(len(fresh.lines))
            self._metrics.lag.set(max(0.0, self._clock() - fresh.ts / 1e9))
        try:
            self._transitions += self._engine.feed(fresh, self._clock())
        except Exception as error:  # one rule's bug must not end all the others
            self._failed(error, fresh)

    def told(self, jobs: Sequence[JobView], degraded: Sequence[str]) -> None:
        """The brokers' lists."""
        if caught_up := self._backlog.told(jobs):
            self._progress.skip(caught_up)
            self._eras_changed = self._stirred = True
        jobs = [view for view in jobs if not self._is_past(view)]
        if self._engine is not None:
            try:
                self._transitions += self._engine.told(jobs, degraded, self._clock())
            except Exception as error:
                self._failed(error)

    def run_due(self) -> None:
        """Tick and commit where it is time to; call it several times a second."""
        now = self._monotonic()
        if now >= self._next_tick and self._engine is not None:
            self._next_tick = now + _TICK_S
            try:
                self._transitions += self._engine.tick(self._clock())
            except Exception as error:
                self._failed(error)
        if now < self._next_step:
            return
        stirred = self._stirred or self._transitions or self.problem
        if stirred or now >= self._next_idle or self.planner.due <= self._clock():
            self.commit()

    def commit(self) -> None:
        """End the step now."""
        began = self._monotonic()
        plan = self.planner.step(self._transitions, self._clock(), self._waiting, self._room)
        for transition in self._transitions:
            self._metrics.transitions.labels(transition.what).inc()
        self._transitions = []
        if plan.alerts:
            self.firing = self.planner.firing
        self._put(self._committed(plan))
        took = self._monotonic() - began
        self._metrics.commit_seconds.observe(took)
        self._stirred = False
        self._next_step = began + took + min(max(STEP_S, _SHARE * took), LONGEST_STEP_S)
        self._next_idle = began + IDLE_STEP_S

    def _committed(self, plan: Plan) -> list[Notification]:
        """What to send. A full disk must not silence the alert that says so: what cannot be
        committed is sent all the same, and written once it can be."""
        revision = self._engine.revision if self._engine else -1
        engine = self.dump() if revision != self._saved_revision else None
        positions = self._progress.changed()
        eras, backlog = None, None
        if self._eras_changed:
            eras, backlog = self._eras.all, self._backlog.all
        if not (engine or positions or any(plan) or eras or self.problem):
            return []
        alerts = [*self._unsaved.values(), *plan.alerts]
        try:
            notifications = self._store.commit(
                plan._replace(alerts=alerts), positions, engine, eras, backlog
            )
            if self.problem:
                self._store.replace_told(self.planner.told, self._addresses)
        except StoreError as error:
            if not self.problem:
                effect = "alerts are sent, but a restart may send them again"
                events.error("store_failed", why=error.message, effect=effect)
            self.problem = error.message
            self._metrics.store_ok.set(0)
            self._progress.mark(positions)
            for alert in plan.alerts[:_MOST_UNSAVED]:
                self._unsaved[alert.fingerprint, alert.episode] = alert
            while len(self._unsaved) > _MOST_UNSAVED:
                del self._unsaved[next(iter(self._unsaved))]
            return plan.notifications
        if self.problem:
            events.info("store_works_again")
            self.problem = ""
            self._metrics.store_ok.set(1)
        self._unsaved.clear()
        self._eras_changed = False
        self._saved_revision = revision
        return notifications

    def _is_old(self, frame: Frame) -> bool:
        stream = Stream(frame.cluster, frame.job)
        ts = frame.ts or self._progress.time(stream)
        # An end that nobody has any more is made up, without a time; the lists tell of new ones.
        return (ts > 0 or frame.kind == "end") and self._eras.is_old(stream, ts)

    def _is_past(self, view: JobView) -> bool:
        """Whether the job had ended before it was listened to, or its log is not read up to there
        yet. Where the list does not say when it ended, a frame does that comes later."""
        stream = Stream(view.cluster, view.job)
        if self._backlog.holds(stream):
            return True
        ended = view.last_frame_ts or self._progress.time(stream)
        return view.status in TERMINAL and self._eras.is_old(stream, ended)

    def _failed(self, error: Exception, frame: Frame | None = None) -> None:
        self._metrics.failures.inc()
        where = (
            {} if frame is None else {"job": f"{frame.cluster}/{frame.job}", "line": frame.first}
        )
        events.exception("evaluation_failed", error, **where)

"""`raytap alerts` put together: its life, its threads, and what its HTTP API tells."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from broker.errors import ClientError
from broker.events import get_logger
from broker.frame import Frame
from broker.topic import Stream
from subscribers.alerts.delivery.delivery import Delivery
from subscribers.alerts.delivery.views import AlertsView, view_of
from subscribers.alerts.engine.alert import Alert
from subscribers.alerts.notifications.mutes import MOST_MUTES, Mute, Mutes, new_mute
from subscribers.alerts.notifications.planner import Planner
from subscribers.alerts.rules.receiver_config import REPEAT_S, Receiver
from subscribers.alerts.service.brokers import Brokers
from subscribers.alerts.service.evaluation import Engine, Evaluation
from subscribers.alerts.service.lock import StateLock
from subscribers.alerts.service.metrics import Metrics
from subscribers.alerts.store.progress import Progress
from subscribers.alerts.store.store import Store
from subscribers.selection import Selection

events: Final = get_logger("alerts")

DATABASE: Final = "alerts.db"
HISTORY: Final = 500  # alerts that are over in what the API tells
_RECEIVE_S: Final = 0.1
_RETRY_S: Final = 1.0
_SHORT_S: Final = 2.0  # for the brokers' lists, which save questions
_PATIENCE_S: Final = 10.0  # with one of several brokers that doesn't answer, at the first start
_PRUNE_S: Final = 300.0
_EVALUATION_S: Final = 1.5  # of the five that a stop may take
_DELIVERY_S: Final = 2.0


class Frames(Protocol):
    """`subscribers.Subscription`."""

    @property
    def connected(self) -> bool: ...
    @property
    def problem(self) -> str: ...
    def receive(self, timeout: float | None = None) -> Frame | None: ...
    def close(self) -> None: ...


class Loaded(NamedTuple):
    """The rules files as they are now."""

    engine: Engine  # new
    patterns: list[str]  # of the jobs that its rules are about
    rules: int  # how many
    receivers: list[Receiver]
    repeat_s: float = REPEAT_S


Subscribe = Callable[[Sequence[str], Mapping[str, tuple[str, int]]], Frames]
"""Frames of the jobs that match, from these positions on; of others, from the beginning."""


class Service:
    """`start` and `stop` are called on one thread, the rest on any.

    `load` reads the rules files and raises `ClientError` where they are wrong. `history_s`:
    alerts that are over are kept for so long. Raises `ConfigError` where the state directory
    cannot be used, `StoreError` where its database can't.
    """

    def __init__(
        self,
        *,
        load: Callable[[], Loaded],
        subscribe: Subscribe,
        brokers: Brokers,
        state_dir: str | Path,
        environ: Mapping[str, str],
        external_url: str,
        metrics: Metrics,
        history_s: float = 30 * 86400.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._load = load
        self._subscribe = subscribe
        self._brokers = brokers
        self._metrics = metrics
        self._history_s = history_s
        self._clock = clock
        self._lock = StateLock(state_dir)
        try:
            self._store = Store(self._lock.path / DATABASE)
            kept = self._store.kept()
            self._mutes = Mutes(self._store.mutes())
        except BaseException:
            self._lock.release()
            raise
        self._kept_engine = kept.engine
        self._listened = kept.patterns
        self._progress = Progress(kept.positions)
        self._delivery = Delivery(self._store, environ, external_url, clock)
        planner = Planner(kept.alerts, kept.told)
        planner.use_mutes(self._mutes)
        self._evaluation = Evaluation(
            self._store, planner, self._progress, self._delivery.put, self._delivery.waiting,
            self._delivery.room, metrics, clock,
        )  # fmt: skip
        metrics.watch(lambda: self._evaluation.firing, self._delivery.views)
        self._rules = 0
        self._patterns: list[str] = []
        self._frames: Frames | None = None
        self._waits = "the brokers were not asked yet"  # why no frame can come
        self._refused = ""
        self._mutes_changed = self._reload = False
        self._told = 0
        self._next_prune = 0.0
        self._mute_lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="raytap-alerts", daemon=True)

    # Life ---------------------------------------------------------------------------------------

    def start(self) -> None:
        """Raises `ClientError` for rules or receivers that are wrong."""
        self._install(self._load(), self._kept_engine)
        self._metrics.reload_ok.set(1)
        self._brokers.start()
        self._thread.start()
        events.info("alerts_started", rules=self._rules, jobs=self._patterns)

    def reload(self) -> None:
        """Read the rules files again, soon; wrong ones change nothing. From a signal handler,
        too."""
        self._reload = True

    def stop(self) -> None:
        """Commit what was evaluated, let requests under way end, close. Idempotent."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._brokers.stop()
        started = self._thread.ident is not None
        if started:
            self._thread.join(_EVALUATION_S)
        self._delivery.stop(_DELIVERY_S)
        self._store.close()
        self._lock.release()
        if started:
            events.info("alerts_stopped")

    # What the API asks --------------------------------------------------------------------------

    def ready(self) -> bool:
        """Whether frames can come."""
        frames = self._frames
        return frames is not None and frames.connected

    def degraded(self) -> list[str]:
        """What does not work just now, a line each."""
        told, frames = self._brokers.latest, self._frames
        problems = [f"rules: {self._refused} (the old ones are in force)"] if self._refused else []
        if frames is None:
            problems.append(f"upstream: {self._waits}")
        elif not frames.connected:
            problems.append(f"upstream: {frames.problem or 'connecting'}")
        problems += [f"broker: {message}" for message in (told.missing if told else [])]
        problems += [f"store: {said}" for said in (self._store.problem, self._evaluation.problem)
                     if said]  # fmt: skip
        problems += [
            # Whoever asks /readyz needs no token: what the receiver said is not for them.
            f"receiver {view.name}: {view.last_error.partition(': ')[0]} ({view.queued} wait)"
            for view in self._delivery.views()
            if not view.ok
        ]
        return problems

    def view(self, allows: Callable[[Stream], bool]) -> AlertsView:
        """The alerts of the jobs that are allowed, and all else. Raises `StoreError`."""
        now, mutes = self._clock(), self._mutes

        def shown(alerts: list[Alert]) -> list[Alert]:
            return [alert for alert in alerts if allows(Stream(alert.cluster, alert.job))]

        return AlertsView(
            True,
            [
                view_of(alert, muted=mutes.muted(alert.labels, now))
                for alert in shown(self._evaluation.firing)
            ],
            [view_of(alert, muted=False) for alert in shown(self._store.history(HISTORY))],
            mutes.active(now),
            self._delivery.views(),
            self.degraded(),
        )

    def mute(self, matchers: Sequence[str], seconds: float, reason: str, by: str) -> Mute:
        """From now on. Raises `ClientError` 400, 429 (too many), `StoreError`."""
        now = self._clock()
        mute = new_mute(secrets.token_hex(4), matchers, seconds, reason, by, now)
        with self._mute_lock:
            mutes = self._mutes.active(now)
            if len(mutes) >= MOST_MUTES:
                raise ClientError(429, f"there are {MOST_MUTES} mutes; end some of them")
            self._store.add_mute(mute)
            self._use_mutes([*mutes, mute])
        events.info("muted", mute=mute.id, matchers=mute.matchers, by=by, reason=reason)
        return mute

    def end_mute(self, id_: str) -> None:
        """Now. Raises `ClientError` 404, `StoreError`."""
        with self._mute_lock:
            mutes = self._mutes.active(self._clock())
            if id_ not in [mute.id for mute in mutes]:
                raise ClientError(404, f"there is no mute {id_[:40]!r}; it may be over")
            self._store.remove_mute(id_)
            self._use_mutes([mute for mute in mutes if mute.id != id_])
        events.info("mute_ended", mute=id_)

    def _use_mutes(self, mutes: Sequence[Mute]) -> None:
        self._mutes = Mutes(mutes)
        self._mutes_changed = True

    # The evaluation's thread --------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._follow()
            except Exception as error:  # a bug, or the subscription's end: begin again
                events.exception("following_failed", error)
                self._waits = f"{type(error).__name__}; trying again"
                self._stopping.wait(_RETRY_S)
            finally:
                self._unsubscribe()
        self._evaluation.commit()

    def _follow(self) -> None:
        """Subscribe, and go on until the rules are about other jobs, or it is time to stop."""
        patterns = self._patterns
        if not self._begin(patterns):
            return
        told = self._brokers.latest
        listed = None
        if told is not None and not told.missing:
            listed = {Stream(view.cluster, view.job) for view in told.jobs}
        wanted = Selection(patterns)
        now_ns = int(self._clock() * 1e9)
        positions = self._progress.reached(wanted.__contains__, listed, now_ns)
        self._frames = frames = self._subscribe(patterns, positions)
        while not self._stopping.is_set() and self._patterns == patterns:
            self._metrics.connected.set(frames.connected)
            frame = frames.receive(_RECEIVE_S)
            if frame is not None:
                self._evaluation.feed(frame)
            self._chores()

    def _begin(self, patterns: list[str]) -> bool:
        """Where the first frame of each job is to come from: of jobs that were not listened to so
        far, what there is by now is passed over. False where it is time to stop."""
        known = patterns == self._listened
        began = time.monotonic()
        while (told := self._brokers.latest) is None or told.missing:
            waited = time.monotonic() - began > (_SHORT_S if known else _PATIENCE_S)
            if waited and (known or (told and told.answered)):
                break
            self._waits = told.missing[0] if told else "the brokers were not asked yet"
            self._chores()
            if self._stopping.wait(_RECEIVE_S):
                return False
        if known or told is None:
            return True
        before = Selection(self._listened) if self._listened else ()
        self._progress.skip(
            view for view in told.jobs if Stream(view.cluster, view.job) not in before
        )
        self._evaluation.use_patterns(patterns)
        self._evaluation.commit()  # whatever comes from now on is not passed over any more
        self._listened = patterns
        return True

    def _chores(self) -> None:
        """What is due beside frames; cheap where nothing is."""
        told = self._brokers.latest
        if told is not None and told.number != self._told:
            self._told = told.number
            if told.answered:
                self._evaluation.told(told.jobs, [*told.degraded, *told.missing])
        if self._mutes_changed:
            self._mutes_changed = False
            self._evaluation.planner.use_mutes(self._mutes)
        if self._reload:
            self._reload = False
            self._try_reload()
        self._evaluation.run_due()
        if time.monotonic() >= self._next_prune:
            self._next_prune = time.monotonic() + _PRUNE_S
            self._evaluation.prune(self._history_s)

    def _unsubscribe(self) -> None:
        frames, self._frames = self._frames, None
        self._metrics.connected.set(0)
        if frames is not None:
            frames.close()

    # Rules --------------------------------------------------------------------------------------

    def _try_reload(self) -> None:
        try:
            self._install(self._load(), self._evaluation.dump())
        except ClientError as error:
            self._refused = error.message
            self._metrics.reload_ok.set(0)
            events.error("rules_refused", why=error.message, effect="the old ones are in force")
            return
        self._refused = ""
        self._metrics.reload_ok.set(1)
        events.info("rules_reloaded", rules=self._rules, jobs=self._patterns)

    def _install(self, loaded: Loaded, state: bytes) -> None:
        """All or nothing. Raises `ClientError` where a receiver cannot be made."""
        engine = loaded.engine
        if state:
            try:
                engine.restore(state)
            except Exception as error:
                events.exception("engine_state_lost", error, effect="the rules begin afresh")
        self._delivery.use(loaded.receivers)
        self._evaluation.use_receivers(loaded.receivers, loaded.repeat_s)
        self._evaluation.use_engine(engine)
        self._rules, self._patterns = loaded.rules, loaded.patterns
        self._metrics.rules.set(loaded.rules)

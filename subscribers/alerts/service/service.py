"""`raytap alerts` put together: its life, its threads, and what its HTTP API tells."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from broker.errors import ClientError
from broker.events import get_logger
from broker.topic import Stream
from subscribers.alerts.delivery.delivery import Delivery
from subscribers.alerts.delivery.views import AlertsView
from subscribers.alerts.notifications.mutes import Mute
from subscribers.alerts.notifications.planner import Planner
from subscribers.alerts.rules.receiver_config import REPEAT_S, Receiver
from subscribers.alerts.service.brokers import Brokers
from subscribers.alerts.service.evaluation import Engine, Evaluation
from subscribers.alerts.service.following import Following, Subscribe
from subscribers.alerts.service.metrics import Metrics
from subscribers.alerts.service.muting import Muting
from subscribers.alerts.service.overview import overview
from subscribers.alerts.service.state_dir import AlertsStateDir
from subscribers.alerts.store.backlog import Backlog
from subscribers.alerts.store.eras import Eras
from subscribers.alerts.store.progress import Progress
from subscribers.alerts.store.store import Store

events: Final = get_logger("alerts")

_RECEIVE_S: Final = 0.1
_RETRY_S: Final = 1.0
_PRUNE_S: Final = 300.0
_EVALUATION_S: Final = 1.5  # of the five that a stop may take
_DELIVERY_S: Final = 2.0


class Loaded(NamedTuple):
    """The rules files as they are now."""

    engine: Engine  # new
    patterns: list[str]  # of the jobs that its rules are about
    rules: int  # how many
    receivers: list[Receiver]
    repeat_s: float = REPEAT_S


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
        self._brokers = brokers
        self._metrics = metrics
        self._history_s = history_s
        self._clock = clock
        self._state_dir = AlertsStateDir(state_dir)
        try:
            self._store = Store(self._state_dir.database)
            kept = self._store.kept()
            self._muting = Muting(self._store, clock)
        except BaseException:
            self._state_dir.close()
            raise
        self._kept_engine = kept.engine
        progress, eras = Progress(kept.positions), Eras(kept.eras)
        self._delivery = Delivery(self._store, environ, external_url, clock)
        planner = Planner(kept.alerts, kept.told, kept.episode)
        planner.use_mutes(self._muting.mutes)
        self._evaluation = Evaluation(
            self._store, planner, progress, self._delivery.put, self._delivery.waiting,
            self._delivery.room, metrics, kept.addresses, eras,
            Backlog(kept.backlog), clock,
        )  # fmt: skip
        self._following = Following(
            subscribe, brokers, progress, eras, self._evaluation, metrics, clock
        )
        metrics.watch(lambda: self._evaluation.firing, self._delivery.views)
        self._rules = 0
        self._patterns: list[str] = []
        self._refused = ""
        self._reload = False
        self._told = 0
        self._next_prune = 0.0
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
        self._state_dir.close()
        if started:
            events.info("alerts_stopped")

    # What the API asks --------------------------------------------------------------------------

    def ready(self) -> bool:
        """Whether frames can come."""
        return self._following.connected

    def degraded(self) -> list[str]:
        """What does not work just now, a line each."""
        told = self._brokers.latest
        problems = [f"rules: {self._refused} (the old ones are in force)"] if self._refused else []
        if trouble := self._following.trouble:
            problems.append(f"upstream: {trouble}")
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

    def view(self, allows: Callable[[Stream], bool], limit: int) -> AlertsView:
        """The alerts of the jobs that are allowed, `limit` of each list at most, and all else.
        Raises `StoreError`."""
        return overview(
            self._evaluation.firing, self._store, self._muting.mutes, self._delivery.views(),
            self.degraded(), allows=allows, limit=limit, now=self._clock(),
        )  # fmt: skip

    def mute(self, matchers: Sequence[str], seconds: float, reason: str, by: str) -> Mute:
        """From now on. Raises `ClientError` 400, 429 (too many), `StoreError`."""
        return self._muting.add(matchers, seconds, reason, by)

    def end_mute(self, id_: str) -> None:
        """Now. Raises `ClientError` 404, `StoreError`."""
        self._muting.end(id_)

    # The evaluation's thread --------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._follow()
            except Exception as error:  # a bug, or the subscription's end: begin again
                events.exception("following_failed", error)
                self._following.waits = f"{type(error).__name__}; trying again"
                self._stopping.wait(_RETRY_S)
            finally:
                self._following.close()
        self._evaluation.commit()

    def _follow(self) -> None:
        """Subscribe, and go on until the rules are about other jobs, or it is time to stop."""
        patterns = self._patterns
        frames = self._following.open(patterns, self._idle)
        while frames and not self._stopping.is_set() and self._patterns == patterns:
            self._metrics.connected.set(frames.connected)
            frame = frames.receive(_RECEIVE_S)
            if frame is not None:
                self._evaluation.feed(frame)
            self._chores()

    def _idle(self) -> bool:
        self._chores()
        return not self._stopping.wait(_RECEIVE_S)

    def _chores(self) -> None:
        """What is due beside frames; cheap where nothing is."""
        told = self._brokers.latest
        if told is not None and told.number != self._told:
            self._told = told.number
            if told.answered:
                self._evaluation.told(told.jobs, [*told.degraded, *told.missing])
        if (mutes := self._muting.take()) is not None:
            self._evaluation.planner.use_mutes(mutes)
        if self._reload:
            self._reload = False
            self._try_reload()
        self._evaluation.run_due()
        if time.monotonic() >= self._next_prune:
            self._next_prune = time.monotonic() + _PRUNE_S
            self._evaluation.prune(self._history_s)

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
        addresses = self._delivery.use(loaded.receivers)
        self._evaluation.use_receivers(loaded.receivers, loaded.repeat_s, addresses)
        self._evaluation.use_engine(engine)
        self._rules, self._patterns = loaded.rules, loaded.patterns
        self._metrics.rules.set(loaded.rules)

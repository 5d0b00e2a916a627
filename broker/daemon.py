"""The daemon: it is put together here, and its life reads in `run`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from broker.access.access import Access
from broker.backoff import Backoff
from broker.bus.bus import Bus
from broker.bus.journal_writer import JournalWriter
from broker.bus.outbox import Outbox, Outgoing
from broker.bus.pulse import Beat, Pulse
from broker.checkpoint import Checkpoint
from broker.config.config import ClusterConfig, Config
from broker.errors import ClientError, JournalError
from broker.events import get_logger
from broker.http.app import create_app
from broker.ingest.agents import Agents
from broker.ingest.cluster import ClusterIngest
from broker.ingest.context import Context
from broker.ingest.discovery import Discovery
from broker.ingest.last_alive import LastAlive
from broker.jobview import JobView
from broker.journal import Journal
from broker.journal.replay import Replay, replay
from broker.metrics import Metrics, Readings
from broker.processes.state_dir import StateDir
from broker.processes.supervisor import Supervisor
from broker.publisher import Message, Publisher
from broker.refill import Refill
from broker.sources.endpoints import Endpoints
from broker.sources.http_client import HttpClient
from broker.sources.ray_api import RayApi
from broker.text.pipeline import Pipeline
from broker.text.redact import Redactor, make_redactor
from broker.text.screen import make_screen
from broker.topic import Stream
from broker.web.server import HttpServer

RECONNECT_SECONDS: Final = 1.0  # after a restart: subscribers connect again before frames go out
STOP_SECONDS: Final = 3.5  # of the five that a stop may take; each step has its least on top

events = get_logger("daemon")


class Daemon:
    """One raytap process. `start` and `stop` are called on one thread, the rest on any."""

    def __init__(
        self,
        config: Config,
        tokens: Mapping[str, str | None],
        publishers: Sequence[Publisher],
        version: str,
        beside: Supervisor | None = None,
    ) -> None:
        self.config = config
        self._beside = beside or Supervisor()
        self.metrics = Metrics(version)
        self._tokens = tokens
        self._stopping = threading.Event()
        self.access = Access.of(config.access)  # a key file may be wrong: before all is opened
        self._state = StateDir(config.state_dir)
        self.broker = self._state.broker_id()
        self._journal_problem = ""
        self._journal = self._open_journal(self._state.journal)
        self._writer = JournalWriter(self._journal, self.metrics) if self._journal else None
        self._pulse = Pulse(self.broker, self._heartbeat_interval(), self._beat)
        self._outboxes = [
            Outbox(publisher, config.limits.queue_size, Backoff(), self._joined)
            for publisher in publishers
        ]
        self._bus = Bus(
            self._writer, self._outboxes, self._pulse, self.metrics, config.limits.queue_size
        )
        self._redactor = self._make_redactor()
        self._screen = make_screen(self._redactor.rules if self._redactor else ())
        self._clusters = self._make_clusters()
        self._server = (
            HttpServer(
                create_app(self, self.metrics, config.http.bind, self.access),
                config.http.bind,
            )
            if config.http.enabled
            else None
        )
        self._watch()

    # Life -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Bind, publish again what a crash may have kept back, then follow. Raises `ClientError`
        for an address that can't be bound."""
        if self._server:
            self._server.start()
            self._pulse.http = reachable(self._server.address)
        for outbox in self._outboxes:
            outbox.start()
        self._republish()
        self._bus.start()
        for cluster in self._clusters.values():
            cluster.start()
        self._beside.start()
        events.info("started", broker=self.broker, http=self.http, clusters=list(self._clusters))

    def stop(self) -> None:
        """Stop reading, publish what was read, close; within five seconds. Idempotent."""
        if self._stopping.is_set():
            return
        deadline = time.monotonic() + STOP_SECONDS
        self._stopping.set()
        events.info("stopping", broker=self.broker)
        self._beside.ask_to_stop()
        for cluster in self._clusters.values():
            cluster.stop(_left(deadline, 1.5))
        self._bus.stop(_left(deadline, 1.0))
        for outbox in self._outboxes:
            outbox.flush(_left(deadline, 1.0))
        self._bus.finish()
        for outbox in self._outboxes:
            outbox.stop(_left(deadline, 1.0))
        if self._server:
            self._server.stop(max(0.5, _left(deadline, 1.0)))
        if self._writer:
            self._writer.close(max(0.5, _left(deadline, 1.0)))
        self._beside.stop(_left(deadline, 2.0))
        for cluster in self._clusters.values():
            cluster.close()
        self._state.close()
        events.info("stopped", broker=self.broker)

    @property
    def http(self) -> str:
        """Where the HTTP API answers; empty where it is off."""
        return self._pulse.http

    # What the HTTP API asks (broker.http.status.Status) -----------------------------------------

    def ready(self) -> bool:
        return all(cluster.answered for cluster in self._clusters.values())

    def degraded(self) -> list[str]:
        problems = [
            f"cluster {name}: {cluster.trouble}"
            for name, cluster in self._clusters.items()
            if cluster.trouble
        ]
        journal = self._journal_problem or (self._writer.problem if self._writer else "")
        if journal:
            problems.append(f"journal: {journal} (frames go out, but can't be replayed)")
        problems += [
            f"{outbox.name}: {outbox.last_error.message if outbox.last_error else 'connecting'}"
            for outbox in self._outboxes
            if not outbox.connected
        ]
        return problems + self._beside.problems()

    def jobs(self) -> list[JobView]:
        return [
            self._as_published(view)
            for cluster in self._clusters.values()
            for view in cluster.views()
        ]

    def replay(self, stream: Stream, epoch: str | None, start: int, limit: int | None) -> Replay:
        if self._journal is None:
            raise self._no_journal()
        return replay(self._journal, stream, epoch, start, limit, self._refill)

    def forget(self, stream: Stream) -> int:
        if self._journal is None or self._writer is None:
            raise self._no_journal()
        cluster = self._clusters.get(stream.cluster)
        if cluster and cluster.follows(stream.job):
            raise ClientError(409, f"job {stream} is still being read; try again when it is over")
        if not self._journal.spans(stream) and stream not in self._journal.checkpoints():
            raise ClientError(404, f"nothing is known of job {stream}")
        frames = self._writer.forget(stream)
        if cluster:
            cluster.forget(stream.job)
        self._pulse.forget(stream)
        for outbox in self._outboxes:
            outbox.forget(stream)
        events.info("job_forgotten", job=str(stream), frames=frames)
        return frames

    def _no_journal(self) -> ClientError:
        why = self._journal_problem or "it is off ([journal] enabled = false)"
        return ClientError(503, f"there is no journal: {why}")

    def _as_published(self, view: JobView) -> JobView:
        """What subscribers can have by now, which a worker may be ahead of."""
        stream = Stream(view.cluster, view.job)
        unsent = sum(outbox.dropped_of(stream) for outbox in self._outboxes)
        told = self._pulse.position(stream)
        if told is None:
            return msgspec.structs.replace(view, unsent=unsent) if unsent else view
        state = "streaming" if view.state == "ended" and not told.ended else view.state
        return msgspec.structs.replace(
            view, unsent=unsent, epoch=told.epoch, next=told.next, state=state
        )

    def _joined(self, prefixes: list[bytes]) -> None:
        self._pulse.join(prefixes)
        self._bus.wake()

    # Parts ----------------------------------------------------------------------------------

    def _open_journal(self, path: Path) -> Journal | None:
        from broker.journal.sqlite import SqliteJournal

        config = self.config.journal
        if not config.enabled:
            return None
        try:
            return SqliteJournal(path, config.max_bytes, config.max_job_bytes, config.max_age)
        except JournalError as error:
            # Lines that reach people without a replay are worth more than no lines.
            self._journal_problem = error.message
            self.metrics.journal_unjournaled.set(1)
            events.error("journal_unusable", why=error.message, effect="no replay, no checkpoints")
            return None

    def _make_redactor(self) -> Redactor | None:
        config = self.config.sanitize
        return make_redactor(config.disable, config.rules) if config.redact else None

    def _pipeline(self) -> Pipeline:
        screen = self._screen.clone() if self._screen else None
        return Pipeline(self._redactor, self.config.limits.max_message_size, screen)

    def _make_clusters(self) -> dict[str, ClusterIngest]:
        checkpoints = self._read_checkpoints()
        clusters = {
            name: self._make_cluster(
                name,
                config,
                {stream.job: at for stream, at in checkpoints.items() if stream.cluster == name},
            )
            for name, config in self.config.cluster.items()
        }
        self._refill = (
            Refill(
                self._journal,
                {name: cluster.sources for name, cluster in clusters.items()},
                self._pipeline,
                self.config.limits.max_message_size,
            )
            if self._journal
            else None
        )
        return clusters

    def _read_checkpoints(self) -> Mapping[Stream, Checkpoint]:
        try:
            return self._journal.checkpoints() if self._journal else {}
        except JournalError as error:
            self._journal_problem = error.message
            events.error("journal_unreadable", why=error.message, effect="jobs begin anew")
            return {}

    def _make_cluster(
        self, name: str, config: ClusterConfig, checkpoints: Mapping[str, Checkpoint]
    ) -> ClusterIngest:
        client = HttpClient(config, self._tokens.get(name))
        endpoints = Endpoints(config.endpoints)
        alive = LastAlive(self._state.path / f"alive-{name}")
        context = Context(
            cluster=name,
            broker=self.broker,
            config=config,
            limits=self.config.limits,
            client=client,
            endpoints=endpoints,
            agents=Agents(config.agent_requests_per_s),
            websockets=threading.BoundedSemaphore(config.max_websockets),
            pipeline=self._pipeline,
            put=self._bus.put,
            metrics=self.metrics,
            stopping=self._stopping,
            backoff=lambda: Backoff(config.backoff_base, config.backoff_cap),
        )
        discovery = Discovery(
            name,
            config.jobs,
            config.follow == "all",
            config.lost_after,
            resume=[job for job, at in checkpoints.items() if not at.ended],
            since=alive.before,
            ended=[(job, at.run) for job, at in checkpoints.items() if at.ended],
        )
        api = RayApi(client, endpoints)
        return ClusterIngest(
            context, api, discovery, self._pulse, checkpoints, self._epochs, alive.now
        )

    def _epochs(self, stream: Stream) -> set[str]:
        if self._journal is None:
            return set()
        return {span.epoch for span in self._journal.spans(stream) if span.epoch}

    def _heartbeat_interval(self) -> float:
        return min(config.heartbeat_interval for config in self.config.cluster.values())

    def _beat(self, stream: Stream) -> Beat | None:
        cluster = self._clusters.get(stream.cluster)
        return cluster.beat(stream.job) if cluster else None

    def _republish(self) -> None:
        """Frames that were committed but may not have left: again, once subscribers are back."""
        if self._journal is None or not self._outboxes:
            return
        if not self._journal.last_sequence():
            return
        self._stopping.wait(RECONNECT_SECONDS)
        again = (
            Outgoing(stored.sequence, stream, Message(stream.topic, stored.payload))
            for stream, stored in self._journal.unpublished()
        )
        try:
            count = self._bus.republish(again)
        except JournalError as error:
            events.error("journal_unreadable", why=error.message, effect="not published again")
        else:
            events.info("published_again", frames=count)

    def _watch(self) -> None:
        self.metrics.watch_jobs(self.jobs)
        if self._journal:
            self.metrics.watch_journal(self._journal.usage)
        self.metrics.watch(self._readings)

    def _readings(self) -> Readings:
        return {
            "publisher_queue_frames": self._by_transport(lambda outbox: outbox.depth),
            "publisher_frames": self._by_transport(lambda outbox: outbox.published_frames),
            "publisher_bytes": self._by_transport(lambda outbox: outbox.published_bytes),
            "publisher_dropped_frames": self._by_transport(lambda outbox: outbox.dropped),
            "publisher_connected": self._by_transport(lambda outbox: outbox.connected),
            "child_up": self._beside.up(),
            "child_restarts": self._beside.restarts(),
            "degraded": len(self.degraded()),
        }

    def _by_transport(self, read: Callable[[Outbox], float]) -> dict[tuple[str, ...], float]:
        return {(outbox.name,): float(read(outbox)) for outbox in self._outboxes}


def reachable(address: str) -> str:
    """The base URL that heartbeats tell; empty where the bind says nothing of where we are."""
    host, _, _port = address.rpartition(":")
    return "" if host in ("0.0.0.0", "[::]", "") else f"http://{address}"


def _left(deadline: float, most: float) -> float:
    return max(0.05, min(most, deadline - time.monotonic()))

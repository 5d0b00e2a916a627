"""One cluster's ingest: its discovery thread, its workers, and the queue of those that wait."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final

from broker.bus.pulse import Beat, Pulse
from broker.checkpoint import Checkpoint
from broker.errors import ClientError, JournalError, Stopping
from broker.events import get_logger
from broker.ingest.choice import replace_host
from broker.ingest.context import Context
from broker.ingest.discovery import Discovery, Found
from broker.ingest.scheduler import Scheduler, Task
from broker.ingest.worker import Worker
from broker.jobview import JobView
from broker.sources.agent_range import AgentRange
from broker.sources.http_client import RetryLater
from broker.sources.ray_api import RayApi, RayJob
from broker.sources.source import Source
from broker.sources.state_file import StateFile
from broker.topic import Stream

REMEMBERED: Final = 2_000  # jobs that are over and still shown
PUT_OFF: Final = 3  # times a job waits for a journal that can't be read
events = get_logger("discovery")


class ClusterIngest:
    """Follows one cluster's jobs from `start` to `stop`. The rest may be called from any thread."""

    def __init__(
        self,
        context: Context,
        api: RayApi,
        discovery: Discovery,
        pulse: Pulse,
        checkpoints: Mapping[str, Checkpoint],
        epochs: Callable[[Stream], set[str]],
        alive: Callable[[], None],
    ) -> None:
        self.name = context.cluster
        self._context = context
        self._api = api
        self._discovery = discovery
        self._pulse = pulse
        self._epochs = epochs
        self._alive = alive
        self._scheduler = Scheduler(context.cluster, context.config.readers, self._retired)
        self._lock = threading.Lock()
        self._workers: dict[str, Worker] = {}
        self._active: set[str] = set()
        self._queue: deque[str] = deque()
        self._over: OrderedDict[str, JobView] = OrderedDict()
        self._checkpoints = dict(checkpoints)
        self._skipped: dict[str, str] = {}
        self._refused: dict[str, str] = {}  # there was no place for them; the next listing may have
        self._put_off: Counter[str] = Counter()  # how often the journal could not tell of a job
        self._addresses: dict[str, str] = {}  # each job's agent, as Ray told it last
        self._session = ""
        self._trouble = ""
        self._answered = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name=f"raytap-discovery-{self.name}", daemon=True
        )
        for job, at in self._checkpoints.items():
            self._over[job] = _view_of(self.name, job, at)

    def start(self) -> None:
        """Begin to follow; first of all what was followed when the daemon went down."""
        self._scheduler.start()
        for name in self._discovery.resume:
            self._try_to_follow(RayJob(submission_id=name))
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Read no more. The context's `stopping` must be set. Idempotent."""
        self._scheduler.stop(timeout)
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def close(self) -> None:
        """Let go of the connections."""
        self._context.client.close()

    @property
    def answered(self) -> bool:
        """Whether the first discovery has been answered or has failed."""
        return self._answered.is_set()

    @property
    def trouble(self) -> str:
        """Why the cluster can't be listed now; empty where it can."""
        return self._trouble

    def beat(self, job: str) -> Beat | None:
        """What a heartbeat says of a job."""
        worker = self._workers.get(job)
        if worker is not None:
            return worker.beat()
        view = self._over.get(job)
        return Beat(view.state, view.status, view.run) if view else None

    def views(self) -> list[JobView]:
        """A row for every job: followed, waiting for its turn, over, or skipped with the reason."""
        now = self._context.clock()
        with self._lock:
            workers = dict(self._workers)
            queued = set(self._queue)
            over = [view for job, view in self._over.items() if job not in workers]
            skipped = self._skipped | self._refused
        rows = [
            JobView(self.name, job, "queued", status=worker.beat().status, run=worker.run)
            if job in queued
            else worker.view(now)
            for job, worker in workers.items()
        ]
        rows += over
        rows += [JobView(self.name, job, "skipped", reason=why) for job, why in skipped.items()]
        return rows

    def follows(self, job: str) -> bool:
        """Whether the job's log is read, waits to be, or is looked at once more after its end."""
        with self._lock:
            return job in self._workers

    def forget(self, job: str) -> None:
        """Let go of where an earlier reading of the job got to."""
        with self._lock:
            self._over.pop(job, None)
            self._checkpoints.pop(job, None)

    def sources(self, job: str) -> tuple[str, list[Source]]:
        """The head's session, and where a job's log can be read from again, best first."""
        context = self._context
        found: list[Source] = []
        base = replace_host(self._addresses.get(job, ""), context.config.agent_host)
        if base and context.config.protocol != "websocket" and context.agents.usable(base):
            found.append(AgentRange(context.client, base, job))
        found.append(StateFile(context.client, context.endpoints, job))
        return self._session, found

    # Discovery ------------------------------------------------------------------------------

    def _run(self) -> None:
        backoff = self._context.backoff()
        while not self._context.stopping.is_set():
            pause = self._context.config.discovery_interval
            try:
                with self._timed():
                    session = self._api.session()
                    jobs = self._api.jobs()
                self._session = session
                with self._lock:
                    found = self._discovery.listing(jobs, self._context.clock())
                self._apply(found, session)
            except Stopping:
                return
            except ClientError as error:
                self._troubled(error)
                pause = error.seconds if isinstance(error, RetryLater) else backoff.next() + pause
            except Exception as error:
                events.exception("discovery_failed", error, cluster=self.name)
            else:
                backoff.reset()
                self._fine()
            self._answered.set()
            self._context.stopping.wait(pause)

    @contextmanager
    def _timed(self) -> Iterator[None]:
        with self._context.metrics.discovery_seconds.labels(self.name).time():
            yield

    def _troubled(self, error: ClientError) -> None:
        if not self._trouble:
            events.warning(
                "cluster_unreachable", cluster=self.name, status=error.status, why=error.message
            )
        self._trouble = error.message
        self._context.metrics.errors.labels(self.name, str(error.status)).inc()

    def _fine(self) -> None:
        if self._trouble:
            events.info("cluster_reachable", cluster=self.name, after=self._trouble)
        self._trouble = ""
        self._alive()

    def _apply(self, found: Found, session: str) -> None:
        for job in found.known:
            name = job.submission_id or ""
            if job.driver_agent_http_address:
                self._addresses[name] = job.driver_agent_http_address
            worker = self._workers.get(name)
            if worker is not None and worker.told(job, session):
                self._scheduler.wake(worker)
        for name in found.skipped.keys() - self._skipped.keys():
            events.info("job_skipped", cluster=self.name, job=name, why=found.skipped[name])
        with self._lock:
            self._skipped = dict(list(found.skipped.items())[:REMEMBERED])
            self._refused, refused = {}, self._refused
        for job in found.follow:
            self._try_to_follow(job)
        for name in found.lost:
            worker = self._workers.get(name)
            if worker is not None:
                worker.lost()
        for name in self._refused.keys() - refused.keys():
            events.warning("job_refused", cluster=self.name, job=name, why=self._refused[name])

    # Workers --------------------------------------------------------------------------------

    def _try_to_follow(self, job: RayJob) -> None:
        """Follow, or leave the job to the next listing; the other new ones go on."""
        try:
            self._follow(job)
        except JournalError as error:
            stream = f"{self.name}/{job.submission_id}"
            events.warning("job_put_off", job=stream, why=error.message)
            with self._lock:
                self._discovery.forget(job)

    def _follow(self, job: RayJob) -> None:
        name = job.submission_id or ""
        stream = Stream(self.name, name)
        with self._lock:
            worker = self._workers.get(name)
            if worker is None:
                if len(self._queue) >= self._context.config.max_streams:
                    self._refused[name] = "503: max_streams are read and as many wait"
                    self._discovery.forget(job)
                    return
                at = self._checkpoints.get(name, Checkpoint())
                epochs = self._epochs_of(stream, at)
                worker = Worker(self._context, stream, job, self._session, at, epochs, self._wake)
                self._workers[name] = worker
                self._pulse.follow(stream, at.epoch, at.line, self._context.clock())
                if len(self._active) >= self._context.config.max_streams:
                    self._queue.append(name)
                    return
                self._active.add(name)
                events.info("job_followed", job=str(stream), status=job.status, line=at.line)
            self._discovery.following(name)
            if name not in self._active:
                return  # it waits for its turn
        self._scheduler.add(worker)

    def _epochs_of(self, stream: Stream, at: Checkpoint) -> set[str]:
        """The names this stream's files had. Raises `JournalError`, but not for ever: a journal
        that stays unreadable is no reason not to read the log."""
        try:
            epochs = self._epochs(stream)
        except JournalError as error:
            self._put_off[stream.job] += 1
            if self._put_off[stream.job] < PUT_OFF:
                raise
            events.warning("epochs_unknown", job=str(stream), why=error.message)
            epochs = {at.epoch} - {""}
        self._put_off.pop(stream.job, None)
        return epochs

    def _wake(self, stream: Stream) -> None:
        worker = self._workers.get(stream.job)
        if worker is not None:
            self._scheduler.wake(worker)

    def _retired(self, task: Task) -> None:
        assert isinstance(task, Worker)
        name = task.stream.job
        following: Worker | None = None
        with self._lock:
            if not task.over:  # a new run was told of just now
                following = task
            else:
                self._discovery.retired(name, lost=task.beat().status == "LOST")
                self._workers.pop(name, None)
                self._active.discard(name)
                self._checkpoints[name] = task.checkpoint
                self._over[name] = task.view(self._context.clock())
                self._over.move_to_end(name)
                while len(self._over) > REMEMBERED:
                    old, _ = self._over.popitem(last=False)
                    self._addresses.pop(old, None)
                    # Its checkpoint stays: the id may be submitted again, and goes on in its file.
                while self._queue and following is None:
                    following = self._workers.get(self._queue.popleft())
                if following is not None:
                    self._active.add(following.stream.job)
        if following is not None:
            with suppress(Stopping):
                self._scheduler.add(following)


def _view_of(cluster: str, job: str, at: Checkpoint) -> JobView:
    """The row of a job whose log was read by an earlier daemon."""
    return JobView(
        cluster,
        job,
        "ended" if at.ended else "waiting",
        status=at.status,
        complete=at.complete,
        run=at.run,
        source=at.source,
        epoch=at.epoch,
        next=at.line + (1 if at.partial else 0),
        offset=at.offset,
    )

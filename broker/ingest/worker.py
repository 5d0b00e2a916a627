"""The ingest worker: one job's reader. It is no thread; a scheduler calls `step` when it is due."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from broker.bus.pulse import Beat
from broker.checkpoint import Checkpoint
from broker.errors import ClientError
from broker.events import get_logger
from broker.ingest.choice import Choice
from broker.ingest.context import Context
from broker.ingest.cursor import Mismatch
from broker.ingest.framer import Framer
from broker.ingest.poller import Poller
from broker.ingest.reader import LimitReached, Reader
from broker.ingest.standing import Standing
from broker.ingest.tail import Tail
from broker.jobview import JobView, State
from broker.sources.http_client import RetryLater
from broker.sources.ray_api import RayJob
from broker.sources.source import LogMissing, LogReplaced
from broker.topic import Stream

LINGER: Final = 60.0  # seconds an ended log is looked at again: Ray may append after the end
LINGER_POLL: Final = 5.0
OVER_POLL: Final = 1.0  # a log whose job is over is asked at least so often until it settles
TAIL_CLOSES: Final = 15.0  # seconds after the end in which Ray closes a tail

events = get_logger("ingest")


class Worker:
    """Reads one job's log from its checkpoint on until the job is over.

    `step` and `close` are called on one thread at a time; the others on any.
    """

    def __init__(
        self,
        context: Context,
        stream: Stream,
        job: RayJob,
        session: str,
        at: Checkpoint,
        epochs: set[str],
        wake: Callable[[Stream], None],
    ) -> None:
        self.stream = stream
        self._context = context
        self._job = job
        self._session = session
        self._framer = Framer(
            stream,
            context.broker,
            context.pipeline(),
            at,
            epochs,
            marked=(at.offset or 0) >> 20,
        )
        self._reader = Reader(context, self._framer)
        self._choice = Choice(context, stream.job)
        self._standing = Standing(context, stream)
        self._poller = Poller(context, stream, self._reader, self._choice, self._standing)
        self._tail = Tail(context, stream.job, lambda: wake(stream))
        self._backoff = context.backoff()
        self._told = ("", 0)
        self._retry_at = 0.0
        self._progress = at.line
        self._failing_since: float | None = None
        self._over_since: float | None = None
        self._stable: tuple[int, float] | None = None
        self._ended_at: float | None = None
        self._lost = False

    # What discovery tells -------------------------------------------------------------------

    def told(self, job: RayJob, session: str) -> bool:
        """Ray's newest word on the job; whether it is news."""
        news = (job.status, job.run) != (self._job.status, self._job.run)
        self._session = session
        self._lost = False
        self._job = job
        return news

    def lost(self) -> None:
        """The head has not known the job for `lost_after`."""
        self._lost = not self._job.terminal

    # What others see ------------------------------------------------------------------------

    @property
    def run(self) -> int:
        """The start time of the run that Ray told of last."""
        return self._job.run

    @property
    def over(self) -> bool:
        """Whether `end` was published for the run that Ray told of last."""
        return self._standing.reason != "" or (
            self._ended_at is not None and self._told == (self._job.status, self.run)
        )

    @property
    def checkpoint(self) -> Checkpoint:
        """Where it stands."""
        return self._framer.position

    def beat(self) -> Beat:
        """For heartbeats."""
        return Beat(self._shown_state, self._status(self._job), self.run)

    @property
    def _shown_state(self) -> State:
        """A run that Ray told of just now has not ended because the one before it did."""
        state = self._standing.state
        return "connecting" if state == "ended" and self._told[1] != self.run else state

    def view(self, now: float) -> JobView:
        """For `jobs`."""
        return self._standing.view(
            now,
            self._shown_state,
            self._status(self._job),
            self.run,
            self._reader.source,
            self._framer,
            self._choice,
        )

    # The work -------------------------------------------------------------------------------

    def step(self, now: float) -> float | None:
        """Do what is due; when to be called again, or None where nothing is left to do.

        Raises `Stopping` where the daemon goes down meanwhile.
        """
        job, lost = self._job, self._lost
        self._standing.sample(now, self._framer.totals.lines)
        if self._framer.another_head(self._session):
            return self._replaced("another head answers, so it is another file", now)
        self._choice.remember(job.driver_agent_http_address)
        self._announce(job)
        try:
            if not self._reader.drain():
                return now + (self._reader.held(now) or 0.0)
            deadline = self._read(job, lost, now)
        except (LogReplaced, Mismatch) as reason:
            return self._replaced(str(reason), now)
        except LimitReached:
            self._over_limit(job)
            return None
        except LogMissing as error:
            return self._missing(error, job, lost, now)
        except RetryLater as error:
            self._failed(error, now)
            return now + error.seconds
        except ClientError as error:
            if job.terminal and error.status == 500 and self._never_had_a_log:
                return self._missing(error, job, lost, now)
            return self._failed(error, now)
        return deadline

    def close(self) -> None:
        """Let go of its connection."""
        self._tail.close()

    def _announce(self, job: RayJob) -> None:
        """Say what Ray's word on the job is now, once."""
        if (job.status, job.run) == self._told or not job.status:
            return
        again = self._told[1] not in (0, job.run)
        if again:
            self._standing.state = "connecting"  # before `_told`: see `_shown_state`
        self._told = (job.status, job.run)
        if again or self._ended_at is None:
            self._ended_at = None
            self._standing.complete = None
            self._over_since = None
            self._stable = None
            self._standing.interval = self._context.config.poll_interval
            why = job.why if job.terminal else ""
            self._context.put([self._framer.status(job.status, job.run, self._ns(), why)])

    def _read(self, job: RayJob, lost: bool, now: float) -> float | None:
        self._poller.probe_agent(now)
        if not job.status and not lost:  # what an earlier daemon followed; Ray has not told yet
            self._standing.state = "connecting"
            return now + self._context.config.discovery_interval / 2
        over = job.terminal or lost
        if over and self._over_since is None:
            self._over_since = now
        if job.status == "PENDING" and not self._choice.has_agent:
            self._standing.state = "waiting"
            return now + self._context.config.discovery_interval / 2
        wanted = self._tail_wanted(over, now)
        if wanted:
            deadline = self._follow_tail(over, now)
            if deadline is not None:
                return deadline
        self._tail.close()
        deadline = self._poll(job, over, lost, now)
        if deadline is not None and not wanted and self._tail_wanted(over, now):
            return now  # the file turned out to be a large one: no pause before its tail
        return deadline

    # Over a websocket -----------------------------------------------------------------------

    def _tail_wanted(self, over: bool, now: float) -> bool:
        if over:
            # Ray closes it some seconds after the end; what it had to say is all the same
            # reconciled with the file then.
            since = self._over_since or now
            return self._tail.is_open and now - since < TAIL_CLOSES
        return self._choice.tail_wanted()

    def _follow_tail(self, over: bool, now: float) -> float | None:
        if not self._tail.is_open:
            if now < self._retry_at:
                return self._retry_at
            if not self._tail.open(self._framer.next, now):
                return None  # no slot: the state file until there is one
            self._reader.begin_tail("websocket")
        while data := self._tail.take():
            self._succeeded()
            if not self._reader.push(data):
                return now + (self._reader.held(now) or 0.0)
        if self._tail.over(self._framer.next):
            self._standing.reconnected("websocket")
            if over:
                return None
            self._choice.poisoned = self._tail.hopeless
            if self._choice.poisoned:
                events.warning("tail_given_up", job=str(self.stream), line=self._framer.next)
                return now
            self._retry_at = now + self._backoff.next()
            return self._retry_at
        return now + 1.0

    # By polling -----------------------------------------------------------------------------

    def _poll(self, job: RayJob, over: bool, lost: bool, now: float) -> float | None:
        wait = self._poller.wait(now)
        if wait > 0:
            return now + wait
        pulled = self._poller.pull(over, now)
        self._succeeded()
        held = self._reader.held(pulled.at)
        if held is not None:
            return pulled.at + held
        if pulled.more:
            self._stable = None
            return pulled.at
        if over and self._settled(self._reader.offset, pulled.at):
            return self._end(job, lost, complete=not lost, now=pulled.at)
        self._pace(pulled.taken, over)
        return pulled.at + max(self._standing.interval, pulled.pause)

    @property
    def _never_had_a_log(self) -> bool:
        """A job stopped while it was pending: no agent, no file, and Ray answers 500 for that."""
        return not self._choice.has_agent and self._framer.next == 0

    def _pace(self, taken: int, over: bool) -> None:
        config = self._context.config
        if self._ended_at is not None:
            self._standing.interval = LINGER_POLL
        elif taken:
            self._standing.interval = config.poll_interval
        else:
            self._standing.interval = min(self._standing.interval * 1.5, config.poll_interval_max)
        if over and self._ended_at is None:
            self._standing.interval = min(self._standing.interval, OVER_POLL)

    def _settled(self, offset: int, now: float) -> bool:
        """Whether the log has been of this size for as long as it takes to believe it."""
        if self._stable is None or self._stable[0] != offset:
            self._stable = (offset, now)
        return now - self._stable[1] >= self._context.config.settle

    def _end(self, job: RayJob, lost: bool, complete: bool, now: float) -> float | None:
        if self._ended_at is None or (self._stable and self._stable[1] > self._ended_at):
            self._reader.finish()
            status = "LOST" if lost else job.status
            self._standing.complete = complete
            why = "" if lost else job.why
            self._context.put([self._framer.end(status, complete, self._ns(), why)])
            events.info("job_ended", job=str(self.stream), status=status, lines=self._framer.next)
            self._ended_at = now
        self._standing.state = "ended"
        if now - self._ended_at >= LINGER or not complete:
            return None
        self._standing.interval = LINGER_POLL
        return now + LINGER_POLL

    # What goes wrong ------------------------------------------------------------------------

    def _replaced(self, reason: str, now: float) -> float:
        events.warning("log_reset", job=str(self.stream), reason=reason)
        self._context.metrics.resets.labels(self._context.cluster).inc()
        self._reader.replaced(reason)
        self._tail.close()
        return now + self._context.config.poll_interval

    def _over_limit(self, job: RayJob) -> None:
        self._tail.close()
        self._standing.reason = 'over the limits of this daemon (limits.on_limit = "stop")'
        self._standing.state = "failed"
        self._standing.complete = False
        self._standing.note(ClientError(429, self._standing.reason))
        self._context.put(
            [
                self._framer.error(429, self._standing.reason, self._ns()),
                self._framer.end(job.status, False, self._ns()),
            ]
        )

    def _missing(self, error: ClientError, job: RayJob, lost: bool, now: float) -> float | None:
        """There is no file: not yet, which is no error, or not any more."""
        if self._ended_at is not None:
            return None
        if self._framer.next and self._standing.state != "waiting":
            self._standing.note(error)
            self._say(error)
        self._succeeded()
        self._standing.state = "waiting"
        if (job.terminal or lost) and self._settled(-1, now):
            return self._end(job, lost, complete=not lost and self._framer.next == 0, now=now)
        self._pace(0, job.terminal)
        return now + self._standing.interval

    def _failed(self, error: ClientError, now: float) -> float | None:
        first = self._failing_since is None
        if self._failing_since is None:
            self._failing_since = now
        self._tail.close()
        self._standing.note(error)
        self._retry_at = now + max(0.05, self._backoff.next())
        self._standing.reconnected(self._reader.source)
        job, lost = self._job, self._lost
        if self._ended_at is not None:
            return None
        self._standing.state = "reconnecting"
        if first:
            self._say(error)
        patience = 0.0 if lost else self._context.config.lost_after
        if (job.terminal or lost) and now - self._failing_since >= patience:
            return self._end(job, lost, complete=False, now=now)
        return self._retry_at

    def _succeeded(self) -> None:
        self._failing_since = None
        if self._framer.next > self._progress:
            self._progress = self._framer.next
            self._backoff.reset()
        if self._standing.state != "ended":
            self._standing.state = "streaming"

    def _say(self, error: ClientError) -> None:
        """To subscribers and to the log."""
        self._context.put([self._framer.error(error.status, error.message, self._ns())])
        events.warning("read_failed", job=str(self.stream), status=error.status, why=error.message)

    def _status(self, job: RayJob) -> str:
        return "LOST" if self._lost else job.status

    def _ns(self) -> int:
        return self._context.clock_ns()

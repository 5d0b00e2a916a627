"""Asking for bytes: the agent while it can be had, the dashboard's whole file otherwise."""

from __future__ import annotations

from typing import Final, NamedTuple

from broker.errors import ClientError
from broker.events import get_logger
from broker.ingest.choice import Choice
from broker.ingest.context import Context
from broker.ingest.reader import Reader
from broker.ingest.standing import Standing
from broker.sources.http_client import Unreachable
from broker.sources.source import LogMissing
from broker.topic import Stream

REFUSALS: Final = 3  # answers that are no log, until the agent is no longer asked for this job's
BACK_SECONDS: Final = 300.0
ELSEWHERE_SECONDS: Final = 5.0  # how often a log that the agent has not is looked for elsewhere
STATE_FILE_SHARE: Final = 10.0  # a whole-file read is followed by a pause ten times its length

events = get_logger("ingest")


class Pulled(NamedTuple):
    """What a poll brought."""

    taken: int  # bytes
    more: bool  # there is more to be had at once
    pause: float  # seconds the source must be left alone at least
    at: float  # when it was done


class Poller:
    """One job's polls. Used by one thread at a time; times in seconds of the context's clock."""

    def __init__(
        self, context: Context, stream: Stream, reader: Reader, choice: Choice, standing: Standing
    ) -> None:
        self._context = context
        self._stream = stream
        self._reader = reader
        self._choice = choice
        self._standing = standing
        self._place: float | None = None  # when our request of the agent's budget is due
        self._look_at = 0.0
        self._refusals = 0
        self._back_at = 0.0  # when an agent that was left for the dashboard is asked again

    def wait(self, now: float) -> float:
        """Take one request from the agent's budget; 0.0, or the seconds until it is due."""
        if self._choice.elsewhere and now >= self._back_at:
            self._choice.elsewhere = False
            self._refusals = REFUSALS - 1  # one more of them is enough
        agent = self._choice.agent_base()
        if not agent:
            return 0.0
        printing = self._standing.interval < 2 * self._context.config.poll_interval
        if self._place is None:
            self._place = self._context.agents.reserve(agent, printing, now)
        if self._place > now:
            return self._place - now
        self._place = None
        return 0.0

    def pull(self, over: bool, now: float) -> Pulled:
        """Take what there is now. Raises what `Reader.pull` does."""
        agent = self._choice.agent_base()
        source = self._choice.polled()
        before = self._reader.offset
        try:
            taken = self._reader.pull(source)
        except LogMissing:
            self._standing.requested(source.name, "missing")
            if not self._found_elsewhere(over, now):
                raise
            return Pulled(1, True, 0.0, self._context.clock())
        except ClientError as error:
            self._standing.requested(source.name, str(error.status))
            if agent:
                self._agent_failed(agent, error, self._reader.offset > before, now)
            raise
        self._standing.requested(source.name, "ok")
        self._refusals = 0
        done = self._context.clock()
        if agent:
            self._context.agents.answered(agent, done)
        else:
            self._choice.state_file_took(done - now)
        more = source.size is not None and self._reader.offset < source.size
        return Pulled(taken, more, 0.0 if agent else STATE_FILE_SHARE * (done - now), done)

    def probe_agent(self, now: float) -> None:
        """See whether an agent that was out of reach is back, before anything is left for it."""
        base = self._choice.silent_agent(now)
        if not base:
            return
        try:
            self._choice.probe()
        except ClientError:
            self._context.agents.unreachable(base, now)
        else:
            self._context.agents.answered(base, now)

    def _agent_failed(self, agent: str, error: ClientError, answered: bool, now: float) -> None:
        if answered:
            self._context.agents.answered(agent, now)  # an answer cut short is one
            self._refusals = 0
        elif isinstance(error, Unreachable):
            self._context.agents.unreachable(agent, now)
        elif error.status != 429:
            self._refusals += 1
            if self._refusals >= REFUSALS:
                self._leave_agent(now)

    def _found_elsewhere(self, over: bool, now: float) -> bool:
        """Whether Ray has a log that the agent has not: with `agent_host`, or a proxy before the
        agents, it may be another node's. Looked at once in a while, and before any end."""
        if not over and now < self._look_at:
            return False
        self._look_at = now + ELSEWHERE_SECONDS
        source = self._choice.state_file
        try:
            taken = self._reader.pull(source)
        except ClientError as error:
            if error.status in (404, 500):
                return False  # there is none yet: Ray answers 500 for that, as for everything
            raise
        if not taken and not source.size:
            return False
        self._leave_agent(now)
        return True

    def _leave_agent(self, now: float) -> None:
        self._choice.elsewhere = True
        self._back_at = now + BACK_SECONDS
        events.warning(
            "agent_has_no_log", job=str(self._stream), effect="read through the dashboard"
        )

"""Which source a job is read from now, and why. The rules of `protocol` live here."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from broker.ingest.context import Context
from broker.sources.agent_range import AgentRange
from broker.sources.source import Source
from broker.sources.state_file import StateFile

SMALL_READ: Final = 0.2  # seconds: a log whose whole-file read is quicker is polled, not tailed


class Choice:
    """One job's sources and what was learned of them. Used by one thread at a time."""

    def __init__(self, context: Context, job: str) -> None:
        self._context = context
        self._job = job
        self._agent: AgentRange | None = None
        self._base = ""
        self._state_file = StateFile(context.client, context.endpoints, job)
        self._took = 0.0  # seconds of the last whole-file read
        self.poisoned = False  # Ray's tail can't carry this log
        self.elsewhere = False  # that agent has no such file, but Ray has: it is another node's

    def remember(self, address: str | None) -> None:
        """The agent's address as the job record has it; kept when the record is gone."""
        if not address:
            return
        base = replace_host(address, self._context.config.agent_host)
        if base != self._base:
            self._base = base
            self.elsewhere = False
            self._agent = AgentRange(self._context.client, base, self._job)

    @property
    def has_agent(self) -> bool:
        """Whether the agent's address is known."""
        return self._agent is not None

    @property
    def size(self) -> int | None:
        """The log's size when it was last seen, bytes."""
        sizes = (self._agent.size if self._agent else None, self._state_file.size)
        return max((size for size in sizes if size is not None), default=None)

    def agent_base(self) -> str:
        """The agent to ask for byte ranges; empty where it can't be, or is not to be, asked."""
        if self._context.config.protocol == "websocket" or not self._base or self.elsewhere:
            return ""
        return self._base if self._context.agents.usable(self._base) else ""

    def silent_agent(self, now: float) -> str:
        """An agent out of reach that it is time to try again; empty where there is none."""
        if self._context.config.protocol == "websocket" or not self._base:
            return ""
        return self._base if self._context.agents.probe_due(self._base, now) else ""

    def probe(self) -> None:
        """One byte from the agent; raises `ClientError` where it does not answer."""
        if self._agent is not None:
            self._agent.probe()

    @property
    def state_file(self) -> StateFile:
        """The log through the dashboard, whichever node it is on."""
        return self._state_file

    def polled(self) -> Source:
        """The source to poll now."""
        if self._agent is not None and self.agent_base():
            return self._agent
        return self._state_file

    def tail_wanted(self) -> bool:
        """Whether a running job's log is to be tailed over a websocket."""
        protocol = self._context.config.protocol
        if self.poisoned or protocol == "http":
            return False
        return protocol == "websocket" or (not self.agent_base() and self._took > SMALL_READ)

    def state_file_took(self, seconds: float) -> None:
        """How long a whole-file read took."""
        self._took = seconds


def replace_host(address: str, host: str) -> str:
    """The agent's base URL with the host (and the port, where given) that the operator named."""
    address = address.rstrip("/")
    if not host:
        return address
    parts = urlsplit(address)
    if parts.port is not None and urlsplit(f"//{host}").port is None:
        host = f"{host}:{parts.port}"
    return parts._replace(netloc=host).geturl()

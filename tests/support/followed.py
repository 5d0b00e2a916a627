"""One cluster's ingest with everything it publishes kept in memory: the real thing but the bus."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from broker.backoff import Backoff
from broker.bus.pulse import Pulse
from broker.checkpoint import Checkpoint
from broker.config.config import ClusterConfig, LimitsConfig
from broker.frame import Frame, decode
from broker.ingest.agents import Agents
from broker.ingest.cluster import ClusterIngest
from broker.ingest.context import Context
from broker.ingest.discovery import Discovery
from broker.jobview import JobView
from broker.journal import Record
from broker.metrics import Metrics
from broker.sources.endpoints import Endpoints
from broker.sources.http_client import HttpClient
from broker.sources.ray_api import RayApi
from broker.text.pipeline import Pipeline
from broker.text.redact import Redactor
from broker.topic import Stream
from tests.support.wait import wait_until

_redactor = Redactor()


class Followed:
    """Follows `url` until it is closed; `config` are fields of `ClusterConfig`."""

    def __init__(
        self,
        url: str,
        limits: LimitsConfig | None = None,
        checkpoints: Mapping[str, Checkpoint] | None = None,
        **config: Any,
    ) -> None:
        fast: dict[str, Any] = {
            "discovery_interval": 0.1,
            "poll_interval": 0.01,
            "poll_interval_max": 0.1,
            "settle": 0.3,
            "backoff_base": 0.05,
            "backoff_cap": 0.3,
            "agent_requests_per_s": 1000,
            "connect_timeout": 2.0,
        }
        self.config = ClusterConfig(endpoints=[url], **(fast | config))
        self.limits = limits or LimitsConfig()
        self.metrics = Metrics("test")
        self.stopping = threading.Event()
        self.records: list[Record] = []
        self._lock = threading.Lock()
        checkpoints = checkpoints or {}
        client = HttpClient(self.config, None)
        endpoints = Endpoints(self.config.endpoints)
        context = Context(
            cluster="default",
            broker="b1",
            config=self.config,
            limits=self.limits,
            client=client,
            endpoints=endpoints,
            agents=Agents(self.config.agent_requests_per_s),
            websockets=threading.BoundedSemaphore(self.config.max_websockets),
            pipeline=lambda: Pipeline(_redactor, self.limits.max_message_size),
            put=self._put,
            metrics=self.metrics,
            stopping=self.stopping,
            backoff=lambda: Backoff(self.config.backoff_base, self.config.backoff_cap),
        )
        self.ingest = ClusterIngest(
            context,
            RayApi(client, endpoints),
            Discovery(
                "default",
                self.config.jobs,
                self.config.follow == "all",
                self.config.lost_after,
                resume=[job for job, at in checkpoints.items() if not at.ended],
            ),
            Pulse("b1", 15.0, lambda _: None),
            checkpoints,
            lambda _: {at.epoch for at in checkpoints.values() if at.epoch},
            lambda: None,
        )

    def __enter__(self) -> Self:
        self.ingest.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stopping.set()
        self.ingest.stop(5)
        self.ingest.close()

    def _put(self, records: Sequence[Record]) -> None:
        with self._lock:
            self.records.extend(records)

    def frames(self, job: str, *kinds: str) -> list[Frame]:
        """What was published for a job so far."""
        with self._lock:
            mine = [r for r in self.records if r.stream == Stream("default", job)]
        return [decode(r.payload) for r in mine if not kinds or r.kind in kinds]

    def lines(self, job: str, epoch: str | None = None) -> list[str]:
        """The text so far; checks that the numbers have no hole and no repeat but amendments."""
        lines: list[str] = []
        for frame in self.frames(job, "log"):
            if epoch is not None and frame.epoch != epoch:
                continue
            if frame.amends:
                lines = lines[: frame.first]
            assert frame.first == len(lines), f"line {frame.first} after {len(lines)} lines"
            lines += frame.lines
        return lines

    def view(self, job: str) -> JobView:
        """The job's row."""
        return next(view for view in self.ingest.views() if view.job == job)

    def until_end(self, job: str, timeout: float = 20.0) -> Frame:
        """The job's `end` frame."""
        wait_until(lambda: self.frames(job, "end"), timeout, f"{job} to end")
        return self.frames(job, "end")[-1]

    def until_lines(self, job: str, count: int, timeout: float = 20.0) -> None:
        """Wait for so many lines."""
        wait_until(
            lambda: sum(f.next - f.first for f in self.frames(job, "log", "gap")) >= count,
            timeout,
            f"{count} lines of {job}",
        )

    def checkpoint(self, job: str) -> Checkpoint:
        """The newest checkpoint that went with a record."""
        with self._lock:
            mine = [r.checkpoint for r in self.records if r.stream.job == job and r.checkpoint]
        return mine[-1]


def log_of(path: Path) -> list[str]:
    """A log's lines, by code of its own."""
    text = path.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    return lines if lines[-1] else lines[:-1]

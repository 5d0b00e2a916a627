"""What the workers of one cluster share. No back-pointer to the daemon: a bundle of seams."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from broker.backoff import Backoff
from broker.config.config import ClusterConfig, LimitsConfig
from broker.ingest.agents import Agents
from broker.journal import Record
from broker.metrics import Metrics
from broker.sources.endpoints import Endpoints
from broker.sources.http_client import HttpClient
from broker.text.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class Context:
    """One cluster's settings, connections and way out. Times in seconds of `clock`."""

    cluster: str
    broker: str
    config: ClusterConfig
    limits: LimitsConfig
    client: HttpClient
    endpoints: Endpoints
    agents: Agents
    websockets: threading.BoundedSemaphore
    pipeline: Callable[[], Pipeline]
    put: Callable[[Sequence[Record]], None]
    metrics: Metrics
    stopping: threading.Event
    clock: Callable[[], float] = time.monotonic
    clock_ns: Callable[[], int] = time.time_ns
    backoff: Callable[[], Backoff] = field(default=Backoff)

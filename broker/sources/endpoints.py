"""Which of a cluster's dashboards to ask: the one with the least response time.

A response time is an exponentially weighted mean; an error counts as a slow answer. An endpoint
that can't be reached is down until a health check (the next request after a pause) finds it up.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from broker.errors import ClientError

HALF_LIFE: Final = 3.0  # seconds until an old sample weighs half
ERROR_PENALTY: Final = 1.0  # seconds a failed request counts as, at least
RETRY_DOWN: Final = 2.0  # seconds until a down endpoint is tried again


@dataclass(slots=True)
class Endpoint:
    """One dashboard and what is known of it. Times in seconds of the injected clock."""

    url: str
    mean: float | None = None
    sampled: float = float("-inf")
    tried: float = float("-inf")  # when a request was last sent to find out how it is now
    under_way: list[float] = field(default_factory=list)  # starts of requests not answered yet
    down_until: float = 0.0
    last_error: str = ""

    def record(self, seconds: float, now: float) -> None:
        """Take a sample; the first one is the mean."""
        if self.mean is None:
            self.mean = seconds
        else:
            weight = 0.5 ** (max(now - self.sampled, 0.05) / HALF_LIFE)
            self.mean = weight * self.mean + (1 - weight) * seconds
        self.sampled = now

    def expected(self, now: float) -> float:
        """Seconds an answer takes: the mean, or more where one has been waited for longer."""
        waited = now - self.under_way[0] if self.under_way else 0.0
        return max(float("inf") if self.mean is None else self.mean, waited)


class Endpoints:
    """The cluster's dashboards. Thread-safe."""

    def __init__(self, urls: Sequence[str], clock: Callable[[], float] = time.monotonic) -> None:
        self.all = [Endpoint(url.rstrip("/")) for url in urls]
        self._clock = clock
        self._lock = threading.Lock()

    def choose(self, explore: bool = False) -> Endpoint:
        """The best one, or with `explore` (by who will take a sample) one of which too little is
        known. Raises `ClientError` 503 with the last reason where all are down."""
        with self._lock:
            now = self._clock()
            up = [endpoint for endpoint in self.all if endpoint.down_until <= now]
            if not up:
                reasons = "; ".join(endpoint.last_error for endpoint in self.all)
                raise ClientError(503, f"no endpoint of the cluster is up: {reasons}")
            # One that was never asked goes first, and so does one whose sample is old: a slow or
            # failed endpoint that recovered would otherwise never be found out.
            stale = [e for e in up if now - max(e.sampled, e.tried) > 5 * HALF_LIFE]
            if explore and stale:
                chosen = min(stale, key=lambda e: max(e.sampled, e.tried))
                chosen.tried = now  # only one caller tries it
                return chosen
            return min(up, key=lambda e: e.expected(now))

    def succeeded(self, endpoint: Endpoint, seconds: float) -> None:
        """An answer came after `seconds`."""
        with self._lock:
            endpoint.record(seconds, self._clock())
            endpoint.down_until = 0.0

    def failed(self, endpoint: Endpoint, seconds: float, error: ClientError) -> None:
        """The request failed; a lost connection takes the endpoint out of use for a while."""
        with self._lock:
            now = self._clock()
            endpoint.record(max(ERROR_PENALTY, seconds), now)
            endpoint.last_error = error.message
            if error.status in (408, 503):
                endpoint.down_until = now + RETRY_DOWN

    @contextmanager
    def use(self, sample: bool = True) -> Iterator[str]:
        """The base URL of the best endpoint for one request. Its outcome is recorded where `sample`
        says that it tells how the endpoint is, and not only how one job's log is."""
        endpoint = self.choose(explore=sample)
        start = self._clock()
        if sample:
            with self._lock:
                endpoint.under_way.append(start)
        try:
            yield endpoint.url
        except ClientError as error:
            if error.status in (400, 404):  # an answer, and a quick one
                self.succeeded(endpoint, self._clock() - start)
            elif sample:
                self.failed(endpoint, self._clock() - start, error)
            raise
        else:
            if sample:
                self.succeeded(endpoint, self._clock() - start)
        finally:
            if sample:
                with self._lock:
                    endpoint.under_way.remove(start)

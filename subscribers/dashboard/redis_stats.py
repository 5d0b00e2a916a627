"""Live statistics in Redis, for programs that steer by them: one hash a cluster, one a job."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final

from broker.addresses import redis_url
from broker.backoff import Backoff
from broker.errors import ClientError
from broker.events import get_logger
from broker.text.plain_text import mask_credentials, one_line
from subscribers.dashboard.figures import Figures
from subscribers.dashboard.statistics import Statistics

events: Final = get_logger("redis-stats")

KEY_PREFIX: Final = "raytap:stats:"
TTL_MS: Final = 5_000
"""A hash that nobody writes any more is gone after this."""

_CHUNK: Final = 200  # hashes in a write


class RedisStats:
    """Writes the figures of each cluster, and of each job that lives, every `interval` seconds, on
    a thread of its own. Redis may be away, hang or come back empty: nothing waits for it, and it
    is tried again with backoff. Raises `ClientError` 400 for a URL that is none.

    `timeout`, in seconds, is for connecting, and for each write and reply. `clock` is the
    monotonic one that the statistics are fed with; `wall` gives seconds since 1970.
    """

    def __init__(
        self,
        url: str,
        statistics: Statistics,
        *,
        interval: float = 0.5,
        timeout: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        backoff: Backoff | None = None,
    ) -> None:
        self._client = _client(url, timeout)
        self._interval = interval
        self._timeout = timeout
        self._where = mask_credentials(url)
        self._statistics = statistics
        self._clock = clock
        self._wall = wall
        self._backoff = backoff or Backoff(0.5, 10.0)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="raytap-redis-stats", daemon=True)
        self.written = 0  # hashes
        self.problem = ""  # why none is written; empty while they are

    def start(self) -> None:
        """Begin. Once."""
        self._thread.start()

    def stop(self) -> None:
        """End, within the few seconds that a write to Redis may take. Idempotent."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(3 * self._timeout)
        self._client.close()

    def _run(self) -> None:
        from redis import RedisError

        wait = 0.0
        while not self._stopping.wait(wait):
            began = time.monotonic()
            try:
                self._write()
            except (RedisError, OSError) as error:
                self._failed(one_line(mask_credentials(str(error) or type(error).__name__)))
                wait = self._backoff.next()
            else:
                self._worked()
                wait = max(0.0, began + self._interval - time.monotonic())

    def _write(self) -> None:
        hashes = self._hashes()
        while (chunk := list(islice(hashes, _CHUNK))) and not self._stopping.is_set():
            # In a transaction, so that no cut leaves a hash behind that never expires.
            with self._client.pipeline(transaction=True) as pipeline:
                for key, fields in chunk:
                    pipeline.hset(key, mapping=fields)
                    pipeline.pexpire(key, TTL_MS)
                pipeline.execute()
            self.written += len(chunk)

    def _hashes(self) -> Iterator[tuple[str, dict[str, str | int | float]]]:
        statistics, now = self._statistics, self._clock()
        for cluster in statistics.clusters():
            yield f"{KEY_PREFIX}{cluster}", self._fields(statistics.of(cluster, None, now))
        for stream in statistics.living(now):
            figures = statistics.of(stream.cluster, stream.job, now)
            yield f"{KEY_PREFIX}{stream}", self._fields(figures)

    def _fields(self, figures: Figures) -> dict[str, str | int | float]:
        return {
            "lines": figures.lines,
            "bytes": figures.bytes,
            "lines_per_s": figures.lines_per_s,
            "reconnects": figures.reconnects,
            "errors": sum(figures.errors.values()),
            "lag_p50_ms": _known(figures.lag_p50_ms),
            "lag_p95_ms": _known(figures.lag_p95_ms),
            "lag_p99_ms": _known(figures.lag_p99_ms),
            "status": figures.status,
            "updated": int(self._wall() * 1000),
        }

    def _failed(self, problem: str) -> None:
        if not self.problem:
            events.warning("redis_stats_failed", redis=self._where, error=problem)
        self.problem = problem

    def _worked(self) -> None:
        if self.problem:
            events.info("redis_stats_again", redis=self._where)
        self.problem = ""
        self._backoff.reset()


def _known(lag: float | None) -> str | float:
    return "" if lag is None else lag


def _client(url: str, timeout: float) -> Any:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    try:
        return redis.Redis.from_url(
            redis_url(url),
            protocol=2,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            client_name="raytap-stats",
        )
    except (ValueError, TypeError) as error:
        raise ClientError(400, f"Redis: {mask_credentials(one_line(str(error)))}") from None

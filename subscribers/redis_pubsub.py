"""Live frames over Redis pub/sub: SUBSCRIBE for streams named in full, PSUBSCRIBE for globs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from broker.backoff import Backoff
from broker.errors import ClientError
from broker.topic import CHANNEL_PREFIX
from subscribers.events import Connected, Disconnected, Received, TransportEvent
from subscribers.selection import Selection

if TYPE_CHECKING:
    import redis

_BATCH: Final = 256
_CONNECT_S: Final = 3.0
_READ_S: Final = 10.0  # for the rest of a message that has begun
_PING_S: Final = 10.0  # silence after which it is asked whether it lives; twice that: it does not
_BACKOFF_S: Final = (0.2, 5.0)  # base and cap
_PREFIX: Final = CHANNEL_PREFIX.encode()


class RedisTransport:
    """One pub/sub connection, made again with backoff whenever Redis cuts it, restarts or hangs."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pubsub: redis.client.PubSub | None = None
        self._backoff = Backoff(*_BACKOFF_S)
        self._retry_at = 0.0
        self._heard = 0.0
        self._pinged = False

    def open(self, selection: Selection) -> None:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        self._channels = selection.channels()
        self._patterns = selection.channel_patterns()
        try:
            self._client: Any = redis.Redis.from_url(
                self._url,
                protocol=2,
                retry=Retry(NoBackoff(), 0),
                socket_connect_timeout=_CONNECT_S,
                socket_timeout=_READ_S,
                socket_keepalive=True,
                decode_responses=False,
            )
        except ValueError as error:
            raise ClientError(400, f"Redis URL: {error}; redis://HOST:PORT/0 is one") from None
        self._errors = (redis.RedisError, OSError)
        settings = self._client.connection_pool.connection_kwargs
        self._where = settings.get("path") or f"{settings.get('host')}:{settings.get('port', 6379)}"

    def receive(self, timeout: float) -> list[TransportEvent]:
        now = time.monotonic()
        if self._pubsub is None and now < self._retry_at:
            time.sleep(min(timeout, self._retry_at - now))
            return []
        events: list[TransportEvent] = []
        try:
            if self._pubsub is None:
                self._subscribe()
            self._read(timeout, events)
        except self._errors as error:
            self._let_go()
            self._retry_at = time.monotonic() + self._backoff.next()
            events.append(Disconnected(f"Redis at {self._where}: {error}"))
        return events

    def nudge(self) -> None:
        """Redis tells no broker who listens."""

    def close(self) -> None:
        self._let_go()
        if client := getattr(self, "_client", None):
            client.close()

    def _subscribe(self) -> None:
        self._pubsub = self._client.pubsub()
        if self._channels:
            self._pubsub.subscribe(*self._channels)
        if self._patterns:
            self._pubsub.psubscribe(*self._patterns)
        self._unconfirmed = len(self._channels) + len(self._patterns)
        self._heard, self._pinged = time.monotonic(), False

    def _read(self, timeout: float, events: list[TransportEvent]) -> None:
        pubsub: Any = self._pubsub
        for _ in range(_BATCH):
            if not pubsub.connection.can_read(timeout=timeout):
                break
            timeout = 0.0
            message = pubsub.get_message(timeout=_READ_S)
            self._heard, self._pinged = time.monotonic(), False
            if message is None:
                continue
            if message["type"] in {"message", "pmessage"}:
                events.append(Received(message["channel"].removeprefix(_PREFIX), message["data"]))
            elif message["type"] in {"subscribe", "psubscribe"}:
                self._unconfirmed -= 1
                if self._unconfirmed == 0:
                    self._backoff.reset()
                    events.append(Connected(self._where))
        self._check_pulse()

    def _check_pulse(self) -> None:
        silent = time.monotonic() - self._heard
        if silent > 2 * _PING_S:
            raise OSError(f"no answer for {silent:.0f} s")
        if silent > _PING_S and not self._pinged and self._pubsub is not None:
            self._pinged = True
            self._pubsub.ping()

    def _let_go(self) -> None:
        if self._pubsub is not None:
            self._pubsub.close()
            self._pubsub = None

"""Frames on Redis pub/sub (Valkey too): the channel is `raytap/` + topic, the payload the frame.

Redis keeps nothing: who is not subscribed gets nothing, and who is 32 MB behind is cut off.
"""

from __future__ import annotations

import select
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from broker.addresses import redis_url
from broker.errors import ClientError
from broker.publisher import Message
from broker.text.plain_text import mask_credentials, one_line
from broker.topic import CHANNEL_PREFIX

CLIENT_NAME: Final = "raytap"
_CHANNELS: Final = CHANNEL_PREFIX.encode()


class RedisPublisher:
    """Publishes over one connection to `redis://`, `rediss://` (TLS) or `unix://`. A batch is one
    write, and its replies are read before the next. `socket_timeout` in seconds, for connecting
    and for each write and reply."""

    name = "redis"

    def __init__(self, url: str, socket_timeout: float = 5.0) -> None:
        self._url = url
        self._socket_timeout = socket_timeout
        self._connection: Any = None  # redis-py's connection; its methods have no types

    def open(self) -> None:
        """Connect and ask for an answer. Raises `ClientError`: 400 a URL that is none, 503 no
        answer or a refusal, such as of the password."""
        self.close()
        self._connection = self._new_connection()
        with self._errors_of("can't be reached"):
            self._connection.connect()
            self._connection.send_command("PING", check_health=False)
            self._connection.read_response()

    def publish(self, messages: Sequence[Message]) -> None:
        """Send in order, and wait for Redis to have taken all. Raises `ClientError` 503."""
        connection = self._connection
        if connection is None:
            raise self._error("is not connected")
        commands = [("PUBLISH", _CHANNELS + topic, payload) for topic, payload in messages]
        with self._errors_of("doesn't take frames"):
            connection.send_packed_command(connection.pack_commands(commands), check_health=False)
            for _ in commands:
                connection.read_response()

    def joined(self) -> list[bytes]:
        """Nothing: Redis tells nobody who subscribed."""
        return []

    def wait(self, wake: int, timeout: float) -> None:
        """Until `wake` is readable or `timeout` seconds passed. Raises `ClientError` 503 where
        Redis closed the connection meanwhile."""
        poll = select.poll()
        poll.register(wake, select.POLLIN)
        if not poll.poll(timeout * 1000) and self._connection is not None:
            with self._errors_of("is gone"):
                if self._connection.can_read(timeout=0):
                    raise self._error("sent something that nobody asked for")

    def close(self) -> None:
        """Let go of the connection; whatever was published is with Redis already. Idempotent."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.disconnect()

    def _new_connection(self) -> Any:
        from redis import connection

        try:
            parse_url: Any = connection.parse_url
            given = parse_url(redis_url(self._url))
            kind = given.pop("connection_class", connection.Connection)
            return kind(
                **given
                | {
                    "client_name": CLIENT_NAME,
                    "driver_info": None,
                    # No reply is pushed at a connection of protocol 2, and none asked to move.
                    "protocol": 2,
                    "retry": None,  # the outbox does that, and counts it
                    "socket_timeout": self._socket_timeout,
                    "socket_connect_timeout": self._socket_timeout,
                }
            )
        except (ValueError, TypeError) as error:
            raise ClientError(400, f"Redis: {mask_credentials(one_line(str(error)))}") from None

    @contextmanager
    def _errors_of(self, what: str) -> Iterator[None]:
        """Redis's errors as ours. The connection is of no use after one: replies may be left."""
        from redis import AuthenticationError, RedisError

        try:
            yield
        except AuthenticationError as error:
            self.close()
            raise self._error(f"refuses the user name or password of the URL: {error}") from None
        except (RedisError, OSError) as error:
            self.close()
            raise self._error(f"{what}: {error or type(error).__name__}") from None

    def _error(self, reason: str) -> ClientError:
        return ClientError(503, one_line(f"Redis at {mask_credentials(self._url)} {reason}"))

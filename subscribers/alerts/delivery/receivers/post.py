"""One POST to a receiver, bounded in time, in what it reads, and in what it says of a failure."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from broker.backoff import retry_after
from broker.error_message import REDACTED, sanitize_error_message
from broker.errors import ConfigError
from subscribers.alerts.notifications.notification import NotSent
from subscribers.alerts.rules.receiver_config import Receiver

_MOST_SAID: Final = 2_048  # bytes of an answer that refuses
_SHORTEST_SECRET: Final = 6  # characters: shorter parts of a path are words


class Post:
    """A connection of its own for each request: notifications are rare, and a kept one is stale.

    Nothing is followed: a redirect could lead anywhere. Raises `ConfigError` where `ca_file`
    holds no certificates.
    """

    def __init__(self, url: str, receiver: Receiver) -> None:
        parts = urlsplit(url)
        self._receiver = receiver
        self._secure = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._headers = {"User-Agent": "raytap", "Content-Type": "application/json"}
        if parts.username is not None:
            user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._headers |= urllib3.make_headers(basic_auth=user)
        self._hidden = _parts_to_hide(url)
        self._context = _context(receiver) if self._secure else None
        self._lock = threading.Lock()
        self._request: _Request | None = None

    def send(self, body: bytes, headers: dict[str, str]) -> None:
        """Returns when the receiver answered 2xx; raises `NotSent`."""
        limits = self._receiver
        request = _Request(self._connection())
        with self._lock:
            self._request = request
        watch = threading.Timer(limits.timeout, request.cut)
        watch.daemon = True
        watch.start()
        try:
            request.connection.connect()
            if request.late:  # there was no socket yet that could be cut
                raise TimeoutError
            request.connection.timeout = limits.read_timeout
            request.connection.request(
                "POST",
                self._target,
                body=body,
                headers=self._headers | headers,
                preload_content=False,
            )
            self._judge(request.connection.getresponse())
        except (OSError, HTTPException, urllib3.exceptions.HTTPError) as error:
            why = f"no whole answer within {limits.timeout:g} s" if request.late else _why(error)
            status = 408 if request.late or isinstance(error, TimeoutError) else 503
            raise NotSent(status, why, again=True) from None
        finally:
            watch.cancel()
            request.connection.close()
            with self._lock:
                self._request = None

    def abort(self) -> None:
        """End the request that is under way, from another thread."""
        with self._lock:
            if self._request is not None:
                self._request.cut()

    def _connection(self) -> HTTPConnection:
        timeout = self._receiver.connect_timeout
        if self._secure:
            return HTTPSConnection(
                self._host, self._port, timeout=timeout, ssl_context=self._context
            )
        return HTTPConnection(self._host, self._port, timeout=timeout)

    def _judge(self, response: urllib3.HTTPResponse) -> None:
        status = response.status
        if 200 <= status < 300:
            return  # it has them, whatever becomes of its body
        if 300 <= status < 400:
            raise NotSent(
                status, f"HTTP {status}: it redirects, and that is not followed", again=False
            )
        said = b""
        with suppress(OSError, HTTPException, urllib3.exceptions.HTTPError):
            said = response.read(_MOST_SAID, decode_content=False)
        message = self._shown(said.decode("utf-8", "replace"), f"HTTP {status}")
        asked = {name.lower(): value for name, value in response.headers.items()}
        after = retry_after(asked) if status == 429 or "retry-after" in asked else None
        raise NotSent(status, message, again=status == 429 or status >= 500, after=after)

    def _shown(self, said: str, context: str) -> str:
        for part in self._hidden:
            said = said.replace(part, REDACTED)
        return sanitize_error_message(said, context) if said.strip() else context


class _Request:
    def __init__(self, connection: HTTPConnection) -> None:
        self.connection = connection
        self.late = False

    def cut(self) -> None:
        """Whoever reads or writes it gets an error now; on any thread."""
        self.late = True
        sock = self.connection.sock
        if sock is not None:
            with suppress(OSError, ValueError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _parts_to_hide(url: str) -> list[str]:
    """What an answer may repeat of a URL that is a credential; the longest first."""
    parts = urlsplit(url)
    found = {url, parts.path, parts.query, parts.username or "", parts.password or ""}
    found |= {word for word in parts.path.split("/") if len(word) >= _SHORTEST_SECRET}
    return sorted((part for part in found if len(part) > 1), key=len, reverse=True)


def _context(receiver: Receiver) -> ssl.SSLContext:
    place = f"receiver {receiver.name}: ca_file: {receiver.ca_file}"
    try:
        file = str(Path(receiver.ca_file).expanduser()) if receiver.ca_file else None
        return ssl.create_default_context(cafile=file)
    except ssl.SSLError:
        raise ConfigError(f"{place} holds no certificates (PEM)") from None
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{place} cannot be read: {reason}") from None


def _why(error: Exception) -> str:
    """In words, without the address that the exception names."""
    cause = error.__cause__ if isinstance(error.__cause__, Exception) else None
    known = urllib3.exceptions
    if isinstance(error, known.NameResolutionError | socket.gaierror):
        return "its host name cannot be resolved"
    if isinstance(error, known.NewConnectionError):
        return f"no connection: {getattr(cause, 'strerror', None) or 'it failed'}"
    if isinstance(error, known.ConnectTimeoutError):
        return "no connection in time"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLError):
        reason = getattr(error, "verify_message", "") or error.reason or "it failed"
        return sanitize_error_message(reason, "TLS")
    if isinstance(error, HTTPException):
        return "the connection was closed before an answer"
    return f"the connection broke: {getattr(error, 'strerror', None) or type(error).__name__}"

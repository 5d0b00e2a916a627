"""One POST to a receiver, bounded in time, in what it reads, and in what it says of a failure."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from broker.backoff import retry_after
from broker.error_message import REDACTED, sanitize_error_message
from broker.errors import ConfigError
from subscribers.alerts.delivery.receivers.target import Target
from subscribers.alerts.notifications.notification import NotSent
from subscribers.alerts.rules.receiver_config import Receiver

_MOST_SAID: Final = 2_048  # bytes of an answer that refuses
_TUNNEL: Final = re.compile(r"Tunnel connection failed: (\d{3})")  # http.client says no more
_SHORTEST_SECRET: Final = 6  # characters: shorter parts of a path are words


class Post:
    """A connection of its own for each request: notifications are rare, and a kept one is stale.

    Nothing is followed: a redirect could lead anywhere. A proxy is the one that the receiver
    names: the environment's could be meant for others, and would be asked for what is on this
    machine. `url` is the target's, or what is below it. Raises `ConfigError` where `ca_file` holds
    no certificates.
    """

    def __init__(self, receiver: Receiver, target: Target, url: str = "") -> None:
        parts = urlsplit(url or target.url)
        self._receiver = receiver
        self._secure = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._headers = {"User-Agent": "raytap", "Content-Type": "application/json"}
        if target.authorization:
            self._headers["Authorization"] = target.authorization
        elif user := _user(parts):
            self._headers |= urllib3.make_headers(basic_auth=user)
        self._proxy = urlsplit(target.proxy) if target.proxy else None
        self._proxy_headers = _proxy_headers(self._proxy)
        if self._proxy and not self._secure:  # one that forwards wants the whole address
            self._target = f"http://{parts.netloc.rpartition('@')[2]}{self._target}"
            self._headers |= self._proxy_headers
        self._hidden = _parts_to_hide(target, {**self._headers, **self._proxy_headers})
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
            through = "through the proxy: " if self._proxy else ""
            raise NotSent(status, through + why, again=True) from None
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
        timeout, proxy = self._receiver.connect_timeout, self._proxy
        host, port = self._host, self._port
        if proxy is not None:
            host, port = proxy.hostname or "", proxy.port or 80
        if not self._secure:
            return HTTPConnection(host, port, timeout=timeout)
        secure = HTTPSConnection(host, port, timeout=timeout, ssl_context=self._context)
        if proxy is not None:
            secure.set_tunnel(self._host, self._port or 443, self._proxy_headers)
        return secure

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
        message = self._shown(said.decode("utf-8", "replace"), self._said(status))
        asked = {name.lower(): value for name, value in response.headers.items()}
        after = retry_after(asked) if status == 429 or "retry-after" in asked else None
        raise NotSent(status, message, again=status == 429 or status >= 500, after=after)

    def _said(self, status: int) -> str:
        if status != 401 or self._receiver.kind == "slack":
            return f"HTTP {status}"
        given = {name.lower() for name in self._headers}
        if "authorization" in given:
            return "HTTP 401 (it does not take the authorization)"
        return "HTTP 401 (it wants an authorization_file or authorization_env)"

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


def _user(parts: SplitResult) -> str:
    """`NAME:PASSWORD` of a URL; empty where it has none."""
    if parts.username is None:
        return ""
    return f"{unquote(parts.username)}:{unquote(parts.password or '')}"


def _proxy_headers(proxy: SplitResult | None) -> dict[str, str]:
    user = _user(proxy) if proxy is not None else ""
    return dict(urllib3.make_headers(proxy_basic_auth=user)) if user else {}


def _parts_to_hide(target: Target, headers: Mapping[str, str]) -> list[str]:
    """What an answer may repeat of ours that is a credential; the longest first."""
    url, proxy = urlsplit(target.url), urlsplit(target.proxy)
    found = {target.url, url.path, url.query, url.username or "", url.password or ""}
    found |= {word for word in url.path.split("/") if len(word) >= _SHORTEST_SECRET}
    found |= {target.proxy, proxy.password or ""}
    for name, value in headers.items():
        if name.lower().endswith("authorization"):
            found |= {value, value.partition(" ")[2]}
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
    if refused := _TUNNEL.match(str(error)):
        return f"it refused: HTTP {refused[1]}"
    if isinstance(error, ssl.SSLError):
        reason = getattr(error, "verify_message", "") or error.reason or "it failed"
        return sanitize_error_message(reason, "TLS")
    if isinstance(error, HTTPException):
        return "the connection was closed before an answer"
    return f"the connection broke: {getattr(error, 'strerror', None) or type(error).__name__}"

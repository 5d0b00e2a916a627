"""HTTP to one cluster: one connection pool, one place where urllib3's errors become ours."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import unquote

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from broker.backoff import retry_after
from broker.config.config import ClusterConfig
from broker.error_message import sanitize_error_message
from broker.errors import ClientError
from broker.library.http_status import client_status, explain_answer

PIECE: Final = 1 << 20


class Unreachable(ClientError):
    """No answer: refused, cut or not in time. An answer of 503 is one, and is not this."""


class RetryLater(ClientError):
    """Ray answered 429; `seconds` is how long to leave it alone."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(429, message)
        self.seconds = seconds


class HttpClient:
    """A pool for the dashboard and the agents of one cluster. Thread-safe."""

    def __init__(self, config: ClusterConfig, token: str | None) -> None:
        self.headers = {"Accept-Encoding": "identity", **config.headers}
        if token:
            self.headers["Authorization"] = f"Bearer {token}"
        self.timeout = urllib3.Timeout(connect=config.connect_timeout, read=config.read_timeout)
        context = ssl.create_default_context(cafile=config.ca_file) if config.ca_file else None
        options: dict[str, Any] = {
            "maxsize": max(8, 2 * config.readers),
            "retries": False,
            "timeout": self.timeout,
            "ssl_context": context,
        }
        self._pool = (
            urllib3.ProxyManager(
                config.proxy, proxy_headers=_proxy_headers(config.proxy), **options
            )
            if config.proxy
            else urllib3.PoolManager(num_pools=64, **options)
        )

    @contextmanager
    def open(
        self, url: str, headers: Mapping[str, str] | None = None, read_timeout: float | None = None
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        """GET; the body is read by the caller. Any error while it is open is a `ClientError`."""
        try:
            response = self._request(url, {**self.headers, **(headers or {})}, read_timeout)
        except (HTTPError, OSError) as error:
            raise explain(error, url) from None
        try:
            _check_length(response, url)
            yield response
        except (HTTPError, OSError) as error:
            raise explain(error, url) from None
        finally:
            # Read to its end, the response gave its connection back already; a half-read one
            # can't be used again.
            response.close()

    def _request(
        self, url: str, headers: Mapping[str, str], read_timeout: float | None
    ) -> urllib3.BaseHTTPResponse:
        timeout = self.timeout
        if read_timeout is not None:
            timeout = urllib3.Timeout(connect=timeout.connect_timeout, read=read_timeout)
        for last in (False, True):
            try:
                return self._pool.request(
                    "GET",
                    url,
                    headers=headers,
                    preload_content=False,
                    redirect=False,
                    timeout=timeout,
                )
            except ProtocolError:
                # Ray's servers let go of an idle connection after a second, and a request that
                # meets that moment fails without a fault of anyone's: once more on a new one.
                if last:
                    raise
        raise AssertionError("unreachable")

    def get(self, url: str, max_bytes: int = 64 << 20) -> bytes:
        """A whole small body; raises `ClientError` for any answer but 200."""
        with self.open(url) as response:
            body = response.read(max_bytes)
            check_status(response, url, body)
            if response.read(1):
                raise ClientError(500, f"the answer of {path_of(url)} is over {max_bytes} bytes")
            return body

    def close(self) -> None:
        """Close every pooled connection."""
        self._pool.clear()


def _proxy_headers(proxy: str) -> dict[str, str]:
    """urllib3 does not take a proxy's user and password from its URL by itself."""
    user, _, password = (urllib3.util.parse_url(proxy).auth or "").partition(":")
    if not user:
        return {}
    credentials = f"{unquote(user)}:{unquote(password)}"
    return dict(urllib3.util.make_headers(proxy_basic_auth=credentials))


def _check_length(response: urllib3.BaseHTTPResponse, url: str) -> None:
    """An answer that is cut within its headers looks whole to Python, and its body empty: a log
    that lost all its lines. Ray's servers always say how long a body is."""
    headers = response.headers
    if "chunked" in headers.get("Transfer-Encoding", ""):
        return
    if not headers.get("Content-Length", "").isdigit():
        raise Unreachable(503, f"{host_of(url)} closed the connection early")


def pieces(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """The body as it comes, in pieces of at most 1 MiB."""
    while piece := response.read1(PIECE):
        yield piece


def check_status(response: urllib3.BaseHTTPResponse, url: str, body: bytes = b"") -> None:
    """Raise the `ClientError` that an answer other than 200 or 206 stands for."""
    status = response.status
    if status in (200, 206):
        return
    message = sanitize_error_message(explain_answer(status, body), f"Ray, {path_of(url)}")
    if status == 429:
        raise RetryLater(message, retry_after(response.headers))
    if status in (401, 403):
        message += " (see token_file or token_env of the cluster)"
    raise ClientError(client_status(status), message)


def explain(error: Exception, url: str) -> Unreachable:
    """Our error for one of urllib3's or the system's."""
    where = host_of(url)
    if isinstance(error, (ConnectTimeoutError, ReadTimeoutError, TimeoutError)) and not isinstance(
        error, NewConnectionError
    ):
        return Unreachable(408, f"{where} did not answer in time")
    if isinstance(error, NewConnectionError):
        return Unreachable(503, f"{where} cannot be reached")
    if isinstance(error, ProxyError):
        return Unreachable(503, f"the proxy to {where} cannot be used")
    if isinstance(error, SSLError):
        return Unreachable(503, sanitize_error_message(str(error), f"TLS to {where}"))
    if isinstance(error, (ProtocolError, OSError)):
        return Unreachable(503, f"{where} closed the connection early")
    return Unreachable(503, sanitize_error_message(str(error), where))


def host_of(url: str) -> str:
    """host:port of a URL, for messages."""
    return urllib3.util.parse_url(url).netloc or url


def path_of(url: str) -> str:
    """The path of a URL without its query, for messages."""
    return urllib3.util.parse_url(url).path or "/"

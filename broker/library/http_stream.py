"""A log over HTTP, as a generator of lines."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, Final

from broker.errors import ClientError
from broker.library.http_status import client_status, explain_answer
from broker.library.line_stream import LineStream, Message
from broker.library.request import Request, Timeout, checked_request
from broker.library.transport_error import client_errors
from broker.limits import StreamLimits

if TYPE_CHECKING:
    import requests

READ: Final = 1 << 16  # bytes of one read at most: a message
ERROR_BODY: Final = 4096  # bytes of an error's body that are looked at


class HTTPStreamManager:
    """Streams logs over a `requests.Session`, whose authentication, proxies and TLS it uses.

    `limits` are totals of each stream. As thread-safe as the session is.
    """

    def __init__(self, session: requests.Session, limits: StreamLimits) -> None:
        self._session = session
        self._limits = limits

    def stream_logs(
        self, url: str, headers: Mapping[str, str] | None, timeout: Timeout, context: str
    ) -> Generator[str, None, None]:
        """The log's lines, sanitized, without their ends, as they come. The caller's thread
        connects at the first `next`, and reads.

        `timeout`: seconds (at most 300) for the connect and for each read, or a pair. A message is
        one read. `context` stands in front of every error message. Closing the generator closes
        the connection. Redirects are not followed: they would take the headers' secrets along.

        Raises `ClientError`, after every complete line before it was yielded: 400 invalid
        arguments or a refused token, 404 unknown, 408 no connection or no byte in time, 429 over a
        limit (ours or the server's), 500 the server's error, 503 refused, TLS, cut or short.
        """
        request = checked_request(url, headers, timeout, context, ("http", "https"))
        lines = LineStream(self._limits, request)
        with closing(self._open(request)) as response:
            yield from lines.read(_messages(response, request))

    def _open(self, request: Request) -> requests.Response:
        headers = {k: v for k, v in request.headers.items() if k.lower() != "accept-encoding"}
        with client_errors(request):
            response = self._session.get(
                request.url,
                headers={**headers, "Accept-Encoding": "identity"},
                timeout=(request.connect_s, request.read_s),
                stream=True,
                allow_redirects=False,
            )
        if 200 <= response.status_code < 300:
            return response
        body = b""
        with closing(response), suppress(ClientError):
            body = _read(response, request, ERROR_BODY)
        status = response.status_code
        raise request.error(client_status(status), explain_answer(status, body))


def _messages(response: requests.Response, request: Request) -> Iterator[list[Message]]:
    while data := _read(response, request, READ):
        yield [Message(data)]


def _read(response: requests.Response, request: Request, size: int) -> bytes:
    """What has come, at most `size` bytes; empty at the body's end."""
    from urllib3.exceptions import HTTPError

    raw: Any = response.raw
    with client_errors(request, HTTPError):
        return bytes(raw.read1(size, decode_content=True) or b"")

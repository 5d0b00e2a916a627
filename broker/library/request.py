"""What a stream manager is asked for, checked before anything is connected. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from broker.error_message import sanitize_error_message
from broker.errors import ClientError
from broker.validate import check_url, validate_timeout

Timeout = float | tuple[float, float]
"""Seconds for the connect and for each read, or a (connect, read) pair."""

_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE: Final = re.compile(
    r"[^\x00-\x08\x0a-\x1f\x7f]*"
)  # a line end would smuggle a header in


class Request(NamedTuple):
    """One log to be streamed; times in seconds."""

    url: str
    headers: dict[str, str]
    connect_s: float
    read_s: float
    context: str

    def error(self, status: int, reason: object) -> ClientError:
        """The error to raise, sanitized and with the context in front."""
        return ClientError(status, sanitize_error_message(reason, self.context))


def checked_request(
    url: str,
    headers: Mapping[str, str] | None,
    timeout: Timeout,
    context: str,
    schemes: tuple[str, ...],
) -> Request:
    """The request, or `ClientError` 400 that says what is wrong with it."""
    scheme = check_url(url, schemes)
    pair = timeout if isinstance(timeout, (tuple, list)) else (timeout, timeout)
    if len(pair) != 2:
        raise ClientError(400, "timeout: a number of seconds or a (connect, read) pair is needed")
    return Request(
        url=scheme + url[len(scheme) :],  # websocket-client takes a scheme in lower case only
        headers=_checked_headers(headers),
        connect_s=validate_timeout(pair[0]),
        read_s=validate_timeout(pair[1]),
        context=str(context),
    )


def _checked_headers(headers: Mapping[str, str] | None) -> dict[str, str]:
    checked = dict(headers or {})
    for name, value in checked.items():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise ClientError(400, f"headers: {ascii(name)[:60]} is no header name")
        if not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value):
            raise ClientError(400, f"headers: the value of {name[:60]} must be text on one line")
    return checked

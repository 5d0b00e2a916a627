"""Checks of what comes from outside. Pure; each raises `ClientError` 400 that names the value."""

from __future__ import annotations

import re
from decimal import Decimal
from numbers import Real
from typing import Final
from urllib.parse import urlsplit

from broker.errors import ClientError

RESOURCE_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")
_WEBSOCKET_SCHEMES: Final = {"http": "ws", "https": "wss"}
_NOT_IN_A_URL: Final = re.compile(
    r"[\x00-\x20\x7f-\xa0\u2028\u2029]"
)  # urlsplit drops some silently


def validate_resource_id(value: object, name: str = "resource") -> str:
    """The value, where it is 1 to 100 of `[A-Za-z0-9_-]` and nothing else (ASCII only, no
    trailing newline)."""
    if not isinstance(value, str):
        raise ClientError(400, f"{name}: a string is needed, not {type(value).__name__}")
    if not RESOURCE_ID.fullmatch(value):
        shown = ascii(value if len(value) <= 40 else value[:40] + "...")
        raise ClientError(400, f"{name}: 1 to 100 of A-Z a-z 0-9 _ - are needed, not {shown}")
    return value


def validate_timeout(value: object, max_timeout: float = 300) -> float:
    """The value as float seconds, where it is a finite number in `(0, max_timeout]`, no bool."""
    right = f"a number of seconds over 0 and up to {max_timeout:g} is needed"
    if isinstance(value, bool) or not isinstance(value, (Real, Decimal)):
        raise ClientError(400, f"timeout: {right}, not {type(value).__name__}")
    try:
        seconds = float(value)
    except (ValueError, OverflowError):  # a signalling NaN, an int beyond any float
        raise ClientError(400, f"timeout: {right}") from None
    # Written so that NaN fails; infinity needs a test of its own where there is no maximum.
    if not 0 < seconds <= max_timeout or seconds == float("inf"):
        raise ClientError(400, f"timeout: {right}, not {seconds:g}")
    return seconds


def http_to_websocket_url(url: object) -> str:
    """The URL with ws for http and wss for https; every other character of it stays as it is."""
    scheme = check_url(url, tuple(_WEBSOCKET_SCHEMES))
    return _WEBSOCKET_SCHEMES[scheme] + str(url)[len(scheme) :]


def check_url(url: object, schemes: tuple[str, ...]) -> str:
    """The URL's scheme in lower case, where it is one of `schemes` and the URL names a host.

    The message never shows the URL: it may hold a password.
    """
    if not isinstance(url, str):
        raise ClientError(400, f"URL: a string is needed, not {type(url).__name__}")
    if _NOT_IN_A_URL.search(url):
        raise ClientError(400, "URL: spaces and control characters must be percent-encoded")
    wanted = " or ".join(f"{scheme}://" for scheme in schemes)
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port  # raises where it is no port
    except ValueError:
        raise ClientError(400, f"URL: no valid {wanted}HOST[:PORT]/PATH") from None
    if parts.scheme not in schemes or not url[len(parts.scheme) :].startswith("://"):
        raise ClientError(400, f"URL: it must begin with {wanted}")
    if not host:
        raise ClientError(400, f"URL: no host after {wanted}")
    return parts.scheme

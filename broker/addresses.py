"""Addresses in settings: taken apart, checked, told local from not. Pure: no name is resolved.

Every function raises `ValueError` that says what is wrong and what would be right, without the
credentials an address may hold.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from typing import Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

from broker.text.plain_text import mask_credentials, one_line

ANY_PORT: Final = 0


class HostPort(NamedTuple):
    """Where a socket is bound. Host `*` is every address; port 0 lets the system choose."""

    host: str
    port: int


def host_port(text: str) -> HostPort:
    """`127.0.0.1:8270`, `[::1]:8270` or `*:8270` taken apart."""
    right = "HOST:PORT, such as 127.0.0.1:8270"
    host, colon, port = text.rpartition(":")
    if not colon or not host or any(sign in host for sign in "/@ "):
        raise ValueError(f"{_shown(text)} is not {right}")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"{_shown(text)}: an IPv6 address stands in brackets, as in [::1]:8270")
    if port == "*":
        return HostPort(host, ANY_PORT)
    if not (port.isascii() and port.isdigit() and int(port) <= 65535):
        raise ValueError(f"{_shown(text)}: the port is a number from 0 to 65535, as in {right}")
    return HostPort(host, int(port))


def zeromq_bind(endpoint: str) -> HostPort | None:
    """Where `tcp://HOST:PORT` binds; None for `ipc://PATH`, which never leaves the machine."""
    scheme, separator, rest = endpoint.partition("://")
    if separator and scheme == "ipc" and rest:
        return None
    if not separator or scheme != "tcp":
        raise ValueError(
            f"{_shown(endpoint)} is not a ZeroMQ endpoint: tcp://127.0.0.1:5556 or ipc:///PATH"
        )
    return host_port(rest)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a socket bound to the host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def ray_endpoint(url: str) -> str:
    """The dashboard's address as `http(s)://HOST[:PORT]`, without the slash at its end."""
    right = "the dashboard's address is http://HOST:8265 or https://HOST"
    parts = _split(url, ("http", "https"), right)
    if parts.username is not None or parts.password is not None:
        raise ValueError(
            f"{_shown(url)} holds a user name or password; Ray takes a token: "
            "give token_file or token_env, and the address without it"
        )
    if parts.path not in ("", "/") or parts.query or parts.fragment or url.endswith(("?", "#")):
        raise ValueError(f"{_shown(url)} goes on after the host; {right}, and nothing after it")
    return f"{parts.scheme}://{parts.netloc}"


def redis_url(url: str) -> str:
    """The URL, checked: `redis://`, `rediss://` (TLS) or `unix:///PATH`."""
    right = "a Redis URL is redis://[:PASSWORD@]HOST[:PORT][/DB], rediss://… or unix:///PATH"
    if url.startswith("unix://"):
        if url == "unix://":
            raise ValueError(f"{_shown(url)} names no socket; {right}")
        return url
    parts = _split(url, ("redis", "rediss"), right)
    if parts.path not in ("", "/") and not parts.path[1:].isdigit():
        raise ValueError(f"{_shown(url)}: the database is a number, as in redis://HOST:6379/0")
    return url


def proxy_url(url: str) -> str:
    """The URL, checked: an HTTP proxy, with credentials if it needs them."""
    _split(url, ("http", "https"), "a proxy is http://[USER:PASSWORD@]HOST:PORT")
    return url


def agent_address(address: str, agent_host: str) -> str:
    """Ray's `driver_agent_http_address` with its host (and port, where one is given) replaced.

    The setting's host is what a port-forward or a tunnel is reached at.
    """
    if not agent_host:
        return address.rstrip("/")
    parts = urlsplit(address)
    bare = agent_host.count(":") != 1 and not agent_host.endswith("]")
    if ":" in agent_host and bare and not agent_host.startswith("["):
        agent_host = f"[{agent_host}]"
    _, closed, after = agent_host.rpartition("]")
    has_port = ":" in (after if closed else agent_host)
    port = "" if has_port or parts.port is None else f":{parts.port}"
    return f"{parts.scheme}://{agent_host}{port}"


def _split(url: str, schemes: Collection[str], right: str) -> SplitResult:
    if any(sign.isspace() or not sign.isprintable() for sign in url):
        raise ValueError(f"{_shown(url)} holds white space or a control character; {right}")
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises where it is no port
    except ValueError:  # its text may hold a part of a password
        raise ValueError(f"{_shown(url)} is not an address; {right}") from None
    if parts.scheme not in schemes:
        raise ValueError(f"{_shown(url)} does not begin with {'://, '.join(schemes)}://; {right}")
    if not parts.hostname:
        raise ValueError(f"{_shown(url)} has no host; {right}")
    return parts


def _shown(text: str) -> str:
    return repr(one_line(mask_credentials(text), 120))

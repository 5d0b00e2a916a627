"""Which brokers a subscriber process follows: its section's, else the daemon of the same file."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final, Literal, NamedTuple
from urllib.parse import urlsplit

from broker.addresses import host_port
from broker.config.config import Config
from broker.errors import ConfigError

_ANYWHERE: Final = {"*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}


class Upstream(NamedTuple):
    """What a `Subscription` is made with; either `zeromq` or `redis`."""

    zeromq: tuple[str, ...]
    redis: str | None
    brokers: tuple[str, ...]
    token: str | None


def upstream_of(config: Config, section: Literal["dashboard", "alerts"]) -> Upstream:
    """The one of a section. Raises `ConfigError` where it leads nowhere, or its token can't be
    read."""
    upstream = getattr(config, section).upstream
    if upstream.zeromq and upstream.redis:
        raise ConfigError(f"{section}.upstream.redis: zeromq is given too; give one of them")
    zeromq, redis = tuple(upstream.zeromq), upstream.redis
    if not zeromq and not redis:
        if config.publish.zeromq.enabled:
            zeromq = (_reached(config.publish.zeromq.bind),)
        else:
            redis = config.publish.redis.url
    if not zeromq and not redis:
        raise ConfigError(f"{section}.upstream: nothing is published; give zeromq or redis")
    brokers = tuple(upstream.brokers) or (f"http://{reached(config.http.bind)}",)
    token = _token(upstream.token_file, upstream.token_env, f"{section}.upstream")
    return Upstream(zeromq, redis or None, brokers, token)


def reached(bind: str) -> str:
    """`HOST:PORT` at which this machine reaches what is bound there."""
    host, port = host_port(bind)
    host = _ANYWHERE.get(host, host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _reached(endpoint: str) -> str:
    parts = urlsplit(endpoint)
    return f"tcp://{reached(parts.netloc)}" if parts.scheme == "tcp" else endpoint


def _token(file: str, variable: str, section: str) -> str | None:
    if file and variable:
        raise ConfigError(f"{section}.token_env: token_file is given too; give one of them")
    if variable:
        place = f"{section}.token_env: the environment variable {variable}"
        text = os.environ.get(variable)
        if text is None:
            raise ConfigError(f"{place} is not set")
    elif file:
        place = f"{section}.token_file: {file}"
        try:
            text = Path(file).expanduser().read_text(encoding="utf-8")
        except (OSError, RuntimeError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is no text file"
            raise ConfigError(f"{place} cannot be read: {reason}") from None
    else:
        return None
    if not re.fullmatch(r"[\x21-\x7e]+", text.strip()):
        raise ConfigError(f"{place} holds no token: one word of ASCII, without Bearer before it")
    return text.strip()

"""Which brokers the alerts and the dashboard follow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from broker.commands.upstream import reached, upstream_of
from broker.config.config import (
    AlertsConfig,
    Config,
    HttpConfig,
    PublishConfig,
    RedisConfig,
    UpstreamConfig,
    ZeromqConfig,
)
from broker.errors import ConfigError


def config(publish: PublishConfig | None = None, **upstream: Any) -> Config:
    return Config(
        publish=publish or PublishConfig(),
        http=HttpConfig(bind="0.0.0.0:8270"),
        alerts=AlertsConfig(upstream=UpstreamConfig(**upstream)),
    )


def test_by_default_it_is_the_daemon_of_the_same_file() -> None:
    found = upstream_of(config(), "alerts")
    assert found == (("tcp://127.0.0.1:5556",), None, ("http://127.0.0.1:8270",), None)


def test_where_only_redis_is_published_on_it_is_redis() -> None:
    publish = PublishConfig(
        zeromq=ZeromqConfig(enabled=False), redis=RedisConfig(url="redis://h:1")
    )
    found = upstream_of(config(publish), "alerts")
    assert (found.zeromq, found.redis) == ((), "redis://h:1")


def test_what_the_section_says_goes_first() -> None:
    found = upstream_of(config(zeromq=["tcp://b:1"], brokers=["http://b:2"]), "alerts")
    assert (found.zeromq, found.brokers) == (("tcp://b:1",), ("http://b:2",))


@pytest.mark.parametrize(
    ("bind", "address"),
    [("*:1", "127.0.0.1:1"), ("[::]:1", "[::1]:1"), ("10.0.0.1:1", "10.0.0.1:1")],
)
def test_a_bind_to_every_address_is_reached_on_this_machine(bind: str, address: str) -> None:
    assert reached(bind) == address


def test_the_token_comes_from_a_file_or_a_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    file.write_text("t0ken\n")
    monkeypatch.setenv("UP", "other")
    assert upstream_of(config(token_file=str(file)), "alerts").token == "t0ken"
    assert upstream_of(config(token_env="UP"), "alerts").token == "other"


@pytest.mark.parametrize(
    ("upstream", "says"),
    [
        ({"zeromq": ["tcp://b:1"], "redis": "redis://h"}, "give one of them"),
        ({"token_env": "NOT_SET_ANYWHERE"}, "is not set"),
        ({"token_file": "/nowhere/at/all"}, "cannot be read"),
        ({"token_file": "/dev/null"}, "holds no token"),
        ({"token_file": "/x", "token_env": "X"}, "give one of them"),
    ],
)
def test_what_leads_nowhere_is_refused(upstream: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        upstream_of(config(**upstream), "alerts")


def test_a_daemon_that_publishes_nothing_cannot_be_followed() -> None:
    with pytest.raises(ConfigError, match="nothing is published"):
        upstream_of(config(PublishConfig(zeromq=ZeromqConfig(enabled=False))), "alerts")

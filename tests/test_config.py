"""The sections: defaults, units, ranges, addresses, and what a repr shows."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from broker.addresses import (
    HostPort,
    agent_address,
    host_port,
    is_loopback,
    proxy_url,
    ray_endpoint,
    redis_url,
    zeromq_bind,
)
from broker.config.checks import problems
from broker.config.config import (
    ClusterConfig,
    Config,
    HttpConfig,
    PublishConfig,
    RedisConfig,
    SanitizeConfig,
    ZeromqConfig,
)
from broker.config.units import parse_duration, parse_size

RAY = "http://127.0.0.1:8265"


def cluster_problems(**settings: object) -> dict[str, str]:
    cluster = ClusterConfig(**{"endpoints": [RAY], **settings})  # type: ignore[arg-type]
    return dict(problems(Config(cluster={"c": cluster})))


def test_the_defaults_with_one_cluster_are_right() -> None:
    assert cluster_problems() == {}


@pytest.mark.parametrize(
    ("text", "size"),
    [(7, 7), ("7", 7), ("50MiB", 50 << 20), ("2 GB", 2 * 10**9), ("1.5kib", 1536), ("8B", 8)],
)
def test_a_size_is_bytes_or_has_a_unit(text: str | int, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "seconds"), [(7, 7), ("500ms", 0.5), ("5m", 300), ("2h", 7200), ("7d", 604800)]
)
def test_a_duration_is_seconds_or_has_a_unit(text: str | float, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "MiB", "-1", "1e9", "1 mile", "nan", "٣"])
def test_what_is_no_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="64MiB"):
        parse_size(text)


def test_backfill_is_all_of_the_log_or_a_number_of_bytes() -> None:
    assert ClusterConfig().backfill_bytes is None
    assert ClusterConfig(backfill="64MiB").backfill_bytes == 64 << 20


def test_no_repr_shows_a_credential() -> None:
    config = Config(
        cluster={"c": ClusterConfig(proxy="http://u:hunter2@p:1", headers={"X-Key": "hunter2"})},
        publish=PublishConfig(redis=RedisConfig(url="redis://:hun@ter2hunter2@r:6379/0")),
    )
    out = io.StringIO()
    Console(file=out, width=400).print(config)
    for shown in (repr(config), str(config), f"{config!r}", out.getvalue()):
        assert "hunter2" not in shown
        assert "[REDACTED]@r:6379/0" in shown


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8270", HostPort("127.0.0.1", 8270)),
        ("[::1]:80", HostPort("::1", 80)),
        ("*:0", HostPort("*", 0)),
        ("localhost:*", HostPort("localhost", 0)),
    ],
)
def test_host_and_port_are_taken_apart(text: str, address: HostPort) -> None:
    assert host_port(text) == address


@pytest.mark.parametrize(
    "text", ["", "8270", ":8270", "h:", "h:x", "h:65536", "::1:80", "http://h:80", "a b:1"]
)
def test_what_is_no_host_and_port_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"127\.0\.0\.1:8270|\[::1\]:8270"):
        host_port(text)


def test_a_zeromq_endpoint_is_tcp_or_a_local_socket() -> None:
    assert zeromq_bind("tcp://127.0.0.1:5556") == HostPort("127.0.0.1", 5556)
    assert zeromq_bind("ipc:///tmp/x") is None
    with pytest.raises(ValueError, match="tcp://127"):
        zeromq_bind("127.0.0.1:5556")


def test_loopback_is_told_from_every_other_host() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.9.9.9", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "*", "::", "10.0.0.1", "eth0", "")))


def test_a_dashboard_address_loses_the_slash_at_its_end() -> None:
    assert ray_endpoint("https://ray.example:443/") == "https://ray.example:443"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ray://h:10001", "http://HOST:8265"),
        ("h:8265", "http://HOST:8265"),
        ("http://", "no host"),
        ("http://h:99999", "not an address"),
        ("http://h/ray", "nothing after it"),
        ("http://h/?a=b", "nothing after it"),
        ("http://h:1\n", "control character"),
        ("http://u:hunter2@h:1", "token_file"),
    ],
)
def test_a_wrong_dashboard_address_is_refused_without_its_password(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        ray_endpoint(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (redis_url, "rediss://u:p@h:6379/1", "http://u:hunter2@h"),
        (redis_url, "unix:///run/redis.sock", "redis://:hunter2@h/db"),
        (redis_url, "redis://h", "redis://:hunter2/x@h"),
        (proxy_url, "http://u:p@proxy:3128", "socks5://u:hunter2@proxy:1"),
    ],
)
def test_other_addresses_are_checked_without_showing_credentials(
    check: Callable[[str], str], good: str, bad: str
) -> None:
    assert check(good) == good
    with pytest.raises(ValueError, match=r"a Redis URL is|a proxy is|database is") as caught:
        check(bad)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("", "http://10.0.0.5:52365"),
        ("127.0.0.1", "http://127.0.0.1:52365"),
        ("127.0.0.1:9000", "http://127.0.0.1:9000"),
        ("::1", "http://[::1]:52365"),
        ("[::1]:9000", "http://[::1]:9000"),
        ("[::1]", "http://[::1]:52365"),
    ],
)
def test_agent_host_replaces_the_host_and_where_given_the_port(host: str, address: str) -> None:
    assert agent_address("http://10.0.0.5:52365", host) == address


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("endpoints", []),
        ("endpoints", [RAY, "ray://h"]),
        ("agent_host", "http://h"),
        ("jobs", []),
        ("jobs", ["a/b/c"]),
        ("jobs", [""]),
        ("backfill", "some"),
        ("poll_interval_max", 0.05),
        ("backoff_cap", 0.1),
        ("proxy", "socks5://p"),
        ("headers", {"a b": "c"}),
        ("headers", {"A": "c\nd"}),
    ],
)
def test_a_wrong_cluster_setting_is_named(setting: str, value: object) -> None:
    assert list(cluster_problems(**{setting: value})) == [f"cluster.c.{setting}"]


def test_two_ways_to_give_a_token_are_one_too_many() -> None:
    assert list(cluster_problems(token_file="f", token_env="E")) == ["cluster.c.token_env"]
    both = cluster_problems(token_file="f", headers={"authorization": "Bearer hunter2"})
    assert list(both) == ["cluster.c.headers"]
    assert "hunter2" not in str(both)


def test_a_cluster_name_is_a_resource_id() -> None:
    for name in ("a b", "", "x" * 101, "a\n", "é"):
        config = Config(cluster={name: ClusterConfig(endpoints=[RAY])})
        assert [setting for setting, _ in problems(config)] == [f"cluster.{name}"]


@pytest.mark.parametrize("host", ["0.0.0.0", "*", "10.1.2.3", "[::]", "eth0"])
def test_a_bind_beyond_loopback_needs_insecure(host: str) -> None:
    cluster = {"c": ClusterConfig(endpoints=[RAY])}
    http, zeromq = f"{host}:1", f"tcp://{host}:1"
    exposed = Config(
        cluster=cluster,
        http=HttpConfig(bind=http),
        publish=PublishConfig(zeromq=ZeromqConfig(bind=zeromq)),
    )
    found = dict(problems(exposed))
    assert list(found) == ["publish.zeromq.bind", "http.bind"]
    assert "publish.zeromq.insecure = true" in found["publish.zeromq.bind"]
    assert "http.insecure = true" in found["http.bind"]
    allowed = Config(
        cluster=cluster,
        http=HttpConfig(bind=http, insecure=True),
        publish=PublishConfig(zeromq=ZeromqConfig(bind=zeromq, insecure=True)),
    )
    assert list(problems(allowed)) == []


def test_an_empty_rule_is_refused_since_it_would_match_everywhere() -> None:
    config = Config(
        cluster={"c": ClusterConfig(endpoints=[RAY])}, sanitize=SanitizeConfig(rules=["a", ""])
    )
    assert [setting for setting, _ in problems(config)] == ["sanitize.rules"]

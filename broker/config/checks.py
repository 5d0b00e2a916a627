"""What the types of `broker.config.config` cannot say: addresses, names, settings that go together.

Pure. `problems` yields (the setting's full name, what is wrong and what would be right).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from broker.access.token import HASH, OWN_NAME, PREFIX
from broker.addresses import (
    host_port,
    is_loopback,
    proxy_url,
    ray_endpoint,
    redis_url,
    zeromq_bind,
)
from broker.config.config import AccessConfig, ClusterConfig, Config, TokenConfig, ZeromqConfig
from broker.config.units import parse_size

CLUSTER_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")
Problem: TypeAlias = tuple[str, str]

_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_ORIGIN: Final = re.compile(r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_HEADER_VALUE: Final = re.compile(r"[\t\x20-\x7e]*")
_AGENT_HOST: Final = re.compile(r"\[[0-9A-Fa-f:.]+\](:\d{1,5})?|[0-9A-Fa-f:.]+|[\w.-]+(:\d{1,5})?")
_EXPOSED: Final = "{host} is reached from other machines, and whoever reaches it reads every line; "
_NO_PERMISSIONS: Final = (
    "bind to {local}, or set {section}.insecure = true (--insecure) where the network is closed "
    "to others: ZeroMQ has no permissions"
)
_NO_ACCESS: Final = (
    "make a token (`raytap token new NAME` prints the section to paste), bind to {local}, or set "
    "{section}.insecure = true (--insecure) where the network is closed to others"
)


def problems(config: Config) -> Iterator[Problem]:
    """Everything that is wrong, in the order of the file."""
    if not config.state_dir.strip():
        yield "state_dir", "is empty; it is a directory of raytap's own"
    if not config.cluster:
        yield "cluster", "there is none; give --ray URL or [cluster.default] with endpoints"
    for name, cluster in config.cluster.items():
        if not CLUSTER_NAME.fullmatch(name):
            yield f"cluster.{name}", "a cluster's name is 1 to 100 letters, digits, - and _"
        for key, message in _cluster(cluster):
            yield f"cluster.{name}.{key}", message
    for index, rule in enumerate(config.sanitize.rules):
        if not rule:
            yield "sanitize.rules", f"rule {index} is empty, and would match everywhere"
    yield from _zeromq(config.publish.zeromq)
    if config.publish.redis.url:
        yield from _raised("publish.redis.url", redis_url, config.publish.redis.url)
    yield from _access(config.access)
    for section, served, bind, insecure in (
        ("http", config.http.enabled, config.http.bind, config.http.insecure),
        ("dashboard", True, config.dashboard.bind, config.dashboard.insecure),
        ("alerts", True, config.alerts.bind, config.alerts.insecure),
    ):
        closed = insecure or config.access.required
        yield from _http(section, bind, must_be_local=served and not closed)
    for origin in config.dashboard.cors_origins:
        if not _ORIGIN.fullmatch(origin):
            yield "dashboard.cors_origins", f"{origin!r} is no origin, such as https://HOST[:PORT]"
    for setting, url in (
        ("dashboard.stats_redis", config.dashboard.stats_redis),
        ("dashboard.upstream.redis", config.dashboard.upstream.redis),
        ("alerts.upstream.redis", config.alerts.upstream.redis),
    ):
        if url:
            yield from _raised(setting, redis_url, url)


def _cluster(cluster: ClusterConfig) -> Iterator[Problem]:
    if not cluster.endpoints:
        yield "endpoints", 'is empty; give the dashboard\'s address: ["http://HOST:8265"]'
    for endpoint in cluster.endpoints:
        yield from _raised("endpoints", ray_endpoint, endpoint)
    if cluster.agent_host and not _AGENT_HOST.fullmatch(cluster.agent_host):
        yield "agent_host", f"{cluster.agent_host!r} is neither HOST nor HOST:PORT"
    for pattern in cluster.jobs:
        yield from _job_pattern(pattern)
    if not cluster.jobs:
        yield "jobs", 'is empty, so that no job is followed; ["*"] is all of them'
    if cluster.backfill != "all":
        yield from _raised("backfill", _backfill, cluster.backfill)
    if cluster.poll_interval_max < cluster.poll_interval:
        yield "poll_interval_max", f"is below poll_interval ({cluster.poll_interval} s)"
    if cluster.backoff_cap < cluster.backoff_base:
        yield "backoff_cap", f"is below backoff_base ({cluster.backoff_base} s)"
    if cluster.token_file and cluster.token_env:
        yield "token_env", "token_file is given too; give one of them"
    if cluster.proxy:
        yield from _raised("proxy", proxy_url, cluster.proxy)
    yield from _headers(cluster)


def _headers(cluster: ClusterConfig) -> Iterator[Problem]:
    """Values stay out of the messages: they may be credentials."""
    for name, value in cluster.headers.items():
        if not _HEADER_NAME.fullmatch(name):
            yield "headers", f"{name!r} is not a header's name"
        elif not _HEADER_VALUE.fullmatch(value):
            yield "headers", f"the value of {name} holds a line end or is not ASCII"
        elif name.lower() == "authorization" and (cluster.token_file or cluster.token_env):
            yield "headers", "Authorization is what token_file and token_env set; give one of them"


def _zeromq(zeromq: ZeromqConfig) -> Iterator[Problem]:
    try:
        address = zeromq_bind(zeromq.bind)
    except ValueError as error:
        yield "publish.zeromq.bind", str(error)
        return
    if zeromq.enabled and address and not (zeromq.insecure or is_loopback(address.host)):
        yield (
            "publish.zeromq.bind",
            (_EXPOSED + _NO_PERMISSIONS).format(
                host=address.host,
                local=f"tcp://127.0.0.1:{address.port}",
                section="publish.zeromq",
            ),
        )


def _http(section: str, bind: str, *, must_be_local: bool) -> Iterator[Problem]:
    try:
        address = host_port(bind)
    except ValueError as error:
        yield f"{section}.bind", str(error)
        return
    if must_be_local and not is_loopback(address.host):
        yield (
            f"{section}.bind",
            (_EXPOSED + _NO_ACCESS).format(
                host=address.host, local=f"127.0.0.1:{address.port}", section=section
            ),
        )


def _access(access: AccessConfig) -> Iterator[Problem]:
    """Hashes stay out of the messages: one may be the token itself."""
    owners: dict[str, str] = {}
    for name, token in access.token.items():
        if not CLUSTER_NAME.fullmatch(name):
            yield f"access.token.{name}", "a token's name is 1 to 100 letters, digits, - and _"
        if name == OWN_NAME:
            message = "is what `raytap serve` calls the token of its own programs; take another"
            yield f"access.token.{name}", message
        for key, message in _token(token, owners.setdefault(token.hash, name), name):
            yield f"access.token.{name}.{key}", message
    if (access.jwt.issuer or access.jwt.audience) and not access.jwt.key_file:
        yield "access.jwt.key_file", "is empty, so that no JWT is taken; it names the key's file"


def _token(token: TokenConfig, owner: str, name: str) -> Iterator[Problem]:
    if token.hash.startswith(PREFIX):
        yield "hash", "is the token itself; `raytap token new` prints its hash, for another one"
    elif not HASH.fullmatch(token.hash):
        yield "hash", "is not sha256: and 64 hexadecimal digits, as `raytap token new` prints it"
    elif owner != name:
        yield "hash", f"is that of access.token.{owner} too; each has a token of its own"
    for key, patterns in (("clusters", token.clusters), ("jobs", token.jobs)):
        if not patterns:
            yield key, 'is empty, so that the token opens nothing; ["*"] is all of them'
    for pattern in token.clusters:
        if not pattern or "/" in pattern:
            yield "clusters", f"{pattern!r} is not a pattern of a cluster's name, such as prod-*"
    for pattern in token.jobs:
        yield from _job_pattern(pattern)
    if not token.actions:
        yield "actions", 'is empty, so that the token opens nothing; right is ["read"]'


def _job_pattern(pattern: str) -> Iterator[Problem]:
    if not pattern or pattern.count("/") > 1:
        yield "jobs", f"{pattern!r} is not a pattern of [CLUSTER/]JOB, such as train-*"


def _backfill(text: str) -> int:
    try:
        return parse_size(text)
    except ValueError:
        raise ValueError(f'{text!r} is neither "all" nor a size such as "64MiB"') from None


def _raised(name: str, check: Callable[[str], object], value: str) -> Iterator[Problem]:
    try:
        check(value)
    except ValueError as error:
        yield name, str(error)

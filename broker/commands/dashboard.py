"""`raytap dashboard`: the page and the gateway, in the foreground."""

from __future__ import annotations

import resource
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import click

from broker.addresses import redis_url, zeromq_bind
from broker.commands.access_changes import AccessChanges, ReadAgain
from broker.commands.signals import call_on_hangup, stop_on_signal
from broker.commands.subscriber_options import (
    reread_configuration,
    subscriber_configuration,
    subscriber_options,
)
from broker.commands.tuning import tune_for_threads
from broker.commands.upstream import Upstream, reached, upstream_of
from broker.config.config import Config
from broker.errors import ConfigError

_FILES: Final = 65_536  # a socket for each client


@click.command()
@subscriber_options("Serve the page here: 127.0.0.1:8271.")
def command(**flags: Any) -> None:
    """Show live logs in a browser, and serve them to programs over HTTP.

    It follows the brokers of [dashboard.upstream], else the daemon of the same file, else the one
    on this machine. SIGTERM or SIGINT ends it in order within five seconds, a second one at once.
    SIGHUP makes it read the tokens and keys of [access] again (not on a terminal).
    """
    changes = ReadAgain(lambda: reread_configuration("dashboard", flags).access)
    run(subscriber_configuration("dashboard", flags), changes)


def run(config: Config, changes: AccessChanges) -> None:
    """Until told to stop. Raises `ClientError` for what keeps it from starting."""
    from broker.access.access import Access
    from subscribers import Subscription
    from subscribers.dashboard.gateway import Gateway

    upstream = upstream_of(config, "dashboard")
    _check(upstream)
    alerts = config.alerts
    gateway = Gateway(
        config.dashboard,
        Access.of(config.access),
        lambda: Subscription(
            "*",
            zeromq=upstream.zeromq,
            redis=upstream.redis,
            brokers=upstream.brokers,
            start="live",
            token=upstream.token,
        ),
        upstream.brokers,
        token=upstream.token,
        alerts=f"http://{reached(alerts.bind)}" if alerts.enabled or alerts.rules else "",
        stats_redis=config.dashboard.stats_redis or config.publish.redis.url,
        version=_version(),
    )
    tune_for_threads()
    _allow_many_files()
    stopping = stop_on_signal()
    changes.follow(gateway.reload)
    call_on_hangup(changes.hangup)
    try:
        gateway.start()
        stopping.wait()
    finally:
        gateway.stop()


def _check(upstream: Upstream) -> None:
    """What the subscription would find out only when it has begun."""
    try:
        for endpoint in upstream.zeromq:
            zeromq_bind(endpoint)
        if upstream.redis:
            redis_url(upstream.redis)
    except ValueError as error:
        raise ConfigError(f"dashboard.upstream: {error}") from None


def _version() -> str:
    try:
        return version("raytap")
    except PackageNotFoundError:
        return "unknown"


def _allow_many_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

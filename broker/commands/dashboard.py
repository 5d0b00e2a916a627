"""`raytap dashboard`: the page and the gateway, in the foreground."""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from types import FrameType
from typing import Any, Final, TypeVar

import click
from msgspec.structs import replace

from broker.addresses import redis_url, zeromq_bind
from broker.commands.options import configuration
from broker.commands.upstream import Upstream, reached, upstream_of
from broker.config import Config
from broker.config_checks import problems
from broker.errors import ConfigError
from broker.events import get_logger, setup

Command = TypeVar("Command", bound=Callable[..., Any])

SWITCH_SECONDS: Final = 0.001  # the loop waits less for the feed's thread after each write
_FILES: Final = 65_536  # a socket for each client

_OPTIONS: Final = (
    click.option("--config", metavar="FILE", help="Settings; else ./raytap.toml if there is one."),
    click.option("--bind", metavar="HOST:PORT", help="Serve the page here: 127.0.0.1:8271."),
    click.option(
        "--zeromq", multiple=True, metavar="ENDPOINT", help="Follow this broker's ZeroMQ."
    ),
    click.option("--redis", metavar="URL", help="Follow by this Redis instead."),
    click.option("--broker", multiple=True, metavar="URL", help="The broker's HTTP API."),
    click.option("--token-file", metavar="FILE", help="Holds the token for the broker's HTTP API."),
    click.option("--insecure", is_flag=True, help="Bind beyond this machine without [access]."),
    click.option("--log-format", metavar="auto|text|json", help="Of raytap's own log."),
    click.option("--log-level", metavar="LEVEL", help="debug, info, warning or error."),
)


def _options(command: Command) -> Command:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command()
@_options
def command(
    bind: str | None,
    zeromq: tuple[str, ...],
    redis: str | None,
    broker: tuple[str, ...],
    token_file: str | None,
    **flags: object,
) -> None:
    """Show live logs in a browser, and serve them to programs over HTTP.

    It follows the brokers of [dashboard.upstream], else the daemon of the same file, else the one
    on this machine. SIGTERM or SIGINT ends it in order within five seconds, a second one at once.
    """
    if zeromq and redis:
        raise click.UsageError("give --redis or --zeromq, not both")
    config, notes = configuration(flags)
    setup(config.log.format, config.log.level)
    for note in notes:
        get_logger("config").warning("setting_passed_over", note=note)
    upstream = config.dashboard.upstream
    if zeromq or redis:
        upstream = replace(upstream, zeromq=list(zeromq), redis=redis or "")
    if broker:
        upstream = replace(upstream, brokers=list(broker))
    if token_file:
        upstream = replace(upstream, token_file=token_file, token_env="")
    dashboard = replace(config.dashboard, bind=bind or config.dashboard.bind, upstream=upstream)
    config = replace(config, dashboard=dashboard)
    for name, message in problems(config):
        raise ConfigError(f"{'--bind' if bind and name == 'dashboard.bind' else name}: {message}")
    run(config)


def run(config: Config) -> None:
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
    sys.setswitchinterval(SWITCH_SECONDS)
    _allow_many_files()
    stopping = _stop_on_signal()
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


def _stop_on_signal() -> threading.Event:
    stopping = threading.Event()

    def stop(number: int, _frame: FrameType | None) -> None:
        if stopping.is_set():
            os._exit(128 + number)
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    return stopping

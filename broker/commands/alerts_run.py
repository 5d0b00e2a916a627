"""`raytap alerts run`: rules on live logs, in the foreground."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click
from msgspec.structs import replace

from broker.commands.access_changes import AccessChanges, ReadAgain
from broker.commands.signals import stop_on_signal
from broker.commands.subscriber_options import (
    reread_configuration,
    subscriber_configuration,
    subscriber_options,
)
from broker.commands.tuning import tune_for_threads
from broker.commands.upstream import Upstream, reached, upstream_of
from broker.config.config import Config
from broker.errors import ConfigError
from broker.events import get_logger

if TYPE_CHECKING:
    from subscribers.alerts.service.following import Frames
    from subscribers.alerts.service.service import Loaded


@click.command()
@click.argument("rules", nargs=-1, metavar="[RULES]...")
@subscriber_options("Serve /v1/alerts here: 127.0.0.1:8272.")
@click.option("--state-dir", metavar="DIR", help="The place of alerts.db.")
def command(rules: tuple[str, ...], **flags: Any) -> None:
    """Watch jobs by the rules in the files RULES (else `alerts.rules`), and tell the receivers.

    It follows the brokers of [alerts.upstream], else the daemon of the same file, else the one on
    this machine. SIGHUP reads the rules again, and the tokens and keys of [access]; SIGTERM or
    SIGINT ends it within five seconds.
    """
    config = subscriber_configuration("alerts", flags)
    if rules:
        config = replace(config, alerts=replace(config.alerts, rules=list(rules)))
    run(config, ReadAgain(lambda: reread_configuration("alerts", flags).access))


def run(config: Config, changes: AccessChanges) -> None:
    """Until told to stop. Raises `ClientError` for what keeps it from starting."""
    from broker.access.access import Access
    from broker.web.server import HttpServer
    from subscribers.alerts.service.app import create_app
    from subscribers.alerts.service.brokers import Brokers
    from subscribers.alerts.service.metrics import Metrics
    from subscribers.alerts.service.service import Service

    alerts = config.alerts
    if not alerts.rules:
        raise ConfigError("alerts.rules: names no file; `raytap alerts run RULES.toml` takes one")
    upstream = upstream_of(config, "alerts")
    access = Access.of(config.access)
    dashboard = alerts.dashboard or f"http://{reached(config.dashboard.bind)}"
    metrics = Metrics(version("raytap"))
    service = Service(
        load=lambda: _load(alerts.rules, dashboard),
        subscribe=lambda patterns, positions: _subscribe(upstream, patterns, positions),
        brokers=Brokers(upstream.brokers, upstream.token),
        state_dir=config.state_dir,
        environ=os.environ,
        external_url=dashboard,
        metrics=metrics,
        history_s=alerts.history,
    )
    server = HttpServer(create_app(service, metrics, access, alerts.bind), alerts.bind)
    tune_for_threads()
    stopping = stop_on_signal()
    changes.follow(access.reload)

    def hangup(_number: int, _frame: FrameType | None) -> None:
        service.reload()
        changes.hangup()

    signal.signal(signal.SIGHUP, hangup)
    try:
        service.start()
        server.start()
        get_logger("alerts").info("listening", http=server.address)
        stopping.wait()
    finally:
        service.stop()
        server.stop(0.5)


def _load(paths: Sequence[str], dashboard: str) -> Loaded:
    from subscribers.alerts.engine.engine import Engine
    from subscribers.alerts.engine.links import Links
    from subscribers.alerts.rules.rules_file import load
    from subscribers.alerts.service.service import Loaded

    file = load([Path(path).expanduser() for path in paths])
    for note in file.notes:
        get_logger("alerts").warning("rules_note", note=note)
    return Loaded(
        Engine(file.rules, Links(dashboard)),
        file.jobs or ["*"],
        len(file.rules),
        list(file.receivers),
        file.settings.repeat_interval,
    )


def _subscribe(
    upstream: Upstream, patterns: Sequence[str], positions: Mapping[str, tuple[str, int]]
) -> Frames:
    from subscribers import Subscription

    return Subscription(
        patterns,
        zeromq=upstream.zeromq,
        redis=upstream.redis,
        brokers=upstream.brokers,
        start="begin",
        positions=positions,
        token=upstream.token,
    )

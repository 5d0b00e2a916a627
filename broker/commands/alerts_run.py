"""`raytap alerts run`: rules on live logs, in the foreground."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from msgspec.structs import replace

from broker.commands.options import configuration
from broker.commands.upstream import Upstream, reached, upstream_of
from broker.config import Config
from broker.config_checks import problems
from broker.errors import ConfigError
from broker.events import get_logger, setup

if TYPE_CHECKING:
    from subscribers.alerts.service.service import Frames, Loaded

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS: Final = (
    click.option("--config", metavar="FILE", help="Settings; else ./raytap.toml if there is one."),
    click.option("--bind", metavar="HOST:PORT", help="Serve /v1/alerts here: 127.0.0.1:8272."),
    click.option(
        "--zeromq", multiple=True, metavar="ENDPOINT", help="Follow this broker's ZeroMQ."
    ),
    click.option("--redis", metavar="URL", help="Follow by this Redis instead."),
    click.option("--broker", multiple=True, metavar="URL", help="The broker's HTTP API."),
    click.option("--state-dir", metavar="DIR", help="The place of alerts.db."),
    click.option("--insecure", is_flag=True, help="Bind beyond this machine without [access]."),
    click.option("--log-format", metavar="auto|text|json", help="Of raytap's own log."),
    click.option("--log-level", metavar="LEVEL", help="debug, info, warning or error."),
)


def _options(command: Command) -> Command:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command()
@click.argument("rules", nargs=-1, metavar="[RULES]...")
@_options
def command(
    rules: tuple[str, ...],
    bind: str | None,
    zeromq: tuple[str, ...],
    redis: str | None,
    broker: tuple[str, ...],
    **flags: object,
) -> None:
    """Watch jobs by the rules in the files RULES (else `alerts.rules`), and tell the receivers.

    It follows the brokers of [alerts.upstream], else the daemon of the same file, else the one on
    this machine. SIGHUP reads the rules again; SIGTERM or SIGINT ends it within five seconds.
    """
    config, notes = configuration(flags)
    setup(config.log.format, config.log.level)
    for note in notes:
        get_logger("config").warning("setting_passed_over", note=note)
    upstream = config.alerts.upstream
    if zeromq or redis:
        upstream = replace(upstream, zeromq=list(zeromq), redis=redis or "")
    if broker:
        upstream = replace(upstream, brokers=list(broker))
    beside = Path(str(flags.get("config") or "")).expanduser().parent
    alerts = replace(
        config.alerts,
        rules=list(rules)
        or [str(beside / Path(rule).expanduser()) for rule in config.alerts.rules],
        bind=bind or config.alerts.bind,
        upstream=upstream,
    )
    config = replace(config, alerts=alerts)
    for name, message in problems(config):  # of what the flags changed
        raise ConfigError(f"{name}: {message}")
    run(config)


def run(config: Config) -> None:
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
    stopping = threading.Event()
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
    _on_signals(stopping, service.reload)
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


def _on_signals(stopping: threading.Event, reload: Callable[[], None]) -> None:
    def stop(number: int, _frame: FrameType | None) -> None:
        if stopping.is_set():
            os._exit(128 + number)
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGHUP, lambda _number, _frame: reload())

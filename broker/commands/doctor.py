"""`raytap doctor`: is everything there, and if not, what to do."""

from __future__ import annotations

import os
from collections.abc import Iterator

import click
import msgspec

from broker.checks import Check, verdict
from broker.checks.machine import check_packages, check_ports, check_server, check_state_dir
from broker.checks.ray import check_cluster
from broker.checks.redis_server import check_redis
from broker.commands.alert_rules import checked_rules
from broker.commands.options import config_options, configuration
from broker.config.config import AlertsConfig
from broker.config.settings import Resolved
from broker.errors import ConfigError
from broker.exit_status import ExitStatus
from broker.text.plain_text import mask_credentials, one_line

_SHOWN = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}
_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command()
@config_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of lines.")
def command(as_json: bool, **flags: object) -> ExitStatus:
    """Check Ray, its agents, Redis, the ports and this machine; say what to do.

    Exit status: 0 when nothing failed (warnings may be there), 3 when all that failed is that
    something cannot be reached, 1 for any other failure, 2 for a wrong setting.
    """
    resolved = configuration(flags)
    checks = []
    for check in _checks(resolved):
        checks.append(check)
        if not as_json:  # as they come: an address out of reach takes seconds
            click.echo(_line(check))
    status = verdict(checks)
    if as_json:
        report = {"ok": status == ExitStatus.OK, "checks": checks}
        click.echo(msgspec.json.encode(report).decode())
    return status


def _checks(resolved: Resolved) -> Iterator[Check]:
    config = resolved.config
    for note in resolved.notes:
        yield Check("warn", "settings", note)
    yield check_packages()
    yield check_state_dir(config.state_dir, config.http)
    for name, cluster in config.cluster.items():
        yield from check_cluster(name, cluster, os.environ)
    yield check_redis(config.publish.redis)
    yield from check_ports(config.http, config.publish.zeromq)
    if config.dashboard.enabled:
        yield check_server("dashboard", config.dashboard.bind)
    if config.alerts.enabled:
        yield check_server("alerts", config.alerts.bind)
        yield _check_rules(config.alerts)


def _check_rules(alerts: AlertsConfig) -> Check:
    try:
        found = checked_rules(alerts)
    except ConfigError as error:
        advice = "`raytap alerts check FILE` shows all that is wrong in a file"
        return Check("fail", "rules", one_line(error.message, 400), advice)
    counts = f"{len(found.rules)} rule(s), {len(found.receivers)} receiver(s)"
    return Check("ok", "rules", f"{counts} in {', '.join(alerts.rules)}")


def _line(check: Check) -> str:
    level = click.style(_SHOWN[check.level], fg=_COLOURS[check.level])
    advice = f" → {check.advice}" if check.advice else ""
    return f"{level}  {check.name:<16} {one_line(mask_credentials(check.message + advice), 1000)}"

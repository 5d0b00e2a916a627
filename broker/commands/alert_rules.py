"""The rules of the configuration, read and checked."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from broker.config.config import AlertsConfig
from broker.errors import ConfigError

if TYPE_CHECKING:
    from subscribers.alerts.rules.rules_file import RulesFile


def checked_rules(alerts: AlertsConfig) -> RulesFile:
    """What `raytap alerts` will begin with. Raises `ConfigError` with all that is wrong, receivers
    whose address or secret is not there included."""
    from subscribers.alerts.delivery.receivers.target import read_target
    from subscribers.alerts.rules.rules_file import load

    if not alerts.rules:
        raise ConfigError("alerts.rules: names no file; rules are in one of their own")
    found = load(alerts.rules)
    for receiver in found.receivers:
        read_target(receiver, os.environ)
    return found

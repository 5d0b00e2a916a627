"""What runs beside the demo's daemon: the dashboard, and alerts that tell a receiver of our own."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from broker.demo.receiver import Receiver

_RULES: Final = """\
# One rule, and one receiver: the demo itself, which checks the signature.
[[alert]]
name = "traceback"
match = "Error"
on = "traceback"
severity = "warning"
resolve_after = "{resolve}s"

[alert.annotations]
summary = "{{line}}"
line_number = "{{number}}"

[[receiver]]
name = "demo"
kind = "webhook"
url = "{url}"
secret_file = "{secret}"
"""


def write_rules(home: Path, secret: str, url: str, resolve_s: int) -> Path:
    """The rules' file, and beside it the one with the secret."""
    key = home / "webhook-secret"
    key.touch(mode=0o600)
    key.write_text(secret)
    rules = home / "alerts.toml"
    rules.write_text(_RULES.format(url=url, secret=key, resolve=resolve_s))
    return rules


def settings(
    home: Path, receiver: Receiver, dashboard: str, alerts: str, resolve_s: int
) -> dict[str, str]:
    """The environment that makes `raytap serve` run both. `resolve_s`: how long an alert stays."""
    return {
        "RAYTAP_DASHBOARD__ENABLED": "true",
        "RAYTAP_DASHBOARD__BIND": urlsplit(dashboard).netloc,
        "RAYTAP_ALERTS__ENABLED": "true",
        "RAYTAP_ALERTS__BIND": urlsplit(alerts).netloc,
        "RAYTAP_ALERTS__RULES": str(write_rules(home, receiver.secret, receiver.url, resolve_s)),
    }


def new_receiver() -> Receiver:
    """With a secret of its own."""
    return Receiver(secrets.token_urlsafe(32))

"""Where a receiver is, and its secret: from the setting, a file or a variable, read once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from broker.errors import ConfigError
from subscribers.alerts.rules.receiver_config import Receiver, check_receiver_url


class Target(msgspec.Struct, frozen=True):
    """Neither is ever shown."""

    url: str
    secret: bytes = b""

    def __repr__(self) -> str:
        return "Target([REDACTED])"

    def __rich_repr__(self) -> list[Any]:
        return []


def read_target(receiver: Receiver, environ: Mapping[str, str]) -> Target:
    """The receiver's own, read now. Raises `ConfigError` that names the setting and shows
    neither."""
    return Target(_url(receiver, environ), _secret(receiver, environ))


def target_problems(receiver: Receiver, environ: Mapping[str, str]) -> list[str]:
    """All that `read_target` would refuse just now, a line each."""
    problems = []
    for read in (_url, _secret):
        try:
            read(receiver, environ)
        except ConfigError as error:
            problems.append(error.message)
    return problems


def _url(receiver: Receiver, environ: Mapping[str, str]) -> str:
    url = receiver.url or _read(receiver, "url", environ)
    try:
        check_receiver_url(receiver.kind, url, "url_file" if receiver.url_file else "url_env")
    except ConfigError as error:
        raise ConfigError(f"receiver {receiver.name}: {error.message}") from None
    return url


def _secret(receiver: Receiver, environ: Mapping[str, str]) -> bytes:
    given = receiver.secret_file or receiver.secret_env
    return _read(receiver, "secret", environ).encode() if given else b""


def _read(receiver: Receiver, what: str, environ: Mapping[str, str]) -> str:
    file, variable = getattr(receiver, f"{what}_file"), getattr(receiver, f"{what}_env")
    if variable:
        place = f"receiver {receiver.name}: {what}_env: the environment variable {variable}"
        text = environ.get(variable)
        if text is None:
            raise ConfigError(f"{place} is not set")
    else:
        place = f"receiver {receiver.name}: {what}_file: {file}"
        try:
            text = Path(file).expanduser().read_text(encoding="utf-8")
        except (OSError, RuntimeError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is no text file"
            raise ConfigError(f"{place} cannot be read: {reason}") from None
    if not text.strip():
        raise ConfigError(f"{place} is empty")
    return text.strip()

"""Where a receiver is, and its secrets: from the setting, a file or a variable, read once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from broker.errors import ConfigError
from subscribers.alerts.rules.receiver_config import Receiver, check_proxy_url, check_receiver_url

_WORD: Final = re.compile(r"[\x21-\x7e]+")
_CREDENTIALS: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]* [\x20-\x7e]*[\x21-\x7e]")


class Target(msgspec.Struct, frozen=True):
    """None of it is ever shown. `authorization` is the header's whole value."""

    url: str
    secret: bytes = b""
    authorization: str = ""
    proxy: str = ""

    def digest(self, kind: str) -> str:
        """Another one where anything of it is, or the kind."""
        return sha256(msgspec.msgpack.encode((kind, self))).hexdigest()[:16]

    def __repr__(self) -> str:
        return "Target([REDACTED])"

    def __rich_repr__(self) -> list[Any]:
        return []


def read_target(receiver: Receiver, environ: Mapping[str, str]) -> Target:
    """The receiver's own, read now. Raises `ConfigError` that names the setting and shows
    nothing."""
    return Target(
        _url(receiver, environ),
        _secret(receiver, environ),
        _authorization(receiver, environ),
        _proxy(receiver, environ),
    )


def target_problems(receiver: Receiver, environ: Mapping[str, str]) -> list[str]:
    """All that `read_target` would refuse just now, a line each."""
    problems = []
    for read in (_url, _secret, _authorization, _proxy):
        try:
            read(receiver, environ)
        except ConfigError as error:
            problems.append(error.message)
    return list(dict.fromkeys(problems))  # two of them look at the URL


def _url(receiver: Receiver, environ: Mapping[str, str]) -> str:
    url = receiver.url or _read(receiver, "url", environ)
    try:
        check_receiver_url(receiver.kind, url, _setting(receiver, "url"))
    except ConfigError as error:
        raise ConfigError(f"receiver {receiver.name}: {error.message}") from None
    return url


def _secret(receiver: Receiver, environ: Mapping[str, str]) -> bytes:
    return _read(receiver, "secret", environ).encode()


def _authorization(receiver: Receiver, environ: Mapping[str, str]) -> str:
    given = _read(receiver, "authorization", environ)
    if not given:
        return ""
    place = f"receiver {receiver.name}: {_setting(receiver, 'authorization')}"
    if "@" in urlsplit(_url(receiver, environ)).netloc:
        raise ConfigError(f"{place}: the URL holds a user already; give one of them")
    if _WORD.fullmatch(given):
        return f"Bearer {given}"
    if not _CREDENTIALS.fullmatch(given):
        raise ConfigError(
            f"{place} holds no credentials: a token, or a scheme and what it takes, in one line of "
            "ASCII, such as Bearer TOKEN"
        )
    return given


def _proxy(receiver: Receiver, environ: Mapping[str, str]) -> str:
    url = receiver.proxy or _read(receiver, "proxy", environ)
    try:
        check_proxy_url(url, _setting(receiver, "proxy"))
    except ConfigError as error:
        raise ConfigError(f"receiver {receiver.name}: {error.message}") from None
    return url


def _setting(receiver: Receiver, what: str) -> str:
    """The one of its settings that is given."""
    names = (f"{what}_file", f"{what}_env", what)
    return next((name for name in names if getattr(receiver, name, "")), what)


def _read(receiver: Receiver, what: str, environ: Mapping[str, str]) -> str:
    """What the setting's file or variable holds; empty where neither is given."""
    file, variable = getattr(receiver, f"{what}_file"), getattr(receiver, f"{what}_env")
    if variable:
        place = f"receiver {receiver.name}: {what}_env: the environment variable {variable}"
        text = environ.get(variable)
        if text is None:
            raise ConfigError(f"{place} is not set")
    elif not file:
        return ""
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

"""A receiver as it stands in a rules file: `[[receiver]]`. Pure.

[[receiver]]
name = "oncall"
kind = "webhook"
url_file = "/etc/raytap/oncall-url"
secret_env = "ONCALL_SECRET"
match = ['severity="critical"']
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any, ClassVar, Final, Literal, get_args

import msgspec

from broker.config import Section
from broker.errors import ClientError, ConfigError
from broker.units import seconds
from broker.validate import RESOURCE_ID, check_url
from subscribers.alerts.rules.matchers import Matchers

Kind = Literal["webhook", "alertmanager", "slack", "apprise"]
KINDS: Final[tuple[str, ...]] = get_args(Kind)

REPEAT_S: Final = 4 * 3600.0
"""A firing alert is sent again after so long, where nothing else is set."""
ALERTMANAGER_REPEAT_S: Final = 60.0
"""Alertmanager takes an alert that is not sent again for resolved."""

_Wait = Annotated[float, seconds(300)]
_Repeat = Annotated[float, seconds(366 * 86400, at_least=1.0)]


class Receiver(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where alerts are sent, and which. Its `repr` never shows the URL. Durations are seconds.

    Exactly one of `url`, `url_file` and `url_env` (the name of a variable) is given; a webhook is
    signed where there is a `secret_file` or a `secret_env`.
    """

    secret: ClassVar[frozenset[str]] = frozenset({"url"})  # Slack's and Apprise's hold tokens

    name: str
    kind: Kind
    url: str = ""
    url_file: str = ""
    url_env: str = ""
    secret_file: str = ""
    secret_env: str = ""
    match: list[str] = msgspec.field(default_factory=list)  # severity="critical"; none: all
    send_resolved: bool = True
    repeat_interval: _Repeat | None = None  # None: 4 h; to Alertmanager once a minute
    connect_timeout: _Wait = 5.0
    read_timeout: _Wait = 10.0  # for each read
    timeout: _Wait = 30.0  # for the whole request
    queue_size: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 1_000  # notifications that wait
    ca_file: str = ""  # PEM, of the receiver's own certificate authority

    def repeat_s(self, default: float = REPEAT_S) -> float:
        """After how many seconds a firing alert is sent again; `default`: the file's setting."""
        if self.repeat_interval is not None:
            return self.repeat_interval
        return ALERTMANAGER_REPEAT_S if self.kind == "alertmanager" else default


def parse_receiver(table: Mapping[str, object]) -> Receiver:
    """One `[[receiver]]` table, checked. Raises `ConfigError` that begins with the field's name
    and never shows a URL; files and variables are not looked at."""
    known = {field.name: field for field in msgspec.structs.fields(Receiver)}
    values: dict[str, Any] = {}
    for name, value in table.items():
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            raise ConfigError(f"{name}: no such setting of a receiver; {hint}")
        values[name] = _converted(known[name], value)
    for name in ("name", "kind"):
        if name not in values:
            raise ConfigError(f"{name}: is missing; a receiver has a name, a kind and a url")
    receiver = Receiver(**values)
    _check(receiver)
    return receiver


def _converted(field: msgspec.structs.FieldInfo, value: object) -> object:
    if field.name == "kind" and value not in KINDS:
        advice = "; raytap runs no commands" if value in ("command", "exec", "script") else ""
        raise ConfigError(f"kind: it is one of {', '.join(KINDS)}{advice}")
    parse = _parser(field.type)
    try:
        return msgspec.convert(parse(value) if parse and isinstance(value, str) else value,
                               field.type)  # fmt: skip
    except msgspec.ValidationError as error:
        raise ConfigError(f"{field.name}: {str(error).replace('`', '')}") from None
    except ValueError as error:
        raise ConfigError(f"{field.name}: {error}") from None


def _parser(kind: Any) -> Any:
    """What makes a number of a text with a unit, where the type has one."""
    for one in (kind, *get_args(kind)):
        for meta in getattr(one, "__metadata__", ()):
            if isinstance(meta, msgspec.Meta) and meta.extra:
                return meta.extra.get("parse")
    return None


def _check(receiver: Receiver) -> None:
    if not RESOURCE_ID.fullmatch(receiver.name):
        raise ConfigError("name: 1 to 100 letters, digits, - and _")
    urls = [name for name in ("url", "url_file", "url_env") if getattr(receiver, name)]
    if len(urls) != 1:
        raise ConfigError(f"{urls[1] if urls else 'url'}: give one of url, url_file and url_env")
    if receiver.url:
        check_receiver_url(receiver.kind, receiver.url)
    if receiver.secret_file and receiver.secret_env:
        raise ConfigError("secret_env: secret_file is given too; give one of them")
    if (receiver.secret_file or receiver.secret_env) and receiver.kind != "webhook":
        raise ConfigError("secret_file: only a webhook is signed; nothing else takes a secret")
    if receiver.ca_file and receiver.kind == "apprise":
        raise ConfigError("ca_file: Apprise's own URL says how its certificate is checked")
    try:
        Matchers.parse(receiver.match)
    except ClientError as error:
        raise ConfigError(f"match: {error.message}") from None


def check_receiver_url(kind: Kind, url: str, setting: str = "url") -> None:
    """Raise `ConfigError`, without the URL in it, where a receiver of that kind can't have it."""
    if kind == "apprise":
        if "://" not in url:
            raise ConfigError(f"{setting}: an Apprise URL is needed, such as ntfy://TOPIC")
    else:
        _http_url(setting, url)


def _http_url(setting: str, url: str) -> None:
    try:
        check_url(url, ("http", "https"))
    except ClientError as error:
        raise ConfigError(f"{setting}: {error.message}") from None

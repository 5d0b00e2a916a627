"""A receiver as it stands in a rules file: `[[receiver]]`. Pure.

[[receiver]]
name = "oncall"
kind = "webhook"
url_file = "/etc/raytap/oncall-url"
secret_env = "ONCALL_SECRET"
match = ['severity="critical"']
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, ClassVar, Final, Literal, get_args
from urllib.parse import urlsplit

import msgspec

from broker.config.config import Section
from broker.config.units import seconds
from broker.errors import ClientError, ConfigError
from broker.validate import RESOURCE_ID, check_url
from subscribers.alerts.rules.matchers import Matchers
from subscribers.alerts.rules.tables import Problem, convert

Kind = Literal["webhook", "alertmanager", "slack", "apprise"]
KINDS: Final[tuple[str, ...]] = get_args(Kind)
_COMMANDS: Final = ("command", "exec", "script")

REPEAT_S: Final = 4 * 3600.0
"""A firing alert is sent again after so long, where nothing else is set."""
ALERTMANAGER_REPEAT_S: Final = 60.0
"""Alertmanager takes an alert that is not sent again for resolved."""

_Wait = Annotated[float, seconds(300)]
_Repeat = Annotated[float, seconds(366 * 86400, at_least=1.0)]


class Receiver(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where alerts are sent, and which. Its `repr` never shows the URL. Durations are seconds.

    Exactly one of `url`, `url_file` and `url_env` (the name of a variable) is given; a webhook is
    signed where there is a `secret_file` or a `secret_env`. What `authorization_file` or
    `authorization_env` holds is sent as `Authorization`.
    """

    # Slack's and Apprise's URLs hold tokens, a proxy's may hold a password.
    secret: ClassVar[frozenset[str]] = frozenset({"url", "proxy"})

    name: str
    kind: Kind
    url: str = ""
    url_file: str = ""
    url_env: str = ""
    secret_file: str = ""
    secret_env: str = ""
    authorization_file: str = ""
    authorization_env: str = ""
    proxy: str = ""  # http://HOST:PORT; variables such as HTTPS_PROXY are not looked at
    proxy_file: str = ""
    proxy_env: str = ""
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


def read_receiver(table: Mapping[str, object]) -> tuple[Receiver | None, list[Problem]]:
    """One `[[receiver]]` table, of what is right, and all that is wrong, which never shows a URL;
    None where it has no name or no kind. Files and variables are not looked at."""
    receiver, problems = convert(Receiver, table, ("name", "kind"))
    if table.get("kind") in _COMMANDS:
        problems = [one for one in problems if one.key != "kind"]
        problems.append(Problem("kind", f"one of {', '.join(KINDS)}; raytap runs no commands"))
    if receiver is not None:
        problems += _problems(receiver, table)
    return receiver, problems


def parse_receiver(table: Mapping[str, object]) -> Receiver:
    """As `read_receiver`; raises `ConfigError` for the first problem, the setting's name before
    it."""
    receiver, problems = read_receiver(table)
    if receiver is None or problems:
        raise ConfigError(": ".join(problems[0]))
    return receiver


def _problems(receiver: Receiver, table: Mapping[str, object]) -> Iterator[Problem]:
    if not RESOURCE_ID.fullmatch(receiver.name):
        yield Problem("name", "1 to 100 letters, digits, - and _")
    given = {what: _given(table, what) for what in ("url", "secret", "authorization", "proxy")}
    for what, names in given.items():
        if len(names) > 1 or (what == "url" and not names):
            yield Problem(names[1] if names else what, f"give one of {', '.join(_ways(what))}")
    if receiver.url:
        yield from _refused(check_receiver_url, receiver.kind, receiver.url)
    yield from _refused(check_proxy_url, receiver.proxy)
    for name in given["secret"] if receiver.kind != "webhook" else ():
        yield Problem(name, "only a webhook is signed")
    for name in given["authorization"] if receiver.kind in ("slack", "apprise") else ():
        yield Problem(name, f"the URL of {receiver.kind} holds what lets one in")
    if receiver.kind == "apprise":
        for name in given["proxy"]:
            yield Problem(name, "Apprise takes its proxies from HTTPS_PROXY and NO_PROXY")
        if receiver.ca_file:
            yield Problem("ca_file", "Apprise's own URL says how its certificate is checked")
    for matcher in receiver.match:
        try:
            Matchers.parse([matcher])
        except ClientError as error:
            yield Problem("match", error.message)


def _refused(check: Callable[..., None], *given: str) -> Iterator[Problem]:
    try:
        check(*given)
    except ConfigError as error:
        key, _, message = error.message.partition(": ")
        yield Problem(key, message)


def _ways(what: str) -> list[str]:
    names = (what, f"{what}_file", f"{what}_env")
    return [name for name in names if name in Receiver.__struct_fields__]


def _given(table: Mapping[str, object], what: str) -> list[str]:
    return [name for name in _ways(what) if table.get(name)]


def check_proxy_url(url: str, setting: str = "proxy") -> None:
    """Raise `ConfigError`, without the URL in it, where it is none of a proxy; empty is."""
    if not url:
        return
    try:
        check_url(url, ("http",))
    except ClientError as error:
        raise ConfigError(f"{setting}: {error.message.removeprefix('URL: ')}") from None
    if urlsplit(url).path.strip("/"):
        raise ConfigError(f"{setting}: http://HOST:PORT is needed, without a path")


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
        raise ConfigError(f"{setting}: {error.message.removeprefix('URL: ')}") from None

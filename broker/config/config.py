"""The configuration's sections: names, types, defaults and ranges. Pure; see `settings`.

Durations are seconds, sizes are bytes; in a file, the environment and flags both may be written
with a unit (`"5m"`, `"64MiB"`). Built directly, the structs do not check their values.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal

import msgspec

from broker.config.units import parse_size, seconds, size
from broker.text.plain_text import mask_credentials

MIB: Final = 1 << 20

Seconds = Annotated[float, seconds()]
Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)]

Protocol = Literal["auto", "http", "websocket"]
Follow = Literal["running", "all"]
OnLimit = Literal["block", "drop", "stop"]
Action = Literal["read", "admin"]


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the configuration. Its `repr` never shows a credential."""

    secret: ClassVar[frozenset[str]] = frozenset()  # fields that are never shown

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [(name, self._shown(name)) for name in self.__struct_fields__]

    def _shown(self, name: str) -> object:
        value = getattr(self, name)
        if name in self.secret and value:
            return "[REDACTED]"
        return mask_credentials(value) if isinstance(value, str) else value

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({shown})"


class ClusterConfig(Section, frozen=True):
    """One Ray cluster: where it is, how its logs are read, and which."""

    secret: ClassVar[frozenset[str]] = frozenset({"headers"})

    endpoints: list[str] = []  # dashboards of the same cluster, http(s)://HOST:PORT
    protocol: Protocol = "auto"
    agent_host: str = ""  # host or host:port in place of that of driver_agent_http_address
    follow: Follow = "running"
    jobs: list[str] = msgspec.field(default_factory=lambda: ["*"])  # globs of [cluster/]job
    backfill: str = "all"  # or a size: how much of a long log met for the first time
    lost_after: Seconds = 300.0  # a job its own head no longer knows ends as LOST
    settle: Seconds = 6.0  # the log's size is stable this long before `end`
    discovery_interval: Seconds = 2.0
    poll_interval: Seconds = 0.1  # while a job prints
    poll_interval_max: Seconds = 2.0  # while it is silent
    agent_requests_per_s: Annotated[float, msgspec.Meta(ge=1, le=10_000)] = 100.0  # each agent
    readers: Annotated[int, msgspec.Meta(ge=1, le=64)] = 4  # reader threads
    connect_timeout: Annotated[float, seconds(300)] = 5.0
    read_timeout: Annotated[float, seconds(300)] = 30.0  # for each read
    heartbeat_interval: Seconds = 15.0
    max_streams: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 1_000
    max_websockets: Annotated[int, msgspec.Meta(ge=1, le=90)] = 32  # 100 block the Jobs API
    backoff_base: Seconds = 0.5
    backoff_cap: Seconds = 30.0
    token_file: str = ""
    token_env: str = ""  # the name of the variable, never the token
    ca_file: str = ""  # PEM
    proxy: str = ""
    headers: dict[str, str] = {}

    @property
    def backfill_bytes(self) -> int | None:
        """How much of a long log is published; None: all of it."""
        return None if self.backfill == "all" else parse_size(self.backfill)


class LimitsConfig(Section, frozen=True):
    """What one stream may take in a window, and what happens beyond it."""

    max_messages: Count = 10_000  # frames in a window
    max_lines: Count = 500_000  # in a window
    max_bytes: Annotated[int, size()] = 50 * MIB  # in a window
    max_message_size: Annotated[int, size(64, 64 * MIB)] = 10_240  # one line
    queue_size: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1_000  # frames, each outbox
    exception_queue_size: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 10  # errors, each stream
    window: Annotated[float, seconds(3600, at_least=0.01)] = 1.0
    on_limit: OnLimit = "block"


class SanitizeConfig(Section, frozen=True):
    """What is taken out of lines."""

    redact: bool = True
    rules: list[str] = []  # re2 patterns beside the built-in ones
    disable: list[str] = []  # ids of built-in rules


class ZeromqConfig(Section, frozen=True):
    """The ZeroMQ publisher."""

    enabled: bool = True
    bind: str = "tcp://127.0.0.1:5556"
    # Frames of up to 256 KiB for each slow subscriber; 0: unlimited.
    hwm: Annotated[int, msgspec.Meta(ge=0, le=10_000_000)] = 1_000
    insecure: bool = False  # bind beyond loopback: whoever reaches it reads every line


class RedisConfig(Section, frozen=True):
    """The Redis publisher; off where there is no URL."""

    url: str = ""
    socket_timeout: Annotated[float, seconds(300)] = 5.0


class PublishConfig(Section, frozen=True):
    """The transports out."""

    zeromq: ZeromqConfig = ZeromqConfig()
    redis: RedisConfig = RedisConfig()


class HttpConfig(Section, frozen=True):
    """The HTTP API: replay, jobs, health, metrics."""

    enabled: bool = True
    bind: str = "127.0.0.1:8270"
    insecure: bool = False  # bind beyond loopback: whoever reaches it reads every line


class JournalConfig(Section, frozen=True):
    """What is kept for replay."""

    enabled: bool = True
    max_bytes: Annotated[int, size(MIB)] = 2048 * MIB
    max_job_bytes: Annotated[int, size(MIB)] = 1024 * MIB
    max_age: Annotated[float, seconds(3660 * 86400)] = 7 * 86400.0


class TokenConfig(Section, frozen=True):
    """Who holds this token may do this. `raytap token new` makes one."""

    secret: ClassVar[frozenset[str]] = frozenset({"hash"})

    hash: str = ""  # what `raytap token new` prints; never the token
    clusters: list[str] = msgspec.field(default_factory=lambda: ["*"])  # globs
    jobs: list[str] = msgspec.field(default_factory=lambda: ["*"])  # globs of [cluster/]job
    actions: list[Action] = msgspec.field(default_factory=lambda: ["read"])


class JwtConfig(Section, frozen=True):
    """JSON Web Tokens of an identity provider; off where there is no key file."""

    algorithm: Literal["HS256", "RS256", "ES256"] = "RS256"
    key_file: str = ""  # the secret (HS256), or public keys: PEM, one or more, or a JWKS
    issuer: str = ""  # where given, `iss` must be it
    audience: str = ""  # where given, `aud` must hold it
    leeway: Annotated[float, seconds(300, at_least=0)] = 10.0  # between the clocks


class AccessConfig(Section, frozen=True):
    """Who may read which jobs over HTTP. Without any token or key, everyone who reaches it may."""

    token: dict[str, TokenConfig] = {}
    jwt: JwtConfig = JwtConfig()

    @property
    def required(self) -> bool:
        """Whether a request needs a token."""
        return bool(self.token or self.jwt.key_file)


class UpstreamConfig(Section, frozen=True):
    """Which brokers a subscriber process follows; by default the daemon of the same file."""

    zeromq: list[str] = []  # endpoints; empty: where [publish.zeromq] binds
    redis: str = ""  # subscribe on this Redis instead
    brokers: list[str] = []  # HTTP base addresses; empty: where [http] binds
    token_file: str = ""  # the token for their HTTP APIs
    token_env: str = ""  # the name of the variable that holds it, never the token


class DashboardConfig(Section, frozen=True):
    """`raytap dashboard`: the page and the gateway."""

    enabled: bool = False  # as a supervised child of `raytap serve`
    bind: str = "127.0.0.1:8271"
    insecure: bool = False  # bind beyond loopback without permissions
    upstream: UpstreamConfig = UpstreamConfig()
    cors_origins: list[str] = []  # pages of other origins that may ask
    client_buffer: Annotated[int, size(64 * 1024, 1024 * MIB)] = MIB  # for each SSE client
    on_slow: Literal["skip", "disconnect"] = "skip"  # when that buffer is full
    max_clients: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 5_000  # SSE clients at once
    session: Annotated[float, seconds(30 * 86400)] = 12 * 3600.0  # a browser's sign-in
    stats_redis: str = ""  # raytap:stats:… go there; empty: where [publish.redis] goes


class AlertsConfig(Section, frozen=True):
    """`raytap alerts`: rules on lines and on the jobs' life."""

    enabled: bool = False  # as a supervised child of `raytap serve`
    bind: str = "127.0.0.1:8272"
    insecure: bool = False  # bind beyond loopback without permissions
    upstream: UpstreamConfig = UpstreamConfig()
    rules: list[str] = []  # files with [[alert]] and [[receiver]]; relative to this one
    dashboard: str = ""  # its base address, for links; empty: where [dashboard] binds
    history: Annotated[float, seconds(3660 * 86400)] = 30 * 86400.0  # resolved alerts are kept


class LogConfig(Section, frozen=True):
    """The daemon's own log, on stderr."""

    format: Literal["auto", "text", "json"] = "auto"  # auto: text on a terminal
    level: Literal["debug", "info", "warning", "error"] = "info"


class Config(Section, frozen=True):
    """All of it."""

    state_dir: str = "~/.local/state/raytap"
    cluster: dict[str, ClusterConfig] = {}
    limits: LimitsConfig = LimitsConfig()
    sanitize: SanitizeConfig = SanitizeConfig()
    publish: PublishConfig = PublishConfig()
    http: HttpConfig = HttpConfig()
    journal: JournalConfig = JournalConfig()
    access: AccessConfig = AccessConfig()
    dashboard: DashboardConfig = DashboardConfig()
    alerts: AlertsConfig = AlertsConfig()
    log: LogConfig = LogConfig()

"""A rule as it stands in a rules file: `[[alert]]`. Pure; `rule_checks` says whether it makes
sense.

Durations are seconds, and may be written with a unit; rates are matches a second.
"""

from __future__ import annotations

import math
import re
from hashlib import sha256
from typing import Annotated, Final, Literal

import msgspec

from broker.config.units import seconds
from broker.topic import Stream, matches

TERMINAL: Final = ("SUCCEEDED", "FAILED", "STOPPED", "LOST")
STATUSES: Final = ("PENDING", "RUNNING", *TERMINAL)
SEVERITIES: Final = ("critical", "error", "warning", "info")  # the page's; the worst first

WINDOW_S: Final = 300.0
LINES_RESOLVE_S: Final = 600.0
STATUS_RESOLVE_S: Final = 3600.0
LAG_S: Final = 5.0
HEARTBEAT_S: Final = 45.0
RECONNECTS: Final = 3

_RATE: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*/\s*(s|m|h)")
_PER: Final = {"s": 1.0, "m": 60.0, "h": 3600.0}


def gravity(severity: str) -> int:
    """Where it stands in a list whose worst comes first; one of a rule's own is the last."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def parse_rate(text: str) -> float:
    """Matches a second of `"10/s"`, `"3/m"`, `"1/h"` or a number; `ValueError` says what would be
    right."""
    if found := _RATE.fullmatch(text.strip()):
        return float(found[1]) / _PER[found[2]]
    try:
        return float(text)
    except ValueError:
        raise ValueError(f'{text!r} is no rate, such as "10/s", "3/m" or 0.5 (a second)') from None


_Rate = Annotated[float, msgspec.Meta(ge=0, le=1e9, extra={"parse": parse_rate})]
_Wait = Annotated[float, seconds(at_least=0)]
_Span = Annotated[float, seconds()]
_Words = list[str]  # a single text is taken too

Kind = Literal["lines", "status", "running", "broker"]
Trouble = Literal["reconnects", "lag", "gap", "heartbeat", "degraded"]


class JsonCondition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a field of a line that is a JSON object must be; all that is given must hold."""

    field: str  # inner ones with dots: metrics.loss
    equals: str | bool | float | None = None
    match: str = ""
    above: float | None = None
    below: float | None = None


class Rule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"for_": "for"}):
    """One rule. It is about lines, unless it names a `status`, `running_longer` or `broker`."""

    name: str
    severity: str = "warning"
    # Which jobs
    jobs: _Words = msgspec.field(default_factory=lambda: ["*"])  # globs of [cluster/]job
    clusters: _Words = msgspec.field(default_factory=lambda: ["*"])  # globs
    # Which lines
    match: str = ""  # a regex (re2)
    on: Literal["line", "traceback"] = "line"
    unless: str = ""  # a regex: not where it matches
    level: str = ""  # at least
    json: list[JsonCondition] = []
    source: Literal["any", "driver", "workers"] = "any"
    # How many of them
    threshold: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] | None = None
    window: _Span = WINDOW_S
    rate_above: _Rate | None = None
    rate_below: _Rate | None = None
    absent: _Span | None = None
    by: _Words | None = None  # labels; none given: cluster, job and what is captured
    # The job's life
    status: _Words = []
    running_longer: _Span | None = None
    # The broker's health
    broker: Trouble | Literal[""] = ""
    above: _Span | None = None  # seconds, of `lag` and `heartbeat`
    # The alert
    for_: _Wait = 0.0
    resolve_after: _Wait | None = None
    resolve_at_end: bool = True
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    before: Annotated[int, msgspec.Meta(ge=0, le=20)] = 3  # lines of {before}
    after: Annotated[int, msgspec.Meta(ge=0, le=20)] = 3  # lines of {after}

    @property
    def kind(self) -> Kind:
        """What it looks at."""
        if self.broker:
            return "broker"
        if self.status:
            return "status"
        return "lines" if self.running_longer is None else "running"

    @property
    def missing(self) -> bool:
        """Whether it fires where too little comes, rather than where something does."""
        return self.absent is not None or self.rate_below is not None

    @property
    def needed(self) -> int:
        """Matches in `span` from which on there are enough: to fire, or (`missing`) not to."""
        if self.absent is not None:
            return 1
        if self.rate_below is not None:
            return max(1, math.ceil(self.rate_below * self.window))
        if self.rate_above is not None:
            return math.floor(self.rate_above * self.window) + 1
        return self.threshold or (RECONNECTS if self.broker == "reconnects" else 1)

    @property
    def span(self) -> float:
        """The window in use."""
        return self.window if self.absent is None else self.absent

    @property
    def limit(self) -> float:
        """Seconds of lag, or without a heartbeat, that are too many."""
        return self.above or (LAG_S if self.broker == "lag" else HEARTBEAT_S)

    @property
    def resolves(self) -> float:
        """Seconds after the condition last held."""
        if self.resolve_after is not None:
            return self.resolve_after
        if self.kind == "status":
            return STATUS_RESOLVE_S
        if (
            self.missing
            or self.kind == "running"
            or self.broker in ("lag", "heartbeat", "degraded")
        ):
            return 0.0
        return LINES_RESOLVE_S

    @property
    def digest(self) -> str:
        """Another one is another rule: what was known of it is of no use."""
        return sha256(msgspec.msgpack.encode(self)).hexdigest()[:16]

    def about(self, stream: Stream) -> bool:
        """Whether the job is one of its jobs."""
        return any(matches(pattern, stream) for pattern in self.jobs) and any(
            matches(f"{pattern}/*", stream) for pattern in self.clusters
        )
